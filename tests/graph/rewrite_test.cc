#include "graph/rewrite/rewrite.h"

#include <gmock/gmock.h>

#include <cmath>

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

}  // namespace
}  // namespace ferry
