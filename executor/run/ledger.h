#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ferry/device.h"

namespace ferry {

// One crossing between devices, or what was expected of it.
struct LedgerEntry {
  std::string value;  // "scope/value": as CopyPlacement::value
  Device from, to;
  int64_t bytes = 0;  // in all
  int64_t times = 0;
  bool by_kernel = false;  // moved by the kernel that makes `value`, for itself
  bool pageable = false;   // some time the host's memory was not pinned
};

// What the plan and the run say of one value and direction.
struct LedgerPair {
  LedgerEntry made;  // bytes and times 0: it was not
  int64_t planned_bytes = 0, planned_times = 0;

  bool as_planned() const { return made.bytes == planned_bytes && made.times == planned_times; }
};

// Every byte that crossed between devices in one run. Entries of the same value and direction are
// added up, those of kernels apart. Not thread-safe: one run writes it.
class CopyLedger {
 public:
  void record(const std::string& value, Device from, Device to, int64_t bytes,
              bool by_kernel = false, bool pageable = false);
  void expect(const std::string& value, Device from, Device to, int64_t bytes,
              bool by_kernel = false);

  void merge(const CopyLedger& other);

  const std::vector<LedgerEntry>& made() const { return made_; }
  const std::vector<LedgerEntry>& planned() const { return planned_; }

  // Each entry of either list once: in the order of the plan, then what it does not have.
  std::vector<LedgerPair> compared() const;

  // "" when what was made is what was planned, else a sentence for each difference.
  std::string difference() const;

 private:
  static void add(std::vector<LedgerEntry>& entries, LedgerEntry entry);

  std::vector<LedgerEntry> made_, planned_;
};

}  // namespace ferry
