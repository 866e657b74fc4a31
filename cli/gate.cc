#include "cli/gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "cli/text.h"
#include "core/human.h"
#include "ferry/error.h"
#include "ferry/placement.h"

namespace ferry::cli {
namespace {

// ---- what passes a limit --------------------------------------------------------------------
// Each tells how much there is, and returns who makes it up; nothing where the limit is kept.

std::vector<std::string> fallen_back(const Placement& placement, double, std::string& told) {
  std::vector<std::string> offenders;
  std::map<std::string, int> reasons;
  for (const NodePlacement& node : placement.nodes()) {
    if (!placement.fell_back(node)) continue;
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

// The number behind the '>'; nothing where it is none.
std::optional<double> count_of(std::string_view text) {
  const auto count = number<int64_t>(text);
  return count && *count >= 0 ? std::optional(static_cast<double>(*count)) : std::nullopt;
}

std::optional<double> bytes_of(std::string_view text) {
  const std::optional<int64_t> bytes = bytes_from_text(text);
  return bytes ? std::optional(static_cast<double>(*bytes)) : std::nullopt;
}

std::optional<double> share_of(std::string_view text) {
  if (!text.ends_with('%')) return std::nullopt;
  text.remove_suffix(1);
  const auto share = number<double>(text);
  return share && *share >= 0 && *share <= 100 ? share : std::nullopt;
}

struct Word {
  std::string_view name;
  std::vector<std::string> (*offenders)(const Placement&, double, std::string&);
  std::optional<double> (*amount)(std::string_view text);  // nullptr: the word stands alone
};
constexpr Word kWords[] = {{"fallback", fallen_back, nullptr},
                           {"copies", too_many_copies, count_of},
                           {"bytes", too_many_bytes, bytes_of},
                           {"cpu_flops", too_much_arithmetic, share_of}};

[[noreturn]] void refuse(const std::string& limit) {
  std::vector<std::string> names;
  for (const Word& word : kWords) names.emplace_back(word.name);
  throw Error(ErrorCode::invalid_argument,
              "'" + limit +
                  "' is no limit: expected fallback, copies>N, bytes>N or cpu_flops>P%, as in "
                  "--fail-on 'fallback,bytes>1MiB'." +
                  suggestion(limit.substr(0, limit.find('>')), names));
}

Limit limit_of(const std::string& text) {
  for (const Word& word : kWords) {
    if (word.amount == nullptr) {
      if (text == word.name) return {text, word.offenders, 0};
    } else if (text.starts_with(std::string(word.name) + ">")) {
      const auto amount = word.amount(std::string_view(text).substr(word.name.size() + 1));
      if (!amount) refuse(text);
      return {text, word.offenders, *amount};
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
