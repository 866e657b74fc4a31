// Operators of com.microsoft become compositions of ONNX's own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/importer/import_testing.h"

namespace ferry {
namespace {

using testing::ModelBuilder;
using testing::NodeBuilder;
using testing::show;

struct Case {
  const char* op;
  std::vector<std::string> inputs, outputs;
  std::function<void(NodeBuilder)> attributes;
  std::string graph;
};

std::string import_case(const Case& c) {
  ModelBuilder model(17, 8);
  model.import("com.microsoft", 1);
  for (const char* name : {"x", "z"}) model.input(name, float32, {2, 3, 8});
  model.input("w", float32, {8, 24}).input("b", float32, {24}).input("g", float32, {8});
  model.input("ids", int64, {2, 3}).input("mask", int32, {2, 3}).input("ends", int32, {2});
  model.output("y", float32);
  model.graph()->mutable_output(0)->mutable_type()->mutable_tensor_type()->clear_shape();
  c.attributes(model.node(c.op, c.inputs, c.outputs).name("n").domain("com.microsoft"));
  return show(testing::import_bytes(model.bytes()));
}

TEST(Contrib, BecomesOnnx) {
  auto none = [](NodeBuilder) {};
  const Case cases[] = {
      {"BiasGelu", {"x", "g"}, {"y"}, none, "$0 = Add(x, g)\ny = Gelu($0)\n"},
      {"FastGelu", {"x"}, {"y"}, none, "y = Gelu(x)\n"},
      {"Gelu", {"x"}, {"y"}, none, "y = Gelu(x)\n"},
      {"QuickGelu", {"x"}, {"y"}, none, "$0 = Mul(x, 1.702)\n$1 = Sigmoid($0)\ny = Mul(x, $1)\n"},
      {"QuickGelu",
       {"x"},
       {"y"},
       [](NodeBuilder n) { n.attr("alpha", 1.f); },
       "$0 = Sigmoid(x)\ny = Mul(x, $0)\n"},
      {"FusedConv",
       {"x", "w", "b", "z"},
       {"y"},
       [](NodeBuilder n) { n.attr("activation", "Relu"); },
       "$0 = Conv(x, w, b)\n$1 = Add($0, z)\ny = Relu($1)\n"},
      {"FusedConv",
       {"x", "w"},
       {"y"},
       [](NodeBuilder n) {
         n.attr("activation", "Clip").attr("activation_params", std::vector<float>{0, 6});
       },
       "$0 = Conv(x, w)\ny = Clip($0, 0.0, 6.0)\n"},
      {"FusedGemm",
       {"w", "g", "b"},
       {"y"},
       [](NodeBuilder n) { n.attr("activation", "Tanh").attr("transB", 1); },
       "$0 = Gemm(w, g, b)\ny = Tanh($0)\n"},
      {"FusedMatMul",
       {"x", "z"},
       {"y"},
       [](NodeBuilder n) { n.attr("transB", 1).attr("alpha", 0.5f); },
       "$0 = Transpose(z)\n$1 = MatMul(x, $0)\ny = Mul($1, 0.5)\n"},
      {"SkipLayerNormalization",
       {"x", "z", "g", "", "b"},
       {"y", "", "", "sum"},
       none,
       "$0 = Add(x, z)\n$1 = Add($0, b)\nsum = Identity($1)\ny = LayerNormalization($1, g)\n"},
      {"SkipSimplifiedLayerNormalization",
       {"x", "z", "g"},
       {"y"},
       none,
       "$0 = Add(x, z)\ny = RMSNormalization($0, g)\n"},
      {"EmbedLayerNormalization",
       {"ids", "", "w", "w", "", "g", "b"},
       {"y"},
       none,
       "$0 = Gather(w, ids)\n$1 = Shape(ids)\n$2 = Slice(w, [0], $1, [0])\n$3 = Add($0, $2)\n"
       "y = LayerNormalization($3, g, b)\n"},
      {"Attention",
       {"x", "w", "b"},
       {"y"},
       [](NodeBuilder n) { n.attr("num_heads", 2); },
       "$0 = MatMul(x, w)\n$1 = Add($0, b)\n$2, $3, $4 = Split($1)\n"
       "$5 = Reshape($2, [0, 0, 2, 4])\n$6 = Transpose($5)\n"
       "$7 = Reshape($3, [0, 0, 2, 4])\n$8 = Transpose($7)\n"
       "$9 = Reshape($4, [0, 0, 2, 4])\n$10 = Transpose($9)\n"
       "$11 = MatMul($6, $8)\n$12 = Mul($11, 0.5)\n$13 = Softmax($12)\n"
       "$14 = MatMul($13, $10)\n$15 = Transpose($14)\ny = Reshape($15, [0, 0, 8])\n"},
  };
  for (const Case& c : cases) EXPECT_EQ(import_case(c), c.graph) << c.op;
}

TEST(Contrib, RefusesWhatItDoesNotCompose) {
  auto heads = [](NodeBuilder n) { n.attr("num_heads", 2); };
  struct Refusal {
    Case node;
    const char* message;
  };
  const Refusal refusals[] = {
      {{"Attention", {"x", "w", "b", "", "z"}, {"y"}, heads, ""}, "a past or a bias"},
      {{"Attention", {"x", "w", "b", "x"}, {"y"}, heads, ""}, "masks of known rank 1 or 2"},
      {{"Attention", {"x", "w"}, {"y"}, [](NodeBuilder n) { n.attr("num_heads", 5); }, ""},
       "three for each head"},
      {{"FusedConv", {"x", "w"}, {"y"}, [](NodeBuilder n) { n.attr("activation", "Selu"); }, ""},
       "the activation 'Selu' is not supported"},
      {{"FusedMatMul", {"x", "z"}, {"y"}, [](NodeBuilder n) { n.attr("transBatchA", 1); }, ""},
       "transBatchA and transBatchB are not supported"},
  };
  for (const Refusal& refusal : refusals) {
    try {
      import_case(refusal.node);
      ADD_FAILURE() << refusal.message;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), ::testing::HasSubstr(refusal.message));
    }
  }
}

}  // namespace
}  // namespace ferry
