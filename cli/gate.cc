#include "cli/gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <span>

#include "cli/text.h"
#include "ferry/error.h"
#include "placement/diff.h"

namespace ferry::cli {
namespace {

// ---- what passes a limit --------------------------------------------------------------------
// Each tells how much there is, and returns who makes it up; nothing where the limit is kept.

std::vector<std::string> fallen_back(const Placement& placement, double, std::string& told) {
  std::vector<std::string> offenders;
  std::map<std::string, int> reasons;
  for (const NodePlacement& node : placement.nodes()) {
    if (!fell_back(*placement.data(), node)) continue;
    ++reasons[node.reason];
    offenders.push_back(fmt::format("{} ({}, {})", node.name, node.op, node.reason));
  }
  for (const auto& [reason, count] : reasons) {
    told += fmt::format("{}{} {}", told.empty() ? "" : ", ", count, reason);
  }
  told += " on the CPU";
  return offenders;
}

// The copies of a run, largest first.
std::vector<std::string> copies_of_run(const Placement& placement) {
  std::vector<const CopyPlacement*> copies;
  for (const CopyPlacement& copy : placement.copies()) {
    if (copy.when != "load") copies.push_back(&copy);
  }
  std::ranges::stable_sort(copies, std::greater<>(), [](const CopyPlacement* copy) {
    return static_cast<double>(copy->bytes.value) * static_cast<double>(copy->times);
  });
  std::vector<std::string> out;
  for (const CopyPlacement* copy : copies) {
    const bool open = copy->bytes.expression == "?";
    out.push_back(fmt::format("{} {} -> {} ({}{})", copy->value, copy->from.str(), copy->to.str(),
                              open ? "data decides" : human_bytes(copy->bytes.value),
                              copy->when == "trip" ? " a trip" : ""));
  }
  return out;
}

std::vector<std::string> too_many_copies(const Placement& placement, double most,
                                         std::string& told) {
  const int count = placement.run_copies().count;
  told = fmt::format("{} per run", count);
  return count <= most ? std::vector<std::string>() : copies_of_run(placement);
}

std::vector<std::string> too_many_bytes(const Placement& placement, double most,
                                        std::string& told) {
  const RunCopies copies = placement.run_copies();
  told = fmt::format("{} per run{}", copies.bytes(),
                     copies.open ? ", and more that only data or trips decide" : "");
  const bool kept = static_cast<double>(copies.bytes()) <= most && !copies.open;
  return kept ? std::vector<std::string>() : copies_of_run(placement);
}

std::vector<std::string> too_much_arithmetic(const Placement& placement, double most,
                                             std::string& told) {
  double here = 0, all = 0;
  std::vector<const NodePlacement*> nodes;
  for (const NodePlacement& node : placement.nodes()) {
    if (node.reason == "host_value") continue;
    all += node.flops;
    if (!node.device.is_cpu() || node.flops == 0) continue;
    here += node.flops;
    nodes.push_back(&node);
  }
  const double share = all == 0 ? 0 : 100 * here / all;
  told = fmt::format("{:.3g}% of {:.3g} operations", share, all);
  std::vector<std::string> offenders;
  if (share <= most) return offenders;
  std::ranges::stable_sort(nodes, std::greater<>(), &NodePlacement::flops);
  for (const NodePlacement* node : nodes) {
    offenders.push_back(
        fmt::format("{} ({}, {:.3g}%)", node->name, node->op, 100 * node->flops / all));
  }
  return offenders;
}

// ---- the words ----------------------------------------------------------------------------------

struct Unit {
  std::string_view text;
  double factor;
};
constexpr Unit kCounts[] = {{"", 1}};
constexpr Unit kBytes[] = {{"", 1}, {"B", 1}, {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30}};
constexpr Unit kShares[] = {{"%", 1}};

struct Word {
  std::string_view name;
  std::vector<std::string> (*offenders)(const Placement&, double, std::string&);
  std::span<const Unit> units;  // none: the word stands alone
  double most;                  // the largest number that makes sense
};
constexpr Word kWords[] = {{"fallback", fallen_back, {}, 0},
                           {"copies", too_many_copies, kCounts, 0x1p31},
                           {"bytes", too_many_bytes, kBytes, 0x1p62},
                           {"cpu_flops", too_much_arithmetic, kShares, 100}};

[[noreturn]] void refuse(const std::string& limit) {
  std::vector<std::string> names;
  for (const Word& word : kWords) names.emplace_back(word.name);
  throw Error(ErrorCode::invalid_argument,
              "'" + limit +
                  "' is no limit: expected fallback, copies>N, bytes>N or cpu_flops>P%, as in "
                  "--fail-on 'fallback,bytes>1MiB'." +
                  suggestion(limit.substr(0, limit.find('>')), names));
}

// The number behind the '>' of a limit.
double amount_of(const std::string& limit, const Word& word) {
  const char* const first = limit.data() + word.name.size() + 1;
  const char* const last = limit.data() + limit.size();
  double amount = 0;
  const auto [end, error] = std::from_chars(first, last, amount, std::chars_format::fixed);
  const auto unit = std::ranges::find(word.units, std::string_view(end, last), &Unit::text);
  // Only shares come in parts.
  const bool whole = word.units.data() == kShares ||
                     std::string_view(first, end).find('.') == std::string_view::npos;
  if (error != std::errc() || !(amount >= 0) || unit == word.units.end() || !whole ||
      amount * unit->factor > word.most) {
    refuse(limit);
  }
  return amount * unit->factor;
}

Limit limit_of(const std::string& text) {
  for (const Word& word : kWords) {
    if (word.units.empty() ? text == word.name : text.starts_with(std::string(word.name) + ">")) {
      return {text, word.offenders, word.units.empty() ? 0 : amount_of(text, word)};
    }
  }
  refuse(text);
}

std::string some_of(const std::vector<std::string>& names) {
  constexpr size_t kShown = 3;
  std::string out;
  for (size_t i = 0; i < std::min(kShown, names.size()); ++i) {
    out += (i > 0 ? ", " : "") + names[i];
  }
  if (names.size() > kShown) out += fmt::format(" and {} more", names.size() - kShown);
  return out;
}

}  // namespace

std::vector<Limit> parse_limits(const std::string& text) {
  std::vector<Limit> limits;
  for (size_t start = 0; start <= text.size();) {
    const size_t end = std::min(text.find(',', start), text.size());
    limits.push_back(limit_of(text.substr(start, end - start)));
    start = end + 1;
  }
  return limits;
}

std::vector<std::string> passed_limits(const Placement& placement,
                                       const std::vector<Limit>& limits) {
  std::vector<std::string> out;
  for (const Limit& limit : limits) {
    std::string told;
    const std::vector<std::string> offenders = limit.offenders(placement, limit.most, told);
    if (offenders.empty()) continue;
    out.push_back(fmt::format("{}: {}: {}", limit.text, told, some_of(offenders)));
  }
  return out;
}

}  // namespace ferry::cli
