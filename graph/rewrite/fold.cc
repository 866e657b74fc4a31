#include "graph/rewrite/fold.h"

#include <algorithm>

#include "core/convert.h"

namespace ferry {

NodeId sole_producer(const Graph& graph, const std::vector<std::vector<NodeId>>& readers,
                     ValueId value, std::initializer_list<std::string_view> ops) {
  if (value == kNoValue || graph.is_output(value)) return kNoNode;
  if (readers[value].size() != 1) return kNoNode;
  const NodeId producer = graph.value(value).producer;
  if (producer == kNoNode) return kNoNode;
  const bool matches = std::ranges::find(ops, graph.node(producer).op.name()) != ops.end();
  return matches ? producer : kNoNode;
}

std::vector<double> constant_values(const Graph& graph, ValueId id) {
  std::vector<double> out;
  if (id == kNoValue) return out;
  const Tensor& constant = graph.value(id).constant;
  if (!constant.defined() || !is_floating(constant.dtype())) return out;
  out.resize(static_cast<size_t>(constant.numel()));
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = load_as_double(constant.dtype(), constant.data(), static_cast<int64_t>(i));
  }
  return out;
}

ValueId add_constant_values(Graph& graph, std::string_view stem, const std::vector<double>& values,
                            Shape shape, DType dtype) {
  Tensor tensor = Tensor::empty(std::move(shape), dtype);
  for (size_t i = 0; i < values.size(); ++i) {
    store_from_double(dtype, tensor.mutable_data(), static_cast<int64_t>(i), values[i]);
  }
  return graph.add_constant(graph.unique_name(stem), std::move(tensor));
}

void absorb(Graph& graph, NodeId id, NodeId producer, std::vector<bool>& dead) {
  const ValueId output = graph.node(id).outputs[0];
  Node& target = graph.node(producer);
  const Node& absorbed = graph.node(id);
  target.sources.insert(target.sources.end(), absorbed.sources.begin(), absorbed.sources.end());
  dead[id] = true;
  graph.take_over_output(producer, 0, output);
}

}  // namespace ferry
