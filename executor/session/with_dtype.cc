#include <vector>

#include "core/type_set.h"
#include "executor/run/evaluator.h"
#include "executor/session/model_impl.h"
#include "graph/infer.h"

// Converting a model to another floating type:
//  1. Weights, inputs, and tensors in attributes become `dtype`. Float8 and float4 are not
//  converted:
//     they are how weights are stored, and their scales say what they widen to.
//  2. A node that names a floating type as its result (Cast, ConstantOfShape, ...) names `dtype`.
//  3. Inputs that ONNX fixes to float32 whatever the data is (OpRule::fixed_float32) stay: weights
//     and inputs of the model that nothing else reads as they are, other values through a Cast.
//  4. Integers and bools stay.
// Types of all other values are inferred again.
namespace ferry {
namespace {

bool converts(DType dtype) { return kFloatTypes.contains(dtype); }

// Values without a producer that only inputs fixed to float32 read.
std::vector<bool> fixed_values(const Graph& graph, bool is_body) {
  const auto count = static_cast<size_t>(graph.value_count());
  std::vector<bool> fixed(count), free(count);
  const auto add = [](std::vector<bool>& to, const std::vector<ValueId>& values) {
    for (const ValueId id : values) {
      if (id != kNoValue) to[id] = true;
    }
  };
  for (const NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    const Ports ports = node.op.rule().fixed_float32;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      add(ports.contains(static_cast<int>(i)) ? fixed : free, {node.inputs[i]});
    }
    add(free, node.captures);
    add(free, node.outputs);
  }
  add(free, graph.outputs());
  add(free, graph.captures());
  if (is_body) add(free, graph.inputs());  // their types come from outside
  for (size_t i = 0; i < count; ++i) fixed[i] = fixed[i] && !free[i];
  return fixed;
}

// Gives inputs that are fixed to float32, and read another value than `fixed`, a Cast.
void cast_fixed_inputs(Graph& graph, const std::vector<bool>& fixed) {
  const std::vector<NodeId> order = graph.order();
  for (const NodeId id : order) {
    const Ports ports = graph.node(id).op.rule().fixed_float32;
    for (size_t i = 0; i < graph.node(id).inputs.size(); ++i) {
      const ValueId value = graph.node(id).inputs[i];
      if (value == kNoValue || !ports.contains(static_cast<int>(i))) continue;
      if (fixed[value]) continue;
      Node cast{.op = "Cast",
                .name = graph.unique_name(graph.node(id).name + "/float32"),
                .inputs = {value}};
      cast.attributes.set("to", static_cast<int64_t>(float32));
      cast.attributes.set("saturate", int64_t{1});
      cast.attributes.set("round_mode", std::string("up"));
      const ValueId output = graph.add_value({.name = cast.name});
      cast.outputs = {output};
      graph.add_node_before(id, std::move(cast));
      graph.node(id).inputs[i] = output;
    }
  }
}

void convert_attributes(Node& node, DType dtype) {
  const auto items = node.attributes.items();
  for (const auto& [name, value] : items) {
    if (const auto* tensor = std::get_if<Tensor>(&value); tensor && converts(tensor->dtype())) {
      node.attributes.set(name, tensor->to(dtype));
    }
    const auto* number = std::get_if<int64_t>(&value);
    const bool names_type =
        name == "to" || name == "dtype" || name == "output_dtype" || name == "output_datatype";
    if (number != nullptr && names_type && converts(static_cast<DType>(*number))) {
      node.attributes.set(name, static_cast<int64_t>(dtype));
    }
  }
}

void convert_graph(Graph& graph, DType dtype, bool is_body) {
  const std::vector<bool> fixed = fixed_values(graph, is_body);
  for (ValueId id = 0; id < graph.value_count(); ++id) {
    Value& value = graph.value(id);
    if (fixed[id]) continue;
    if (value.is_constant() && converts(value.constant.dtype())) {
      value.constant = value.constant.to(dtype);
    }
    if (converts(value.type.dtype)) value.type.dtype = dtype;
    if (value.producer != kNoNode) value.type = Type{};
  }
  for (const NodeId id : graph.order()) {
    convert_attributes(graph.node(id), dtype);
    for (const auto& body : graph.node(id).bodies) convert_graph(*body, dtype, /*is_body=*/true);
  }
  if (dtype != float32) cast_fixed_inputs(graph, fixed);
}

}  // namespace

Graph with_dtype(const Graph& graph, DType dtype) {
  Graph out = clone(graph);
  convert_graph(out, dtype, /*is_body=*/false);
  KernelEvaluator evaluator;
  InferOptions options;
  options.evaluator = &evaluator;
  infer(out, options);
  verify(out, "with_dtype");
  return out;
}

}  // namespace ferry
