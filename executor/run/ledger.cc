#include "executor/run/ledger.h"

#include <algorithm>
#include <memory>

namespace ferry {
namespace {

template <typename Entries>  // const or not
auto* find(Entries& entries, const LedgerEntry& like) {
  const auto at = std::ranges::find_if(entries, [&](const LedgerEntry& e) {
    return e.from == like.from && e.to == like.to && e.by_kernel == like.by_kernel &&
           e.value == like.value;
  });
  return at == entries.end() ? nullptr : std::to_address(at);
}

std::string count(int64_t times, int64_t bytes) {
  return std::to_string(times) + " time(s), " + std::to_string(bytes) + " bytes";
}

std::string where(const LedgerEntry& entry) {
  return (entry.by_kernel ? "by the kernel of '" : "'") + entry.value + "' from " +
         entry.from.str() + " to " + entry.to.str();
}

}  // namespace

void CopyLedger::add(std::vector<LedgerEntry>& entries, LedgerEntry entry) {
  LedgerEntry* known = find(entries, entry);
  if (known == nullptr) {
    entries.push_back(std::move(entry));
  } else {
    known->bytes += entry.bytes;
    known->times += entry.times;
    known->pageable = known->pageable || entry.pageable;
  }
}

void CopyLedger::record(const std::string& value, Device from, Device to, int64_t bytes,
                        bool by_kernel, bool pageable) {
  add(made_, {value, from, to, bytes, 1, by_kernel, pageable});
}

void CopyLedger::expect(const std::string& value, Device from, Device to, int64_t bytes,
                        bool by_kernel) {
  add(planned_, {value, from, to, bytes, 1, by_kernel});
}

void CopyLedger::merge(const CopyLedger& other) {
  for (const LedgerEntry& entry : other.made_) add(made_, entry);
  for (const LedgerEntry& entry : other.planned_) add(planned_, entry);
}

std::vector<LedgerPair> CopyLedger::compared() const {
  std::vector<LedgerPair> out;
  for (const LedgerEntry& entry : planned_) {
    const LedgerEntry* const found = find(made_, entry);
    LedgerPair& pair =
        out.emplace_back(LedgerPair{found == nullptr ? entry : *found, entry.bytes, entry.times});
    if (found == nullptr) pair.made.bytes = pair.made.times = 0;
  }
  for (const LedgerEntry& entry : made_) {
    if (find(planned_, entry) == nullptr) out.push_back({entry, 0, 0});
  }
  return out;
}

std::string CopyLedger::difference() const {
  std::string out;
  for (const LedgerPair& pair : compared()) {
    if (pair.as_planned()) continue;
    const std::string planned = count(pair.planned_times, pair.planned_bytes);
    const std::string made = count(pair.made.times, pair.made.bytes);
    if (pair.made.times == 0) {
      out += "planned but not made: " + where(pair.made) + " (" + planned + "). ";
    } else if (pair.planned_times == 0) {
      out += "made but not planned: " + where(pair.made) + " (" + made + "). ";
    } else {
      out += "copied " + where(pair.made) + " " + made + ", planned " + planned + ". ";
    }
  }
  return out;
}

}  // namespace ferry
