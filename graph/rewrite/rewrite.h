#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"

// Device-neutral changes of the graph that keep what it computes. One file a rule; each starts with
// the rule in numbered sentences. Bodies are rewritten too.
namespace ferry {

struct Rewrite {
  std::string_view name;
  // True when it changed something.
  bool (*apply)(Graph& graph);
};

// In the order in which they run.
std::span<const Rewrite> rewrites();

// Runs all rewrites but those named in `disabled`, verifying after each. Throws Error
// invalid_argument for a name that is no rewrite.
void rewrite(Graph& graph, const std::vector<std::string>& disabled = {});

bool remove_dead_code(Graph& graph);
bool remove_identities(Graph& graph);
bool share_common_subexpressions(Graph& graph);
bool fold_batch_normalization(Graph& graph);
bool fold_bias(Graph& graph);
bool fold_activation(Graph& graph);

}  // namespace ferry
