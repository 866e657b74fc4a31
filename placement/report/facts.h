#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/human.h"
#include "placement/placement.h"

// What several faces of the report count, and the words that they share.
namespace ferry {

// ---- words --------------------------------------------------------------------------------------

// What a reason code means and what its reader can do about it: a sentence each.
struct ReasonText {
  std::string_view code, meaning, advice;
};
// Every reason code, in the order of ReasonCode.
std::span<const ReasonText> reason_texts();
// The text of `code`; without sentences where the list has no such code.
ReasonText reason_text(std::string_view code);

// What a kind of copy (CopyPlacement::kind) is: a sentence each.
struct CopyKind {
  std::string_view word, meaning;
};
std::span<const CopyKind> copy_kinds();

// "h2d", "d2h" or "d2d".
std::string_view direction(const CopyPlacement& copy);

// "1 copy", "3 copies".
std::string pluralize(size_t count, std::string_view one, std::string_view many);

// The first `limit` items and ", N more".
std::string join(const std::vector<std::string>& items, size_t limit,
                 std::string_view between = ", ");

// "simulated", "assumed", "simulated, assumed" or "".
std::string caveat(const DevicePlacement& device);
// "name (simulated)".
std::string described(const DevicePlacement& device);

// " at batch=1, seq=1" for sizes that the request did not give, or "".
std::string at_assumed_sizes(const PlacementData& data);

// "128 B", "128 B (16*batch bytes)" or "data decides".
std::string size_of(const ByteCount& bytes);
// "each trip, 8 trips", "at load" or "".
std::string occasion(const CopyPlacement& copy);

// "-12.3 %": how far a measurement lies from its prediction.
std::string percent_off(double predicted, double measured);

// ---- counts -------------------------------------------------------------------------------------

// Whether `device` is one that the request names for compute.
bool is_requested(const PlacementData& data, Device device);

// Nodes with one reason for not being on a requested device.
struct ReasonGroup {
  std::string reason;
  std::vector<const NodePlacement*> nodes;           // in execution order
  std::vector<std::pair<std::string, int>> ops;      // by name
  std::vector<std::pair<std::string, int>> details;  // most frequent first
  double seconds = 0;                                // predicted, where they are
};
// Most frequent first.
std::vector<ReasonGroup> reasons_elsewhere(const PlacementData& data);

// Neighbours in execution order on one device: nodes [first, first + count).
struct Island {
  int id = 0;
  Device device;
  size_t first = 0, count = 0;
};
std::vector<Island> islands_of(const PlacementData& data);

// Predicted time on the node's own device, where that is known.
std::optional<double> own_seconds(const NodePlacement& node);

// "cpu below batch 3, sim:0 (53 of 64 nodes) from there", or "" without size ranges.
std::string size_ranges_sentence(const PlacementData& data);

// ---- measured beside predicted ------------------------------------------------------------------

// Seconds that a run measured, by what the report calls things.
class Measured {
 public:
  explicit Measured(const MeasuredRun* run);

  explicit operator bool() const { return run_ != nullptr; }
  const MeasuredRun& run() const { return *run_; }

  // Of a node in all; of a copy by its value and where it goes.
  std::optional<double> node(const std::string& name) const;
  std::optional<double> copy(const CopyPlacement& copy) const;

  double kernel_seconds() const { return kernel_seconds_; }
  double copy_seconds() const { return copy_seconds_; }

 private:
  const MeasuredRun* run_;
  std::map<std::string, double, std::less<>> nodes_;
  std::map<std::pair<std::string, Device>, double> copies_;
  double kernel_seconds_ = 0, copy_seconds_ = 0;
};

}  // namespace ferry
