#include "graph/graph.h"

#include <gmock/gmock.h>

#include "ferry/error.h"

namespace ferry {
namespace {

using ::testing::HasSubstr;

// y = Relu(Add(x, w))
Graph small() {
  Graph graph;
  const ValueId x =
      graph.add_input("x", {.dtype = float32, .shape = Dims{Dim::symbol("batch"), 2}});
  const ValueId w = graph.add_constant("w", Tensor::from({1, 2}));
  const ValueId sum = graph.add_value({.name = "sum", .type = {.dtype = float32}});
  const ValueId y = graph.add_value({.name = "y", .type = {.dtype = float32}});
  graph.add_node({.op = "Add", .name = "/add", .inputs = {x, w}, .outputs = {sum}});
  graph.add_node({.op = "Relu", .name = "/relu", .inputs = {sum}, .outputs = {y}});
  graph.set_outputs({y});
  return graph;
}

std::string failure(const Graph& graph) {
  try {
    verify(graph, "the test");
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::internal);
    return e.what();
  }
  return "";
}

TEST(Graph, PrintsOneNodeALine) {
  EXPECT_EQ(to_string(small()),
            "graph(%x: float32[batch, 2]) {\n"
            "  const %w: float32[2]\n"
            "  %sum: float32[...] = Add(%x, %w)  # /add\n"
            "  %y: float32[...] = Relu(%sum)  # /relu\n"
            "  return %y\n"
            "}\n");
}

TEST(Graph, ChangesKeepItValid) {
  Graph graph = small();
  verify(graph, "building");
  const ValueId sum = graph.find_value("sum");
  const NodeId relu = graph.order()[1];
  const ValueId copy = graph.add_value({.name = graph.unique_name("sum")});
  EXPECT_EQ(graph.value(copy).name, "sum_1");
  graph.add_node_before(relu,
                        {.op = "Identity", .name = "/id", .inputs = {sum}, .outputs = {copy}});
  graph.replace_uses_in(relu, sum, copy);
  verify(graph, "inserting");
  EXPECT_EQ(graph.order().size(), 3u);
  EXPECT_EQ(graph.consumers()[sum].size(), 1u);
  graph.replace_uses(copy, sum);
  graph.remove_node(graph.value(copy).producer);
  verify(graph, "removing");
  EXPECT_EQ(graph.order().size(), 2u);
}

TEST(Graph, VerifierNamesWhatIsBroken) {
  {
    Graph graph = small();
    graph.node(graph.order()[0]).inputs[0] = graph.find_value("y");
    EXPECT_THAT(failure(graph), HasSubstr("reads 'y' before it is written"));
  }
  {
    Graph graph = small();
    graph.node(graph.order()[1]).outputs[0] = graph.find_value("sum");
    EXPECT_THAT(failure(graph), HasSubstr("'sum' is written twice"));
  }
  {
    Graph graph = small();
    graph.value(graph.find_value("w")).name = "x";
    EXPECT_THAT(failure(graph), HasSubstr("two values are named 'x'"));
  }
  {
    Graph graph = small();
    graph.set_outputs({99});
    EXPECT_THAT(failure(graph), HasSubstr("does not exist"));
  }
  EXPECT_EQ(failure(small()), "");
}

TEST(Graph, CloneIsIndependentButSharesConstants) {
  const Graph graph = small();
  Graph copy = clone(graph);
  copy.node(copy.order()[0]).op = "Sub";
  EXPECT_EQ(graph.node(graph.order()[0]).op, "Add");
  EXPECT_TRUE(copy.value(copy.find_value("w"))
                  .constant.shares_storage_with(graph.value(graph.find_value("w")).constant));
}

TEST(Attributes, TypedAndOrdered) {
  Attributes a;
  a.set("beta", 2.0f);
  a.set("alpha", int64_t{1});
  a.set("beta", 3.0f);
  EXPECT_EQ(a.items()[0].first, "alpha");
  EXPECT_EQ(a.get_float("beta"), 3.0f);
  EXPECT_EQ(a.find<int64_t>("gamma"), nullptr);
  EXPECT_THROW((void)a.get_int("beta"), Error);
  EXPECT_THROW((void)a.get_int("gamma"), Error);
  Attributes b = a;
  EXPECT_EQ(a, b);
  b.set("t", Tensor::from({1}));
  EXPECT_FALSE(a == b);
  a.set("t", Tensor::from({1}));
  EXPECT_EQ(a, b);
}

}  // namespace
}  // namespace ferry
