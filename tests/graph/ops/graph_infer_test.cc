#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ferry/error.h"
#include "graph/infer.h"

namespace ferry {
namespace {

using Ints = std::vector<int64_t>;

Type tensor_type(DType dtype, std::optional<Dims> shape) {
  Type type;
  type.dtype = dtype;
  type.shape = std::move(shape);
  return type;
}

// Appends nodes and names their outputs.
class Builder {
 public:
  Graph graph;

  ValueId input(const char* name, Dims shape, DType dtype = DType::float32) {
    return graph.add_input(name, tensor_type(dtype, std::move(shape)));
  }
  ValueId ints(const char* name, Ints values) {
    return graph.add_constant(name, Tensor::from(values));
  }
  ValueId node(const char* op, std::vector<ValueId> inputs, const char* output,
               std::vector<std::pair<std::string, Attribute>> attributes = {}) {
    Node node{.op = op, .name = std::string("/") + output};
    node.inputs = std::move(inputs);
    for (auto& [name, value] : attributes) node.attributes.set(name, std::move(value));
    const ValueId id = graph.add_value({.name = output});
    node.outputs = {id};
    graph.add_node(std::move(node));
    return id;
  }
  std::string type(ValueId id) const { return graph.value(id).type.str(); }
};

// x [batch, seq, 8] -> reshaped to [batch, seq * 2, 4] by arithmetic on its own shape, the way
// exporters write view(x.size(0), x.size(1) * 2, 4).
struct ShapeChain : Builder {
  ValueId x, doubled, target, y;
  ShapeChain() {
    x = input("x", {Dim::symbol("batch"), Dim::symbol("seq"), 8});
    const auto shape = node("Shape", {x}, "shape", {{"start", int64_t{0}}, {"end", INT64_MAX}});
    const auto zero = graph.add_constant("zero", Tensor::scalar(int64_t{0}));
    const auto one = graph.add_constant("one", Tensor::scalar(int64_t{1}));
    const auto two = graph.add_constant("two", Tensor::scalar(int64_t{2}));
    const auto axes = ints("axes", {0});
    const auto batch = node("Gather", {shape, zero}, "batch", {{"axis", int64_t{0}}});
    const auto seq = node("Gather", {shape, one}, "seq", {{"axis", int64_t{0}}});
    doubled = node("Mul", {seq, two}, "doubled");
    const auto a = node("Unsqueeze", {batch, axes}, "a");
    const auto b = node("Unsqueeze", {doubled, axes}, "b");
    target = node("Concat", {a, b, ints("four", {4})}, "target", {{"axis", int64_t{0}}});
    y = node("Reshape", {x, target}, "y", {{"allowzero", int64_t{0}}});
    graph.set_outputs({y});
  }
};

TEST(InferTest, ShapeArithmeticKeepsSymbols) {
  ShapeChain chain;
  infer(chain.graph);
  EXPECT_EQ(to_string(*chain.graph.value(chain.target).contents), "[batch, 2*seq, 4]");
  EXPECT_EQ(chain.type(chain.y), "float32[batch, 2*seq, 4]");
  EXPECT_FALSE(chain.graph.value(chain.target).is_constant());
}

TEST(InferTest, ConcreteInputsMakeShapeArithmeticConstant) {
  ShapeChain chain;
  infer(chain.graph, {.input_shapes = {{"x", {3, 5, 8}}}});
  EXPECT_EQ(chain.type(chain.y), "float32[3, 10, 4]");
  const Value& target = chain.graph.value(chain.target);
  ASSERT_TRUE(target.is_constant());
  EXPECT_THAT(target.constant.span<int64_t>(), ::testing::ElementsAre(3, 10, 4));
}

TEST(InferTest, SymbolsTakeTheirValuesEverywhere) {
  ShapeChain chain;
  infer(chain.graph, {.symbols = {{"batch", 2}}});
  EXPECT_EQ(chain.type(chain.y), "float32[2, 2*seq, 4]");
}

TEST(InferTest, MinusOneOfAComparison) {
  // Expand's target as PyTorch writes it: where(shape == -1, ones, shape).
  Builder b;
  const auto x = b.input("x", {1, Dim::symbol("n")});
  const auto like = b.input("like", {Dim::symbol("m"), Dim::symbol("n")});
  const auto shape = b.node("Shape", {like}, "shape", {{"start", int64_t{0}}, {"end", INT64_MAX}});
  const auto minus = b.ints("minus", {-1, -1});
  const auto equal = b.node("Equal", {shape, minus}, "equal");
  const auto target = b.node("Where", {equal, b.ints("ones", {1, 1}), shape}, "target");
  const auto y = b.node("Expand", {x, target}, "y");
  infer(b.graph);
  EXPECT_EQ(b.type(y), "float32[m, n]");
}

TEST(InferTest, DeclaredTypesFillInWhatIsNotKnown) {
  Builder b;
  const auto x = b.input("x", {4}, DType::int64);
  const auto y = b.node("NonZero", {x}, "y");
  b.graph.value(y).type = tensor_type(DType::int64, Dims{1, Dim::symbol("found")});
  infer(b.graph);
  EXPECT_EQ(b.type(y), "int64[1, found]");
}

TEST(InferTest, ContradictionsNameTheValue) {
  struct Case {
    Type declared;
    const char* words;
  };
  const Case cases[] = {
      {tensor_type(DType::float32, Dims{5}), "'y'"},
      {tensor_type(DType::float32, Dims{4, 1}), "float32[4, 1]"},
      {tensor_type(DType::int64, Dims{4}), "int64[4]"},
  };
  for (const Case& one : cases) {
    Builder b;
    const auto y = b.node("Relu", {b.input("x", {4})}, "y");
    b.graph.value(y).type = one.declared;
    try {
      infer(b.graph);
      ADD_FAILURE() << "accepted " << one.declared.str();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_model);
      EXPECT_EQ(error.node(), "/y");
      EXPECT_EQ(error.op(), "Relu");
      EXPECT_THAT(error.what(), ::testing::HasSubstr(one.words));
    }
  }
}

// Counts what it is asked, and answers with zeros of the inferred type.
class CountingEvaluator : public Evaluator {
 public:
  int asked = 0;
  std::optional<std::vector<Tensor>> evaluate(const Node& node,
                                              std::span<const Tensor> inputs) override {
    ++asked;
    if (node.op != "Relu") return std::nullopt;
    return std::vector<Tensor>{Tensor::zeros(inputs[0].shape(), inputs[0].dtype())};
  }
};

TEST(InferTest, FoldsNodesWhoseInputsAreConstant) {
  Builder b;
  const auto c = b.graph.add_constant("c", Tensor::full({3}, 2));
  const auto x = b.input("x", {3});
  const auto folded = b.node("Relu", {c}, "folded");
  const auto also = b.node("Relu", {folded}, "also");
  const auto declined = b.node("Neg", {c}, "declined");
  const auto runs = b.node("Add", {also, x}, "runs");
  CountingEvaluator evaluator;
  infer(b.graph, {.evaluator = &evaluator});
  EXPECT_TRUE(b.graph.value(folded).is_constant());
  EXPECT_TRUE(b.graph.value(also).is_constant());
  EXPECT_FALSE(b.graph.value(declined).is_constant());
  EXPECT_FALSE(b.graph.value(runs).is_constant());
  EXPECT_EQ(evaluator.asked, 3);
}

TEST(InferTest, DoesNotFoldBeyondTheBudget) {
  Builder b;
  const auto y = b.node("Relu", {b.graph.add_constant("c", Tensor::full({3}, 2))}, "y");
  CountingEvaluator evaluator;
  infer(b.graph, {.evaluator = &evaluator, .max_folded_bytes = 11});
  EXPECT_FALSE(b.graph.value(y).is_constant());
  EXPECT_EQ(evaluator.asked, 0);
}

TEST(InferTest, AllFoldedResultsTogetherHaveABudget) {
  Builder b;
  const auto c = b.graph.add_constant("c", Tensor::zeros({256}));  // 1 KiB, which adds 8
  std::vector<ValueId> results;
  for (int i = 0; i < 12; ++i) results.push_back(b.node("Relu", {c}, "y"));
  CountingEvaluator evaluator;
  infer(b.graph, {.evaluator = &evaluator, .max_folded_total = 2 * 1024});
  EXPECT_EQ(evaluator.asked, 10);
  EXPECT_TRUE(b.graph.value(results[9]).is_constant());
  EXPECT_FALSE(b.graph.value(results[10]).is_constant());
}

TEST(InferTest, FoldsNoMoreWorkThanItsBudget) {
  Builder b;
  const auto c = b.graph.add_constant("c", Tensor::zeros({100}));
  std::vector<ValueId> results;
  for (int i = 0; i < 5; ++i) results.push_back(b.node("Relu", {c}, "y"));
  CountingEvaluator evaluator;
  infer(b.graph, {.evaluator = &evaluator, .max_folded_work = 250});
  EXPECT_EQ(evaluator.asked, 2);
  EXPECT_TRUE(b.graph.value(results[1]).is_constant());
  EXPECT_FALSE(b.graph.value(results[2]).is_constant());
}

TEST(InferTest, WhatAKernelRefusesIsLeftToTheRun) {
  struct Refuses : Evaluator {
    ErrorCode code = ErrorCode::runtime;
    std::optional<std::vector<Tensor>> evaluate(const Node&, std::span<const Tensor>) override {
      throw Error(code, "a division by zero");
    }
  } evaluator;
  Builder b;
  const auto y = b.node("Relu", {b.graph.add_constant("c", Tensor::full({3}, 2))}, "y");
  infer(b.graph, {.evaluator = &evaluator});
  EXPECT_FALSE(b.graph.value(y).is_constant());
  EXPECT_EQ(b.type(y), "float32[3]");
  evaluator.code = ErrorCode::internal;  // a defect is told
  EXPECT_THROW(infer(b.graph, {.evaluator = &evaluator}), Error);
}

// What the graph computes from constants without an evaluator.
TEST(InferTest, ContentsAreWhatTheKernelsCompute) {
  Builder b;
  const auto largest = b.ints("largest", {INT64_MAX});
  const auto one = b.ints("one", {1});
  const auto filled = b.node("ConstantOfShape", {b.ints("shape", {2})}, "filled",
                             {{"value", Tensor::from(Ints{INT64_MAX})}});
  const auto wrapped = b.node("Add", {largest, one}, "wrapped");
  const auto product = b.node("Mul", {largest, b.ints("two", {2})}, "product");
  const auto narrow =
      b.node("Cast", {b.ints("wide", {(int64_t{1} << 32) + 5})}, "narrow", {{"to", int64_t{6}}});
  const auto sum = b.node("Add",
                          {b.graph.add_constant("i", Tensor::from(std::vector<int32_t>{INT32_MAX})),
                           b.graph.add_constant("j", Tensor::from(std::vector<int32_t>{1}))},
                          "sum");
  const auto far = b.node("Cast", {sum}, "far", {{"to", int64_t{7}}});
  infer(b.graph);
  const auto value = [&](ValueId id) { return b.graph.value(id).constant; };
  EXPECT_THAT(value(filled).span<int64_t>(), ::testing::ElementsAre(INT64_MAX, INT64_MAX));
  EXPECT_THAT(value(wrapped).span<int64_t>(), ::testing::ElementsAre(INT64_MIN));
  EXPECT_THAT(value(product).span<int64_t>(), ::testing::ElementsAre(-2));
  EXPECT_THAT(value(narrow).span<int32_t>(), ::testing::ElementsAre(5));
  EXPECT_THAT(value(far).span<int64_t>(), ::testing::ElementsAre(INT32_MIN));
}

TEST(InferTest, SplitOfContentsStaysInside) {
  Builder b;
  const auto n = b.input("n", {Dim::symbol("n"), 1});
  const auto shape = b.node("Shape", {n}, "shape", {{"start", int64_t{0}}, {"end", int64_t{1}}});
  const auto sizes =
      b.node("Concat", {b.ints("many", {1000}), shape}, "sizes", {{"axis", int64_t{0}}});
  Node split{.op = "Split", .name = "/split"};
  split.attributes.set("axis", int64_t{0});
  split.attributes.set("num_outputs", int64_t{2});
  split.inputs = {b.ints("x", {1, 2, 3, 4}), sizes};
  split.outputs = {b.graph.add_value({.name = "a"}), b.graph.add_value({.name = "b"})};
  b.graph.add_node(std::move(split));
  EXPECT_THROW(infer(b.graph), Error);
}

// A loop whose body gives `op(carried, carried)` along axis 0.
std::string carried_type(const char* op,
                         std::vector<std::pair<std::string, Attribute>> attributes) {
  auto body = std::make_shared<Graph>();
  body->add_input("trip", tensor_type(DType::int64, Dims{}));
  const auto condition = body->add_input("condition", tensor_type(DType::boolean, Dims{}));
  const auto carried = body->add_input("carried", {});
  Node step{.op = op, .name = "/loop/step"};
  for (auto& [name, value] : attributes) step.attributes.set(name, std::move(value));
  const auto next = body->add_value({.name = "next"});
  step.inputs = {carried, carried};
  step.outputs = {next};
  body->add_node(std::move(step));
  body->set_outputs({condition, next, next});

  Builder b;
  Node loop{.op = "Loop", .name = "/loop"};
  loop.inputs = {b.graph.add_constant("trips", Tensor::scalar(int64_t{3})), kNoValue,
                 b.input("start", {2, 8})};
  const auto last = b.graph.add_value({.name = "last"});
  const auto scan = b.graph.add_value({.name = "scan"});
  loop.outputs = {last, scan};
  loop.bodies = {body};
  b.graph.add_node(std::move(loop));
  infer(b.graph);
  return b.type(last) + " " + b.type(scan);
}

TEST(InferTest, LoopsKeepTheSizesThatEveryTripHas) {
  EXPECT_EQ(carried_type("Add", {}), "float32[2, 8] float32[?, 2, 8]");
  EXPECT_EQ(carried_type("Concat", {{"axis", int64_t{0}}}), "float32[?, 8] float32[?, ?, 8]");
}

// ONNX lets a node leave out the inputs at its end: Loop(M), Loop("", cond), Loop("", "").
TEST(InferTest, LoopsMayCarryNothing) {
  for (const std::vector<const char*>& given :
       {std::vector<const char*>{}, {"trips"}, {"", "going"}, {"trips", "going"}}) {
    auto body = std::make_shared<Graph>();
    const auto trip = body->add_input("trip", {});
    const auto condition = body->add_input("condition", {});
    body->set_outputs({condition, trip});
    Builder b;
    Node loop{.op = "Loop", .name = "/loop"};
    for (const std::string name : given) {
      loop.inputs.push_back(
          name.empty() ? kNoValue : b.input(name.c_str(), {}, name == "trips" ? int64 : boolean));
    }
    const auto scan = b.graph.add_value({.name = "scan"});
    loop.outputs = {scan};
    loop.bodies = {body};
    b.graph.add_node(std::move(loop));
    infer(b.graph);
    EXPECT_EQ(b.type(scan), "int64[?]");
  }
}

// Bodies whose carried shapes grow, within bodies: without a bound each level doubles the time.
TEST(InferTest, LoopsWithinLoopsTakeLinearTime) {
  constexpr int kDepth = 24;
  std::shared_ptr<Graph> inner;
  for (int level = 0; level < kDepth; ++level) {
    auto body = std::make_shared<Graph>();
    body->add_input("trip", tensor_type(DType::int64, Dims{}));
    const auto condition = body->add_input("condition", tensor_type(DType::boolean, Dims{}));
    const auto carried = body->add_input("carried", tensor_type(DType::float32, std::nullopt));
    Node step{.op = inner ? "Loop" : "Concat", .name = "/step"};
    if (inner) {
      step.inputs = {kNoValue, kNoValue, carried};
      step.bodies = {inner};
    } else {
      step.attributes.set("axis", int64_t{0});
      step.inputs = {carried, carried};
    }
    const auto next = body->add_value({.name = "next"});
    step.outputs = {next};
    body->add_node(std::move(step));
    body->set_outputs({condition, next});
    inner = body;
  }
  Builder b;
  Node loop{.op = "Loop", .name = "/loop"};
  loop.inputs = {kNoValue, kNoValue, b.input("x", {2, 3})};
  const auto y = b.graph.add_value({.name = "y"});
  loop.outputs = {y};
  loop.bodies = {inner};
  b.graph.add_node(std::move(loop));
  infer(b.graph);
  EXPECT_EQ(b.graph.value(y).type.dtype, DType::float32);
}

TEST(InferTest, BranchesKeepWhatBothHave) {
  const auto branch = [](Dims shape) {
    auto body = std::make_shared<Graph>();
    const auto captured = body->add_capture("x", {});
    Node node{.op = "Reshape", .name = "/if/reshape"};
    node.attributes.set("allowzero", int64_t{0});
    Ints sizes;
    for (const Dim& dim : shape) sizes.push_back(dim.value());
    node.inputs = {captured, body->add_constant("sizes", Tensor::from(sizes))};
    const auto y = body->add_value({.name = "y"});
    node.outputs = {y};
    body->add_node(std::move(node));
    body->set_outputs({y});
    return body;
  };
  const auto type_of = [&](Tensor condition) {
    Builder b;
    Node node{.op = "If", .name = "/if"};
    node.inputs = {condition.defined() ? b.graph.add_constant("c", condition)
                                       : b.input("c", {}, DType::boolean)};
    const auto y = b.graph.add_value({.name = "y"});
    node.outputs = {y};
    node.captures = {b.input("x", {12})};
    node.bodies = {branch({3, 4}), branch({2, 6})};
    node.bodies[1]->value(node.bodies[1]->outputs()[0]).name = "z";
    b.graph.add_node(std::move(node));
    infer(b.graph);
    return b.type(y);
  };
  EXPECT_EQ(type_of({}), "float32[?, ?]");
  EXPECT_EQ(type_of(Tensor::scalar(true)), "float32[3, 4]");
  EXPECT_EQ(type_of(Tensor::scalar(false)), "float32[2, 6]");
}

}  // namespace
}  // namespace ferry
