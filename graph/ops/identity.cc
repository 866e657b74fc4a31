#include "graph/ops/identity.h"

namespace ferry {

bool always_gives_input(const Graph&, const Node&) { return true; }

bool dropout_gives_input(const Graph& graph, const Node& node) {
  if (node.outputs.size() > 1 && node.outputs[1] != kNoValue) return false;
  if (node.inputs.size() < 3 || node.inputs[2] == kNoValue) return true;
  const Tensor& mode = graph.value(node.inputs[2]).constant;
  return mode.defined() && mode.item() == 0;
}

bool same_dtype(const Graph& graph, const Node& node) {
  const DType from = graph.value(node.inputs[0]).type.dtype;
  return from != DType::undefined && from == graph.value(node.outputs[0]).type.dtype;
}

bool same_shape(const Graph& graph, const Node& node) {
  const auto& from = graph.value(node.inputs[0]).type.shape;
  const auto& to = graph.value(node.outputs[0]).type.shape;
  return from && to && *from == *to;
}

bool has_one_input(const Graph&, const Node& node) { return node.inputs.size() == 1; }

bool keeps_order(const Graph&, const Node& node) {
  const auto* permutation = node.attributes.find<std::vector<int64_t>>("perm");
  if (permutation == nullptr || permutation->empty()) return false;
  for (size_t i = 0; i < permutation->size(); ++i) {
    if ((*permutation)[i] != static_cast<int64_t>(i)) return false;
  }
  return true;
}

}  // namespace ferry
