#include "executor/ledger.h"

#include <algorithm>

namespace ferry {
namespace {

LedgerEntry* find(std::vector<LedgerEntry>& entries, const LedgerEntry& like) {
  const auto at = std::ranges::find_if(entries, [&](const LedgerEntry& e) {
    return e.from == like.from && e.to == like.to && e.by_kernel == like.by_kernel &&
           e.value == like.value;
  });
  return at == entries.end() ? nullptr : &*at;
}

std::string count(const LedgerEntry& entry) {
  return std::to_string(entry.times) + " time(s), " + std::to_string(entry.bytes) + " bytes";
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
  }
}

void CopyLedger::record(const std::string& value, Device from, Device to, int64_t bytes,
                        bool by_kernel) {
  add(made_, {value, from, to, bytes, 1, by_kernel});
}

void CopyLedger::expect(const std::string& value, Device from, Device to, int64_t bytes,
                        bool by_kernel) {
  add(planned_, {value, from, to, bytes, 1, by_kernel});
}

void CopyLedger::merge(const CopyLedger& other) {
  for (const LedgerEntry& entry : other.made_) add(made_, entry);
  for (const LedgerEntry& entry : other.planned_) add(planned_, entry);
}

std::string CopyLedger::difference() const {
  std::string out;
  auto made = made_;
  for (const LedgerEntry& planned : planned_) {
    LedgerEntry* entry = find(made, planned);
    if (entry == nullptr) {
      out += "planned but not made: " + where(planned) + " (" + count(planned) + "). ";
    } else if (entry->times != planned.times || entry->bytes != planned.bytes) {
      out +=
          "copied " + where(planned) + " " + count(*entry) + ", planned " + count(planned) + ". ";
    }
  }
  auto planned = planned_;
  for (const LedgerEntry& entry : made_) {
    if (find(planned, entry) == nullptr) {
      out += "made but not planned: " + where(entry) + " (" + count(entry) + "). ";
    }
  }
  return out;
}

}  // namespace ferry
