#include "graph/rewrite/rewrite.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "ferry/error.h"
#include "tests/support/graph_builder.h"

namespace ferry {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> ops_of(const Graph& graph) {
  std::vector<std::string> out;
  for (const NodeId id : graph.order()) out.push_back(graph.node(id).op);
  return out;
}

const Node& only_node(const Graph& graph) { return graph.node(graph.order().at(0)); }

TEST(Rewrite, DisabledRulesAndWrongNames) {
  GraphBuilder build;
  build.input("x", {2, 3});
  build.node("Relu", {"x"}, {"a"});
  build.node("Identity", {"a"}, {"b"});
  build.node("Neg", {"b"}, {"y"});
  Graph graph = build.outputs({"y"});
  Graph kept = clone(graph);
  rewrite(kept, {"identity"});
  EXPECT_THAT(ops_of(kept), ElementsAre("Relu", "Identity", "Neg"));
  rewrite(graph);
  EXPECT_THAT(ops_of(graph), ElementsAre("Relu", "Neg"));
  EXPECT_THROW(rewrite(graph, {"identitty"}), Error);
}

TEST(Rewrite, DeadNodesAndFoldedOnesGo) {
  GraphBuilder build;
  build.input("x", {2, 3});
  build.node("Relu", {"x"}, {"dead"});
  build.node("Neg", {"dead"}, {"deader"});
  build.node("Exp", {"x"}, {"folded"});
  build.node("Add", {"x", "folded"}, {"y"});
  build.graph.value(build.graph.find_value("folded")).constant = Tensor::zeros({2, 3});
  Graph& graph = build.outputs({"y"});
  remove_dead_code(graph);
  verify(graph, "dead_code");
  EXPECT_THAT(ops_of(graph), ElementsAre("Add"));
}

TEST(Rewrite, IdentitiesKeepTheNamesOfOutputs) {
  GraphBuilder build;
  build.input("x", {2, 3});
  build.node("Relu", {"x"}, {"a"});
  build.node("Identity", {"a"}, {"y"});
  build.node("Identity", {"x"}, {"same"});
  Graph& graph = build.outputs({"y", "same"});
  remove_identities(graph);
  verify(graph, "identity");
  // An output that is an input needs memory of its own.
  EXPECT_THAT(ops_of(graph), ElementsAre("Relu", "Identity"));
  EXPECT_EQ(graph.value(graph.outputs()[0]).name, "y");
  EXPECT_EQ(only_node(graph).outputs[0], graph.find_value("y"));
}

TEST(Rewrite, TransposesAndReshapesThatChangeNothing) {
  GraphBuilder build;
  build.input("x", {2, 3});
  build.constant("shape", Tensor::from({2, 3}, int64));
  build.node("Transpose", {"x"}, {"a"}).attributes.set("perm", std::vector<int64_t>{0, 1});
  build.node("Reshape", {"a", "shape"}, {"b"});
  build.node("Transpose", {"b"}, {"c"}, {3, 2}).attributes.set("perm", std::vector<int64_t>{1, 0});
  build.node("Relu", {"c"}, {"y"}, {3, 2});
  Graph& graph = build.outputs({"y"});
  remove_identities(graph);
  verify(graph, "identity");
  EXPECT_THAT(ops_of(graph), ElementsAre("Transpose", "Relu"));
}

TEST(Rewrite, CommonSubexpressionsShareButRandomOnesDoNot) {
  GraphBuilder build;
  build.input("x", {2, 3});
  build.node("Relu", {"x"}, {"a"});
  build.node("Relu", {"x"}, {"b"});
  build.node("LeakyRelu", {"x"}, {"c"}).attributes.set("alpha", 0.1f);
  build.node("LeakyRelu", {"x"}, {"d"}).attributes.set("alpha", 0.2f);
  build.node("RandomNormalLike", {"x"}, {"r"});
  build.node("RandomNormalLike", {"x"}, {"s"});
  build.node("Sum", {"a", "b", "c", "d", "r", "s"}, {"y"});
  Graph& graph = build.outputs({"y"});
  share_common_subexpressions(graph);
  verify(graph, "common_subexpressions");
  EXPECT_THAT(ops_of(graph), ElementsAre("Relu", "LeakyRelu", "LeakyRelu", "RandomNormalLike",
                                         "RandomNormalLike", "Sum"));
}

// Conv of two output channels with W = [1, 2] (1x1), then BatchNormalization.
GraphBuilder normalized(bool with_bias) {
  GraphBuilder build;
  build.input("x", {1, 1, 2, 2});
  build.constant("w", Tensor::from(std::vector<float>{1, 2}, {2, 1, 1, 1}));
  build.constant("bias", Tensor::from({10, 20}));
  for (const auto& [name, a, b] : {std::tuple("scale", 3.f, 4.f), std::tuple("shift", 5.f, 6.f),
                                   std::tuple("mean", 7.f, 8.f), std::tuple("var", 3.f, 15.f)}) {
    build.constant(name, Tensor::from({a, b}));
  }
  std::vector<std::string> inputs{"x", "w"};
  if (with_bias) inputs.push_back("bias");
  build.node("Conv", inputs, {"a"}, {1, 2, 2, 2});
  Node& norm =
      build.node("BatchNormalization", {"a", "scale", "shift", "mean", "var"}, {"y"}, {1, 2, 2, 2});
  norm.attributes.set("epsilon", 1.0f);
  norm.attributes.set("training_mode", int64_t{0});
  return build;
}

TEST(Rewrite, BatchNormalizationBecomesWeights) {
  for (const bool with_bias : {false, true}) {
    GraphBuilder build = normalized(with_bias);
    Graph& graph = build.outputs({"y"});
    EXPECT_TRUE(fold_batch_normalization(graph));
    verify(graph, "batch_normalization");
    ASSERT_THAT(ops_of(graph), ElementsAre("Conv"));
    const Node& conv = only_node(graph);
    EXPECT_EQ(conv.outputs[0], graph.find_value("y"));
    // scale / sqrt(var + 1) = 3/2 and 4/4.
    EXPECT_THAT(graph.value(conv.inputs[1]).constant.span<float>(), ElementsAre(1.5f, 2));
    const float b0 = with_bias ? 10 : 0, b1 = with_bias ? 20 : 0;
    EXPECT_THAT(graph.value(conv.inputs[2]).constant.span<float>(),
                ElementsAre((b0 - 7) * 1.5f + 5, (b1 - 8) + 6));
  }
}

TEST(Rewrite, BatchNormalizationStaysWhereItMust) {
  {
    GraphBuilder build = normalized(false);  // somebody else reads the convolution
    build.node("Relu", {"a"}, {"z"}, {1, 2, 2, 2});
    EXPECT_FALSE(fold_batch_normalization(build.outputs({"y", "z"})));
  }
  {
    GraphBuilder build = normalized(false);
    build.graph.node(build.graph.order()[1]).attributes.set("training_mode", int64_t{1});
    EXPECT_FALSE(fold_batch_normalization(build.outputs({"y"})));
  }
  {
    GraphBuilder build = normalized(false);  // the convolution's output is an output
    EXPECT_FALSE(fold_batch_normalization(build.outputs({"y", "a"})));
  }
}

TEST(Rewrite, AnAddedChannelVectorBecomesTheBias) {
  struct Case {
    Shape bias;
    bool folds;
  };
  const Case kCases[] = {{{1, 2, 1, 1}, true},  {{2, 1, 1}, true},     {{2}, false},
                         {{1, 1, 1, 1}, false}, {{1, 2, 2, 2}, false}, {{1, 1, 2, 1, 1}, false}};
  for (const Case& c : kCases) {
    GraphBuilder build;
    build.input("x", {1, 1, 2, 2});
    build.constant("w", Tensor::from(std::vector<float>{1, 2}, {2, 1, 1, 1}));
    build.constant("c", Tensor::full(c.bias, 3));
    build.node("Conv", {"x", "w"}, {"a"}, {1, 2, 2, 2});
    build.node("Add", {"c", "a"}, {"y"}, {1, 2, 2, 2});
    Graph& graph = build.outputs({"y"});
    EXPECT_EQ(fold_bias(graph), c.folds) << to_string(std::span(c.bias));
    verify(graph, "bias");
    if (c.folds) {
      EXPECT_THAT(graph.value(only_node(graph).inputs[2]).constant.span<float>(),
                  ElementsAre(3, 3));
    }
  }
}

// Gemm and MatMul of x [2, 3] with W [3, 2], then an Add of `bias`, which is [2] along the columns.
struct RowBias {
  std::string op;
  Shape bias;
  bool folds;
  bool second_reader = false;
};

TEST(Rewrite, AnAddedRowBecomesTheBiasOfAMatrixProduct) {
  const RowBias kCases[] = {
      {"MatMul", {2}, true},        {"MatMul", {1, 2}, true},  {"MatMul", {1, 1, 2}, false},
      {"MatMul", {1}, false},       {"MatMul", {2, 1}, false}, {"MatMul", {}, false},
      {"MatMul", {2}, false, true}, {"Gemm", {2}, true},       {"Gemm", {1, 2}, true},
      {"Gemm", {2, 2}, false},
  };
  for (const RowBias& c : kCases) {
    GraphBuilder build;
    build.input("x", {2, 3});
    build.constant("w", Tensor::zeros({3, 2}));
    build.constant("c", Tensor::full(c.bias, 3));
    Node& product = build.node(c.op, {"x", "w"}, {"a"}, {2, 2});
    product.sources = {"product"};
    if (c.op == "Gemm") {
      product.attributes.set("transB", int64_t{0});
      product.attributes.set("beta", 0.5f);
    }
    build.node("Add", {"a", "c"}, {"y"}, {2, 2}).sources = {"sum"};
    if (c.second_reader) build.node("Neg", {"a"}, {"z"}, {2, 2});
    Graph& graph = c.second_reader ? build.outputs({"y", "z"}) : build.outputs({"y"});
    EXPECT_EQ(fold_bias(graph), c.folds) << c.op << " " << to_string(std::span(c.bias));
    verify(graph, "bias");
    if (!c.folds) continue;
    const Node& node = only_node(graph);
    EXPECT_THAT(node.sources, ElementsAre("product", "sum"));
    EXPECT_THAT(graph.value(node.inputs[2]).constant.span<float>(), ElementsAre(3, 3));
    if (c.op == "Gemm") {
      EXPECT_EQ(node.attributes.get_float("beta"), 1);
    }
  }
}

TEST(Rewrite, ABiasThatIsThereOrOfIntegersStays) {
  for (const DType dtype : {float32, int32}) {
    GraphBuilder build;
    build.input("x", {2, 3}, dtype);
    build.constant("w", Tensor::zeros({3, 2}, dtype));
    build.constant("c", Tensor::full({2}, 3, dtype));
    const bool has_bias = dtype == float32;
    build.node(
        "MatMul",
        has_bias ? std::vector<std::string>{"x", "w", "c"} : std::vector<std::string>{"x", "w"},
        {"a"}, {2, 2}, dtype);
    build.node("Add", {"a", "c"}, {"y"}, {2, 2}, dtype);
    EXPECT_FALSE(fold_bias(build.outputs({"y"})));
  }
}

// What becomes of a MatMul and the node behind it.
struct ActivationCase {
  std::string op;
  Attributes attributes;
  std::vector<std::string> inputs;  // after x
  std::string activation;           // "": it stays
  std::vector<float> parameters = {};
  DType dtype = float32;
};

Attributes one(const std::string& name, Attribute value) {
  Attributes attributes;
  attributes.set(name, std::move(value));
  return attributes;
}

TEST(Rewrite, AnActivationBecomesPartOfTheProduct) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  Attributes hard = one("alpha", 0.25f);
  hard.set("beta", 0.75f);
  const ActivationCase kCases[] = {
      {"Relu", {}, {}, "Relu"},
      {"LeakyRelu", one("alpha", 0.5f), {}, "LeakyRelu", {0.5f}},
      {"Sigmoid", {}, {}, "Sigmoid"},
      {"Tanh", {}, {}, "Tanh"},
      {"Gelu", one("approximate", std::string("none")), {}, "Gelu"},
      {"Gelu", one("approximate", std::string("tanh")), {}, "FastGelu"},
      {"HardSigmoid", hard, {}, "HardSigmoid", {0.25f, 0.75f}},
      {"HardSwish", {}, {}, "HardSwish"},
      {"Swish", one("alpha", 2.0f), {}, "Swish", {2}},
      {"Clip", {}, {"zero", "six"}, "Clip", {0, 6}},
      {"Clip", {}, {"zero"}, "Clip", {0, kInfinity}},
      {"Clip", {}, {"", "six"}, "Clip", {-kInfinity, 6}},
      {"Relu", {}, {}, "Relu", {}, float16},
      {"Relu", {}, {}, "", {}, int32},           // a product of integers
      {"Clip", {}, {"zero", "late"}, ""},        // a limit that a run gives
      {"Clip", {}, {"tenth"}, "", {}, float64},  // no float32
      {"Softplus", {}, {}, ""},
  };
  for (const ActivationCase& c : kCases) {
    SCOPED_TRACE(c.op + " -> " + c.activation);
    GraphBuilder build;
    build.input("x", {2, 3}, c.dtype);
    build.input("late", {}, c.dtype);
    build.constant("w", Tensor::zeros({3, 3}, c.dtype));
    build.constant("zero", Tensor::scalar(0.0f).to(c.dtype));
    build.constant("six", Tensor::scalar(6.0f).to(c.dtype));
    build.constant("tenth", Tensor::scalar(0.1));
    build.node("MatMul", {"x", "w"}, {"a"}, {2, 3}, c.dtype).sources = {"product"};
    std::vector<std::string> inputs{"a"};
    inputs.insert(inputs.end(), c.inputs.begin(), c.inputs.end());
    Node& node = build.node(c.op, inputs, {"y"}, {2, 3}, c.dtype);
    node.attributes = c.attributes;
    node.sources = {"activation"};
    Graph& graph = build.outputs({"y"});
    EXPECT_EQ(fold_activation(graph), !c.activation.empty());
    verify(graph, "activation");
    if (c.activation.empty()) {
      EXPECT_EQ(graph.order().size(), 2u);
      continue;
    }
    ASSERT_THAT(ops_of(graph), ElementsAre("MatMul"));
    const Node& product = only_node(graph);
    EXPECT_EQ(product.outputs[0], graph.find_value("y"));
    EXPECT_EQ(product.attributes.get_string("activation"), c.activation);
    EXPECT_EQ(product.attributes.get<std::vector<float>>("activation_params"), c.parameters);
    EXPECT_THAT(product.sources, ElementsAre("product", "activation"));
  }
}

TEST(Rewrite, TheTwoNodesOfSwishBecomePartOfTheProduct) {
  for (const bool swapped : {false, true}) {
    GraphBuilder build;
    build.input("x", {2, 3});
    build.constant("w", Tensor::zeros({3, 3}));
    build.node("MatMul", {"x", "w"}, {"a"}).sources = {"product"};
    build.node("Sigmoid", {"a"}, {"s"}).sources = {"sigmoid"};
    build
        .node("Mul",
              swapped ? std::vector<std::string>{"s", "a"} : std::vector<std::string>{"a", "s"},
              {"y"})
        .sources = {"mul"};
    Graph& graph = build.outputs({"y"});
    EXPECT_TRUE(fold_activation(graph));
    verify(graph, "activation");
    ASSERT_THAT(ops_of(graph), ElementsAre("MatMul"));
    EXPECT_EQ(only_node(graph).attributes.get_string("activation"), "Swish");
    EXPECT_THAT(only_node(graph).sources, ElementsAre("product", "sigmoid", "mul"));
  }
}

TEST(Rewrite, ActivationsStayWhereTheyMust) {
  const auto product = [](GraphBuilder& build) {
    build.input("x", {2, 3});
    build.constant("w", Tensor::zeros({3, 3}));
    build.node("MatMul", {"x", "w"}, {"a"});
  };
  {
    GraphBuilder build;  // somebody else reads the product
    product(build);
    build.node("Relu", {"a"}, {"y"});
    build.node("Neg", {"a"}, {"z"});
    EXPECT_FALSE(fold_activation(build.outputs({"y", "z"})));
  }
  {
    GraphBuilder build;  // the product is an output
    product(build);
    build.node("Relu", {"a"}, {"y"});
    EXPECT_FALSE(fold_activation(build.outputs({"y", "a"})));
  }
  {
    GraphBuilder build;  // a third reader of x in Mul(x, Sigmoid(x))
    product(build);
    build.node("Sigmoid", {"a"}, {"s"});
    build.node("Mul", {"a", "s"}, {"y"});
    build.node("Neg", {"a"}, {"z"});
    EXPECT_FALSE(fold_activation(build.outputs({"y", "z"})));
  }
  {
    GraphBuilder build;  // somebody reads the Sigmoid
    product(build);
    build.node("Sigmoid", {"a"}, {"s"});
    build.node("Mul", {"a", "s"}, {"y"});
    EXPECT_FALSE(fold_activation(build.outputs({"y", "s"})));
  }
  {
    GraphBuilder build;  // one activation a product
    product(build);
    build.node("Relu", {"a"}, {"b"});
    build.node("Tanh", {"b"}, {"y"});
    Graph& graph = build.outputs({"y"});
    EXPECT_TRUE(fold_activation(graph));
    verify(graph, "activation");
    EXPECT_THAT(ops_of(graph), ElementsAre("MatMul", "Tanh"));
    EXPECT_FALSE(fold_activation(graph));
  }
  {
    GraphBuilder build;  // a bias after an activation is none
    product(build);
    build.constant("c", Tensor::zeros({3}));
    build.node("Relu", {"a"}, {"b"});
    build.node("Add", {"b", "c"}, {"y"});
    Graph& graph = build.outputs({"y"});
    EXPECT_TRUE(fold_activation(graph));
    EXPECT_FALSE(fold_bias(graph));
  }
}

TEST(Rewrite, TheVerifierKnowsActivations) {
  for (const auto& [op, name] : {std::pair("Neg", "Relu"), std::pair("MatMul", "Relo")}) {
    GraphBuilder build;
    build.input("x", {3, 3});
    Node& node = build.node(op, {"x", "x"}, {"y"}, {3, 3});
    node.attributes.set("activation", std::string(name));
    node.attributes.set("activation_params", std::vector<float>{});
    EXPECT_THROW(verify(build.outputs({"y"}), "the test"), Error) << op;
  }
}

}  // namespace
}  // namespace ferry
