#include "placement/solve/rules.h"

#include <algorithm>
#include <utility>

#include "core/nearest.h"
#include "ferry/error.h"

namespace ferry {
namespace {

using Target = PlacementRule::Target;

constexpr std::pair<std::string_view, Target> kTargets[] = {{"node:", Target::node},
                                                            {"op:", Target::op},
                                                            {"subgraph:", Target::subgraph},
                                                            {"tensor:", Target::tensor}};

[[noreturn]] void refuse(const std::string& message) {
  throw Error(ErrorCode::invalid_argument, message);
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\n");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\n") - first + 1);
}

// "op:Softmax", "enc*".
void set_target(PlacementRule& rule, std::string_view text) {
  for (const auto& [prefix, target] : kTargets) {
    if (!text.starts_with(prefix)) continue;
    rule.target = target;
    text.remove_prefix(prefix.size());
    break;
  }
  rule.pattern = text;
}

bool is_literal(std::string_view pattern) { return pattern.find_first_of("*?\\") == pattern.npos; }

// What a pattern without wildcards names; nullopt for those with.
std::optional<std::string> literal_of(std::string_view pattern) {
  if (is_literal(pattern)) return std::string(pattern);
  std::string out;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '*' || pattern[i] == '?') return std::nullopt;
    if (pattern[i] == '\\' && i + 1 < pattern.size()) ++i;
    out += pattern[i];
  }
  return out;
}

}  // namespace

bool matches_glob(std::string_view pattern, std::string_view text) {
  // Goes back to the last '*' and lets it take one more; earlier ones never need to.
  size_t p = 0, t = 0, star = pattern.npos, resume = 0;
  for (;;) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = ++p;
      resume = t;
      continue;
    }
    if (p == pattern.size() && t == text.size()) return true;
    if (p < pattern.size() && t < text.size()) {
      const bool escaped = pattern[p] == '\\' && p + 1 < pattern.size();
      const char wanted = pattern[escaped ? p + 1 : p];
      if ((!escaped && wanted == '?') || wanted == text[t]) {
        p += escaped ? 2 : 1;
        ++t;
        continue;
      }
    }
    if (star == pattern.npos || resume == text.size()) return false;
    p = star;
    t = ++resume;
  }
}

std::string literal_glob(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '*' || c == '?' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

PlacementRule PlacementRule::parse(std::string_view text) {
  PlacementRule rule;
  rule.text = text;
  const size_t equals = text.rfind('=');
  if (equals == text.npos || trimmed(text.substr(0, equals)).empty()) {
    refuse("'" + rule.text +
           "' is no rule: expected PATTERN=DEVICE, as in 'enc*=cuda:0', 'op:Softmax=cpu', "
           "'subgraph:/loop=cpu' or 'tensor:logits=cpu'.");
  }
  set_target(rule, trimmed(text.substr(0, equals)));
  if (rule.pattern.empty()) refuse("'" + rule.text + "' names nothing before the '='.");
  rule.device = Device(trimmed(text.substr(equals + 1)));
  return rule;
}

std::vector<PlacementRule> PlacementRule::parse_list(std::string_view text) {
  const std::string whole(text);
  const auto malformed = [&](const std::string& what) {
    refuse("'" + whole + "': " + what +
           ". Expected DEVICE(PATTERN, ...); ..., as in 'cuda:0(enc*, op:Conv); cpu(*)'.");
  };
  std::vector<PlacementRule> out;
  while (!trimmed(text).empty()) {
    text = trimmed(text);
    const size_t open = text.find('('), close = text.find(')');
    if (open == text.npos || close == text.npos || close < open) {
      malformed("'" + std::string(text) + "' has no pattern in brackets");
    }
    const Device device(trimmed(text.substr(0, open)));
    std::string_view patterns = text.substr(open + 1, close - open - 1);
    for (bool more = true; more;) {
      const size_t comma = std::min(patterns.find(','), patterns.size());
      PlacementRule rule;
      set_target(rule, trimmed(patterns.substr(0, comma)));
      if (rule.pattern.empty()) malformed("a pattern of " + device.str() + " is empty");
      rule.device = device;
      rule.yields = true;
      rule.text = std::string(trimmed(patterns.substr(0, comma))) + "=" + device.str();
      out.push_back(std::move(rule));
      more = comma < patterns.size();
      if (more) patterns.remove_prefix(comma + 1);
    }
    text = trimmed(text.substr(close + 1));
    if (text.empty()) break;
    if (text[0] != ';') malformed("after ')' comes ';', not '" + std::string(text) + "'");
    text.remove_prefix(1);
  }
  if (out.empty()) malformed("it has no rule");
  return out;
}

Rules::Rules(const std::vector<PlacementRule>& rules)
    : rules_(rules), taken_(rules.size(), 0), matched_(rules.size(), false) {
  for (size_t i = 0; i < rules.size(); ++i) {
    Names& names = names_[rules[i].target];
    if (const auto literal = literal_of(rules[i].pattern)) {
      names.literal[*literal].push_back(i);
    } else {
      names.globs.push_back(i);
    }
  }
}

void Rules::collect(Target target, std::string_view text, std::vector<size_t>& found) {
  const auto at = names_.find(target);
  if (at == names_.end()) return;
  Names& names = at->second;
  if (const auto rules = names.literal.find(text); rules != names.literal.end()) {
    found.insert(found.end(), rules->second.begin(), rules->second.end());
  }
  for (const size_t i : names.globs) {
    if (matches_glob(rules_[i].pattern, text)) found.push_back(i);
  }
  names.asked.emplace_back(text);
}

bool Rules::is_path(const Graph& graph, const std::string& name) {
  if (!names_.contains(Target::node)) return false;
  const auto [known, is_new] = paths_.try_emplace(&graph);
  if (is_new) {
    for (const NodeId id : graph.order()) known->second.insert(graph.node(id).name);
  }
  return known->second.contains(name);
}

const PlacementRule* Rules::of(const Graph& graph, const Node& node,
                               const std::vector<std::string>& owners) {
  if (rules_.empty()) return nullptr;
  std::vector<size_t> found;
  collect(Target::node, node.name, found);
  for (const std::string& source : node.sources) {
    if (source != node.name && !is_path(graph, source)) collect(Target::node, source, found);
  }
  collect(Target::op, node.op, found);
  for (const std::string& owner : owners) collect(Target::subgraph, owner, found);
  for (const ValueId output : node.outputs) {
    if (output != kNoValue) collect(Target::tensor, graph.value(output).name, found);
  }
  std::ranges::sort(found);
  found.erase(std::unique(found.begin(), found.end()), found.end());
  const PlacementRule* first = nullptr;
  for (const size_t i : found) {
    matched_[i] = true;
    const PlacementRule& rule = rules_[i];
    if (first == nullptr) {
      first = &rule;
    } else if (!rule.yields && rule.device != first->device) {
      throw Error(ErrorCode::placement,
                  "two rules disagree: '" + first->text + "' and '" + rule.text +
                      "'. Narrow one of them, or write both in one --assign list, in which the "
                      "first that matches wins.")
          .with_node(node.name, node.op);
    }
    if (first == &rule || !rule.yields) ++taken_[i];
  }
  return first;
}

std::vector<RuleMatch> Rules::matches() const {
  std::vector<RuleMatch> out;
  for (size_t i = 0; i < rules_.size(); ++i) {
    if (!matched_[i]) {
      const Names& names = names_.at(rules_[i].target);
      std::string_view kind;
      for (const auto& [prefix, target] : kTargets) {
        if (target == rules_[i].target) kind = prefix.substr(0, prefix.size() - 1);
      }
      throw Error(ErrorCode::placement, "the rule '" + rules_[i].text + "' matches no " +
                                            std::string(kind) + " of the model." +
                                            did_you_mean(rules_[i].pattern, names.asked));
    }
    out.push_back({rules_[i].text, rules_[i].device, taken_[i]});
  }
  return out;
}

}  // namespace ferry
