#include "executor/ledger.h"

#include <algorithm>

namespace ferry {
namespace {

LedgerEntry* find(std::vector<LedgerEntry>& entries, const std::string& value, Device from,
                  Device to) {
  const auto at = std::ranges::find_if(entries, [&](const LedgerEntry& e) {
    return e.from == from && e.to == to && e.value == value;
  });
  return at == entries.end() ? nullptr : &*at;
}

std::string count(const LedgerEntry& entry) {
  return std::to_string(entry.times) + " time(s), " + std::to_string(entry.bytes) + " bytes";
}

std::string where(const LedgerEntry& entry) {
  return "'" + entry.value + "' from " + entry.from.str() + " to " + entry.to.str();
}

}  // namespace

void CopyLedger::add(std::vector<LedgerEntry>& entries, const std::string& value, Device from,
                     Device to, size_t bytes) {
  LedgerEntry* entry = find(entries, value, from, to);
  if (entry == nullptr) entry = &entries.emplace_back(LedgerEntry{value, from, to, 0, 0});
  entry->bytes += static_cast<int64_t>(bytes);
  ++entry->times;
}

void CopyLedger::record(const std::string& value, Device from, Device to, size_t bytes) {
  add(made_, value, from, to, bytes);
}

void CopyLedger::expect(const std::string& value, Device from, Device to, size_t bytes) {
  add(planned_, value, from, to, bytes);
}

std::string CopyLedger::difference() const {
  std::string out;
  auto made = made_;
  for (const LedgerEntry& planned : planned_) {
    LedgerEntry* entry = find(made, planned.value, planned.from, planned.to);
    if (entry == nullptr) {
      out += "planned but not made: " + where(planned) + " (" + count(planned) + "). ";
    } else if (entry->times != planned.times || entry->bytes != planned.bytes) {
      out +=
          "copied " + where(planned) + " " + count(*entry) + ", planned " + count(planned) + ". ";
    }
  }
  auto planned = planned_;
  for (const LedgerEntry& entry : made_) {
    if (find(planned, entry.value, entry.from, entry.to) == nullptr) {
      out += "made but not planned: " + where(entry) + " (" + count(entry) + "). ";
    }
  }
  return out;
}

}  // namespace ferry
