#include <utility>
#include <vector>

#include "graph/rewrite/rewrite.h"

// Identities: a node that gives its first input unchanged is bypassed.
//  1. OpRule::gives_input says which nodes do (graph/ops/identity.h).
//  2. Its readers read its input instead.
//  3. A graph output keeps its node when its input is a graph input, a constant, or an output
//     itself: outputs have names and memory of their own.
namespace ferry {
namespace {

bool gives_input(const Graph& graph, const Node& node) {
  const auto rule = node.op.rule().gives_input;
  if (rule == nullptr || node.inputs.empty()) return false;
  return node.inputs[0] != kNoValue && node.outputs[0] != kNoValue && rule(graph, node);
}

// Which value readers of each value shall read.
class Replacements {
 public:
  explicit Replacements(const Graph& graph)
      : next_(static_cast<size_t>(graph.value_count()), kNoValue) {}

  // `from` has no replacement yet, and none leads from `to` to it.
  void set(ValueId from, ValueId to) { next_[from] = to; }

  ValueId of(ValueId value) {
    ValueId last = value;
    while (next_[last] != kNoValue) last = next_[last];
    while (next_[value] != kNoValue) value = std::exchange(next_[value], last);
    return last;
  }

  void apply(Graph& graph) {
    for (const NodeId id : graph.order()) {
      Node& node = graph.node(id);
      for (auto* list : {&node.inputs, &node.captures}) {
        for (ValueId& value : *list) {
          if (value != kNoValue) value = of(value);
        }
      }
    }
  }

 private:
  std::vector<ValueId> next_;
};

}  // namespace

bool remove_identities(Graph& graph) {
  bool changed = false;
  Replacements replacements(graph);
  std::vector<bool> dead(static_cast<size_t>(graph.node_capacity()), false);
  for (const NodeId id : graph.order()) {
    Node& node = graph.node(id);
    for (const auto& body : node.bodies) changed |= remove_identities(*body);
    if (!node.inputs.empty() && node.inputs[0] != kNoValue) {
      node.inputs[0] = replacements.of(node.inputs[0]);
    }
    if (!gives_input(graph, node)) continue;
    const ValueId in = node.inputs[0], out = node.outputs[0];
    const bool is_own = graph.value(in).producer != kNoNode && !graph.is_output(in);
    if (graph.is_output(out)) {
      if (!is_own) continue;
      // The output keeps its name: the producer writes it directly.
      const NodeId producer = graph.value(in).producer;
      const auto port = static_cast<size_t>(graph.value(in).producer_output);
      replacements.set(in, out);
      graph.take_over_output(producer, port, out);
    } else {
      replacements.set(out, in);
    }
    dead[id] = changed = true;
  }
  graph.remove_nodes(dead);
  replacements.apply(graph);
  return changed;
}

}  // namespace ferry
