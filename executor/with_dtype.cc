#include <algorithm>
#include <array>

#include "executor/evaluator.h"
#include "executor/model_impl.h"
#include "graph/infer.h"

// Converting a model to another floating type:
//  1. Floating weights, inputs, and tensors in attributes become `dtype`.
//  2. A node that names a floating type as its result (Cast, ConstantOfShape, ...) names `dtype`.
//  3. Inputs that ONNX fixes to float32 whatever the data is (Resize's roi and scales) stay.
//  4. Integers and bools stay.
// Types of all other values are inferred again.
namespace ferry {
namespace {

struct FixedPort {
  std::string_view op;
  size_t port;
};
constexpr std::array<FixedPort, 2> kFixedFloat32{{{"Resize", 1}, {"Resize", 2}}};

bool is_fixed(const Graph& graph, ValueId id) {
  for (const NodeId node_id : graph.order()) {
    const Node& node = graph.node(node_id);
    for (const FixedPort& fixed : kFixedFloat32) {
      if (node.op == fixed.op && fixed.port < node.inputs.size() && node.inputs[fixed.port] == id) {
        return true;
      }
    }
  }
  return false;
}

void convert_attributes(Node& node, DType dtype) {
  const auto items = node.attributes.items();
  for (const auto& [name, value] : items) {
    if (const auto* tensor = std::get_if<Tensor>(&value); tensor && is_floating(tensor->dtype())) {
      node.attributes.set(name, tensor->to(dtype));
    }
    const auto* number = std::get_if<int64_t>(&value);
    if (number != nullptr && (name == "to" || name == "dtype") &&
        is_floating(static_cast<DType>(*number))) {
      node.attributes.set(name, static_cast<int64_t>(dtype));
    }
  }
}

void convert_graph(Graph& graph, DType dtype) {
  for (ValueId id = 0; id < graph.value_count(); ++id) {
    Value& value = graph.value(id);
    if (is_fixed(graph, id)) continue;
    if (value.is_constant() && is_floating(value.constant.dtype())) {
      value.constant = value.constant.to(dtype);
    }
    if (is_floating(value.type.dtype)) value.type.dtype = dtype;
    if (value.producer != kNoNode) value.type = Type{};
  }
  for (const NodeId id : graph.order()) {
    convert_attributes(graph.node(id), dtype);
    for (const auto& body : graph.node(id).bodies) convert_graph(*body, dtype);
  }
}

}  // namespace

Graph with_dtype(const Graph& graph, DType dtype) {
  Graph out = clone(graph);
  convert_graph(out, dtype);
  KernelEvaluator evaluator;
  InferOptions options;
  options.evaluator = &evaluator;
  infer(out, options);
  verify(out, "with_dtype");
  return out;
}

}  // namespace ferry
