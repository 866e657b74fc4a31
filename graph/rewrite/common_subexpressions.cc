#include <algorithm>
#include <map>

#include "graph/registered.h"
#include "graph/rewrite/rewrite.h"

// Common subexpressions:
//  1. Two nodes with the same operator, inputs and attributes give the same outputs; the readers of
//     the later one read the earlier one's outputs.
//  2. Not for operators that are not deterministic, for Dropout, and for operators with bodies, and
//     not when the later node writes a graph output or the earlier one lacks an output that the
//     later one has.
namespace ferry {
namespace {

bool is_unique(const Node& node) { return node.op == "Dropout" || !is_deterministic(node.op); }

bool may_share(const Graph& graph, const Node& earlier, const Node& later) {
  if (!(earlier.attributes == later.attributes)) return false;
  if (earlier.outputs.size() < later.outputs.size()) return false;
  for (size_t i = 0; i < later.outputs.size(); ++i) {
    if (later.outputs[i] == kNoValue) continue;
    if (earlier.outputs[i] == kNoValue || graph.is_output(later.outputs[i])) return false;
  }
  return true;
}

}  // namespace

bool share_common_subexpressions(Graph& graph) {
  bool changed = false;
  std::map<std::pair<std::string, std::vector<ValueId>>, std::vector<NodeId>> seen;
  const std::vector<NodeId> order = graph.order();
  for (const NodeId id : order) {
    for (const auto& body : graph.node(id).bodies) changed |= share_common_subexpressions(*body);
    const Node& node = graph.node(id);
    if (!node.bodies.empty() || node.inputs.empty() || is_unique(node)) continue;
    auto& candidates = seen[{node.op, node.inputs}];
    const auto twin = std::ranges::find_if(
        candidates, [&](NodeId other) { return may_share(graph, graph.node(other), node); });
    if (twin == candidates.end()) {
      candidates.push_back(id);
      continue;
    }
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != kNoValue) {
        graph.replace_uses(node.outputs[i], graph.node(*twin).outputs[i]);
      }
    }
    graph.remove_node(id);
    changed = true;
  }
  return changed;
}

}  // namespace ferry
