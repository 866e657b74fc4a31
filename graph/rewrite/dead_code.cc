#include <algorithm>

#include "graph/rewrite/rewrite.h"

// Dead code:
//  1. A node is removed when none of its outputs is read, or when every output that is read was
//     folded to a constant. No ONNX operator has an effect besides its outputs.
//  2. A capture that no body reads is dropped.
namespace ferry {
namespace {

// How often each value is read, by nodes and as an output.
std::vector<int> count_reads(const Graph& graph) {
  std::vector<int> reads(static_cast<size_t>(graph.value_count()), 0);
  for (const NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    for (const auto* list : {&node.inputs, &node.captures}) {
      for (const ValueId value : *list) {
        if (value != kNoValue) ++reads[value];
      }
    }
  }
  for (const ValueId value : graph.outputs()) ++reads[value];
  return reads;
}

bool drop_unread_captures(Node& node) {
  std::vector<std::vector<int>> reads;
  for (const auto& body : node.bodies) reads.push_back(count_reads(*body));
  std::vector<ValueId> kept;
  std::vector<std::vector<ValueId>> inner(node.bodies.size());
  for (size_t i = 0; i < node.captures.size(); ++i) {
    bool is_read = false;
    for (size_t b = 0; b < node.bodies.size(); ++b) {
      is_read = is_read || reads[b][node.bodies[b]->captures()[i]] > 0;
    }
    if (!is_read) continue;
    kept.push_back(node.captures[i]);
    for (size_t b = 0; b < node.bodies.size(); ++b) {
      inner[b].push_back(node.bodies[b]->captures()[i]);
    }
  }
  if (kept.size() == node.captures.size()) return false;
  node.captures = std::move(kept);
  for (size_t b = 0; b < node.bodies.size(); ++b) node.bodies[b]->set_captures(inner[b]);
  return true;
}

}  // namespace

bool remove_dead_code(Graph& graph) {
  bool changed = false;
  for (const NodeId id : graph.order()) {
    Node& node = graph.node(id);
    for (const auto& body : node.bodies) changed |= remove_dead_code(*body);
    if (!node.bodies.empty()) changed |= drop_unread_captures(node);
  }
  std::vector<int> reads = count_reads(graph);
  std::vector<bool> dead(static_cast<size_t>(graph.node_capacity()), false);
  for (auto it = graph.order().rbegin(); it != graph.order().rend(); ++it) {
    const Node& node = graph.node(*it);
    const bool needed = std::ranges::any_of(node.outputs, [&](ValueId id) {
      return id != kNoValue && reads[id] > 0 && !graph.value(id).is_constant();
    });
    if (needed) continue;
    dead[*it] = changed = true;
    for (const auto* list : {&node.inputs, &node.captures}) {
      for (const ValueId value : *list) {
        if (value != kNoValue) --reads[value];
      }
    }
  }
  graph.remove_nodes(dead);
  return changed;
}

}  // namespace ferry
