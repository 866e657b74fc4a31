#include <algorithm>
#include <map>

#include "graph/rewrite/rewrite.h"

// Common subexpressions:
//  1. Two nodes with the same operator, inputs and attributes give the same outputs; the readers of
//     the later one read the earlier one's outputs.
//  2. Not for operators that are random, and for operators with bodies, and not when the later node
//     writes a graph output or the earlier one lacks an output that the later one has.
namespace ferry {
namespace {

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
  // Values whose readers read another: all of them come later in the order.
  std::vector<ValueId> replaced(static_cast<size_t>(graph.value_count()), kNoValue);
  std::vector<bool> dead(static_cast<size_t>(graph.node_capacity()), false);
  for (const NodeId id : graph.order()) {
    Node& node = graph.node(id);
    for (auto* list : {&node.inputs, &node.captures}) {
      for (ValueId& value : *list) {
        if (value != kNoValue && replaced[value] != kNoValue) value = replaced[value];
      }
    }
    for (const auto& body : node.bodies) changed |= share_common_subexpressions(*body);
    if (!node.bodies.empty() || node.inputs.empty() || node.op.rule().random) continue;
    auto& candidates = seen[{node.op, node.inputs}];
    const auto twin = std::ranges::find_if(
        candidates, [&](NodeId other) { return may_share(graph, graph.node(other), node); });
    if (twin == candidates.end()) {
      candidates.push_back(id);
      continue;
    }
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != kNoValue) {
        replaced[node.outputs[i]] = graph.node(*twin).outputs[i];
      }
    }
    dead[id] = changed = true;
  }
  graph.remove_nodes(dead);
  return changed;
}

}  // namespace ferry
