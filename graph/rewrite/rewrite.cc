#include "graph/rewrite/rewrite.h"

#include <algorithm>

#include "core/nearest.h"
#include "ferry/error.h"

namespace ferry {

std::span<const Rewrite> rewrites() {
  static constexpr Rewrite kRewrites[] = {
      {"identity", remove_identities},
      {"common_subexpressions", share_common_subexpressions},
      {"batch_normalization", fold_batch_normalization},
      {"bias", fold_bias},
      {"activation", fold_activation},
      {"dead_code", remove_dead_code},
  };
  return kRewrites;
}

void rewrite(Graph& graph, const std::vector<std::string>& disabled) {
  std::vector<std::string> names;
  for (const Rewrite& rule : rewrites()) names.emplace_back(rule.name);
  for (const std::string& name : disabled) {
    if (std::ranges::find(names, name) == names.end()) {
      throw Error(ErrorCode::invalid_argument,
                  "there is no rewrite named '" + name + "'." + did_you_mean(name, names));
    }
  }
  for (const Rewrite& rule : rewrites()) {
    if (std::ranges::find(disabled, rule.name) != disabled.end()) continue;
    rule.apply(graph);
    verify(graph, rule.name);
  }
}

}  // namespace ferry
