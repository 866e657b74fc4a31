#include <gtest/gtest.h>

#include "ferry/error.h"
#include "graph/infer.h"

// Shapes of single operators over symbolic sizes. What concrete sizes give is tested with the
// kernels.
namespace ferry {
namespace {

const Dim kUnknown;
Dim sym(const char* name) { return Dim::symbol(name); }
using Ints = std::vector<int64_t>;

Attributes attributes(std::vector<std::pair<std::string, Attribute>> items) {
  Attributes result;
  for (auto& [name, value] : items) result.set(name, std::move(value));
  return result;
}

// An input: its shape, or a constant of int64.
struct In {
  In(Dims dims, DType type = DType::float32) : shape(std::move(dims)), dtype(type) {}
  In(Tensor tensor) : constant(std::move(tensor)) {}
  std::optional<Dims> shape;
  DType dtype = DType::float32;
  Tensor constant;
};
In ints(Ints values) { return Tensor::from(values); }

struct Case {
  const char* name;
  const char* op;
  Attributes attributes;
  std::vector<In> inputs;
  std::vector<std::string> wanted;  // the type of each output, as Type::str() writes it
};

std::vector<Type> infer_types(const Case& one) {
  Graph graph;
  Node node;
  node.op = one.op;
  node.name = "node";
  node.attributes = one.attributes;
  for (size_t i = 0; i < one.inputs.size(); ++i) {
    const std::string name = "i" + std::to_string(i);
    const In& in = one.inputs[i];
    if (in.constant.defined()) {
      node.inputs.push_back(graph.add_constant(name, in.constant));
    } else {
      Type type;
      type.dtype = in.dtype;
      type.shape = in.shape;
      node.inputs.push_back(graph.add_input(name, type));
    }
  }
  for (size_t i = 0; i < one.wanted.size(); ++i) {
    node.outputs.push_back(graph.add_value({.name = "o" + std::to_string(i)}));
  }
  const NodeId id = graph.add_node(std::move(node));
  return infer_node(graph, id);
}

Attributes window(Ints kernel, Ints strides, Ints pads, const char* auto_pad = "NOTSET") {
  return attributes({{"auto_pad", std::string(auto_pad)},
                     {"ceil_mode", int64_t{0}},
                     {"dilations", Ints{}},
                     {"group", int64_t{1}},
                     {"kernel_shape", kernel},
                     {"pads", pads},
                     {"storage_order", int64_t{0}},
                     {"strides", strides}});
}

TEST(InferRulesTest, SymbolicSizesFlow) {
  const Dim batch = sym("batch"), seq = sym("seq");
  const Attributes axis_1 = attributes({{"axis", int64_t{1}}});
  const Attributes plain_reshape = attributes({{"allowzero", int64_t{0}}});
  const Attributes keep =
      attributes({{"keepdims", int64_t{1}}, {"noop_with_empty_axes", int64_t{0}}});
  const Case cases[] = {
      {"broadcast", "Add", {}, {In({batch, 1, 3}), In({seq, 1})}, {"float32[batch, seq, 3]"}},
      {"a number wins over a symbol", "Mul", {}, {In({batch}), In({4})}, {"float32[4]"}},
      {"two symbols", "Add", {}, {In({batch}), In({seq})}, {"float32[?]"}},
      {"same symbol", "Add", {}, {In({batch}), In({batch})}, {"float32[batch]"}},
      {"batches", "MatMul", {}, {In({batch, seq, 8}), In({8, 5})}, {"float32[batch, seq, 5]"}},
      {"stride 2",
       "Conv",
       window({3, 3}, {2, 2}, {1, 1, 1, 1}),
       {In({batch, 3, sym("h"), 224}), In({64, 3, 3, 3})},
       {"float32[batch, 64, floor((h - 1)/2) + 1, 112]"}},
      {"same",
       "MaxPool",
       window({3}, {1}, {}, "SAME_UPPER"),
       {In({batch, 3, seq})},
       {"float32[batch, 3, seq]"}},
      {"concat", "Concat", axis_1, {In({batch, seq}), In({batch, 2})}, {"float32[batch, seq + 2]"}},
      {"transpose",
       "Transpose",
       attributes({{"perm", Ints{1, 0}}}),
       {In({batch, seq})},
       {"float32[seq, batch]"}},
      {"-1 takes the rest",
       "Reshape",
       plain_reshape,
       {In({batch, seq, 8}), ints({0, 0, 2, -1})},
       {"float32[batch, seq, 2, 4]"}},
      {"-1 joins",
       "Reshape",
       plain_reshape,
       {In({batch, 2, 4}), ints({-1, 4})},
       {"float32[2*batch, 4]"}},
      {"slice from the front",
       "Slice",
       {},
       {In({batch, seq}), ints({1}), ints({INT64_MAX}), ints({1})},
       {"float32[batch, seq - 1]"}},
      {"slice off the end",
       "Slice",
       {},
       {In({batch, seq}), ints({0}), ints({-1}), ints({1})},
       {"float32[batch, seq - 1]"}},
      {"reduce", "ReduceMean", keep, {In({batch, seq, 8}), ints({-1})}, {"float32[batch, seq, 1]"}},
      {"gather",
       "Gather",
       attributes({{"axis", int64_t{0}}}),
       {In({100, 8}), In({batch, seq}, DType::int64)},
       {"float32[batch, seq, 8]"}},
      {"tile", "Tile", {}, {In({batch, 3}), ints({2, 1})}, {"float32[2*batch, 3]"}},
      {"pad",
       "Pad",
       attributes({{"mode", std::string("constant")}}),
       {In({batch, seq}), ints({0, 1, 0, 1})},
       {"float32[batch, seq + 2]"}},
      {"flatten", "Flatten", axis_1, {In({batch, 3, 4})}, {"float32[batch, 12]"}},
      {"split",
       "Split",
       attributes({{"axis", int64_t{1}}, {"num_outputs", int64_t{2}}}),
       {In({batch, 6})},
       {"float32[batch, 3]", "float32[batch, 3]"}},
      {"cast",
       "Cast",
       attributes(
           {{"round_mode", std::string("up")}, {"saturate", int64_t{1}}, {"to", int64_t{7}}}),
       {In({batch})},
       {"int64[batch]"}},
      {"points of a grid",
       "GridSample",
       attributes({{"align_corners", int64_t{0}},
                   {"mode", std::string("linear")},
                   {"padding_mode", std::string("zeros")}}),
       {In({batch, 3, 8, 9}), In({kUnknown, seq, 5, 2})},
       {"float32[batch, 3, seq, 5]"}},
      {"count unknown", "NonZero", {}, {In({batch, 3})}, {"int64[2, ?]"}},
      {"elements",
       "Unique",
       attributes({{"sorted", int64_t{1}}}),
       {In({batch, 3})},
       {"float32[?]", "int64[?]", "int64[3*batch]", "int64[?]"}},
      {"slices",
       "Unique",
       attributes({{"axis", int64_t{-2}}, {"sorted", int64_t{1}}}),
       {In({batch, 3})},
       {"float32[?, 3]", "int64[?]", "int64[batch]", "int64[?]"}},
      {"target unknown",
       "Reshape",
       plain_reshape,
       {In({batch}), In({3}, DType::int64)},
       {"float32[?, ?, ?]"}},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(std::string(one.op) + " '" + one.name + "'");
    const std::vector<Type> types = infer_types(one);
    for (size_t i = 0; i < one.wanted.size(); ++i) EXPECT_EQ(types[i].str(), one.wanted[i]);
  }
}

TEST(InferRulesTest, WhatIsNotKnownIsNoError) {
  Graph graph;
  Node node{.op = "Add", .name = "node"};
  node.inputs = {graph.add_input("a", {}), graph.add_input("b", {})};
  node.outputs = {graph.add_value({.name = "c"})};
  const NodeId id = graph.add_node(std::move(node));
  const Type type = infer_node(graph, id)[0];
  EXPECT_EQ(type.dtype, DType::undefined);
  EXPECT_FALSE(type.shape.has_value());
}

}  // namespace
}  // namespace ferry
