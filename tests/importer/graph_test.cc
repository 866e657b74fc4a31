// What a well-formed model becomes: values, names, bodies, local functions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "graph/infer.h"
#include "tests/importer/import_testing.h"

namespace ferry {
namespace {

using testing::add_node;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::import_bytes;
using testing::ModelBuilder;
using testing::NodeBuilder;
using testing::show;
using testing::SizeOrName;

std::vector<std::string> node_names(const Graph& graph) {
  std::vector<std::string> names;
  for (NodeId id : graph.order()) names.push_back(graph.node(id).name);
  return names;
}

std::vector<std::string> names_of(const Graph& graph, const std::vector<ValueId>& ids) {
  std::vector<std::string> names;
  for (ValueId id : ids) names.push_back(graph.value(id).name);
  return names;
}

TEST(Import, KeepsTheFactsOfTheModel) {
  ModelBuilder model(17, 8);
  model.proto().set_producer_name("pytorch");
  model.proto().set_producer_version("2.13.0");
  model.import("ai.onnx.ml", 3);
  auto* entry = model.proto().add_metadata_props();
  entry->set_key("author");
  entry->set_value("us");
  model.input("x", float32, {"batch", 3}).output("y", float32, {"batch", 3});
  model.node("Relu", {"x"}, {"y"}).name("act");
  Graph graph = import_bytes(model.bytes());
  EXPECT_EQ(graph.name, "test");
  EXPECT_EQ(graph.producer, "pytorch 2.13.0");
  EXPECT_EQ(graph.ir_version, 8);
  EXPECT_EQ(graph.opsets, (std::map<std::string, int64_t>{{"", 17}, {"ai.onnx.ml", 3}}));
  EXPECT_EQ(graph.metadata.at("author"), "us");
  EXPECT_EQ(graph.value(graph.inputs()[0]).type.str(), "float32[batch, 3]");
  EXPECT_EQ(graph.value(graph.outputs()[0]).type.str(), "float32[?, ?]");
  EXPECT_EQ(graph.node(graph.order()[0]).sources, std::vector<std::string>{"act"});
}

TEST(Import, EscapesTextThatIsNotUtf8) {
  ModelBuilder model;
  model.graph()->set_name("a\xff");
  auto* entry = model.proto().add_metadata_props();
  entry->set_key("k");
  entry->set_value("caf\xc3\xa9\xc3");
  model.input("x", float32, {2}).output("y", float32, {2});
  model.node("Relu", {"x"}, {"y"}).name("\xfe");
  Graph graph = import_bytes(model.bytes());
  EXPECT_EQ(graph.name, "a\\xff");
  EXPECT_EQ(graph.metadata.at("k"), "caf\xc3\xa9\\xc3");
  EXPECT_EQ(graph.node(graph.order()[0]).name, "Relu_y");
}

TEST(Import, InitializersThatAreInputsAreConstants) {
  ModelBuilder model(9, 3);
  model.input("x", float32, {2}).input("w", float32, {2}).initializer<float>("w", {1, 2}, {2});
  model.node("Add", {"x", "w"}, {"y"});
  model.output("y", float32, {2});
  Graph graph = import_bytes(model.bytes());
  EXPECT_THAT(names_of(graph, graph.inputs()), ElementsAre("x"));
  EXPECT_TRUE(graph.value(graph.find_value("w")).is_constant());
}

TEST(Import, NamesNodesByPathOrOutput) {
  ModelBuilder model;
  model.input("x", float32, {2}).output("d", float32, {2});
  model.node("Relu", {"x"}, {"a"});
  model.node("Relu", {"a"}, {"b"}).name("/block/act");
  model.node("Relu", {"b"}, {"c"}).name("/block/act");
  model.node("Relu", {"c"}, {"d"}).name("act");
  EXPECT_THAT(node_names(import_bytes(model.bytes())),
              ElementsAre("Relu_a", "/block/act", "/block/act_1", "act"));
}

TEST(Import, SizesAreNumbersSymbolsOrUnknown) {
  ModelBuilder model;
  model.input("x", float32, {"batch", 3, "2*n + 1", ""}).output("y", float32);
  model.node("Relu", {"x"}, {"y"});
  Graph graph = import_bytes(model.bytes());
  EXPECT_EQ(graph.value(graph.inputs()[0]).type.str(), "float32[batch, 3, ?, ?]");
}

// Exporters write the sizes of their example, also for models whose sizes vary.
TEST(Import, TakesSizesFromInputsAndFixedOutputs) {
  for (SizeOrName size : {SizeOrName(7), SizeOrName("batch")}) {
    ModelBuilder model;
    model.input("x", float32, {size, 3}).output("y", float32, {7, 3});
    model.value_info("h", float32, {7, 3});
    model.node("Relu", {"x"}, {"h"});
    model.node("Relu", {"h"}, {"y"});
    Graph graph = import_bytes(model.bytes());
    EXPECT_EQ(graph.value(graph.find_value("h")).type.str(), "float32[?, ?]");
    EXPECT_EQ(graph.value(graph.find_value("y")).type.str(),
              size.index() == 0 ? "float32[7, 3]" : "float32[?, ?]");
  }
}

TEST(Import, OptionalInputsAndOutputsMayBeAbsent) {
  ModelBuilder model;
  model.input("x", float32, {2}).input("hi", float32).output("y", float32, {2});
  model.node("Clip", {"x", "", "hi"}, {"y"});
  model.node("Clip", {"x", "", ""}, {"z"});
  EXPECT_EQ(show(import_bytes(model.bytes())), "y = Clip(x, -, hi)\nz = Clip(x)\n");
}

TEST(Import, SequencesAndOptionalsHaveTypes) {
  ModelBuilder model;
  auto* info = model.graph()->add_input();
  info->set_name("s");
  auto* element = info->mutable_type()->mutable_sequence_type()->mutable_elem_type();
  element->mutable_tensor_type()->set_elem_type(1);
  model.node("SequenceLength", {"s"}, {"n"});
  auto* type = model.node("Optional", {}, {"o"}).add("type", onnx::AttributeProto::TYPE_PROTO);
  type->mutable_tp()->mutable_tensor_type()->set_elem_type(7);
  model.output("n", int64);
  Graph graph = import_bytes(model.bytes());
  EXPECT_EQ(graph.value(graph.inputs()[0]).type.str(), "sequence(float32[...])");
  EXPECT_EQ(graph.value(graph.find_value("o")).type.str(), "optional(int64[...])");
}

TEST(Bodies, CaptureWhatTheyRead) {
  ModelBuilder model;
  model.input("c", boolean).input("x", float32, {2}).output("y", float32, {2});
  model.initializer<float>("w", {1, 2}, {2});
  NodeBuilder choose = model.node("If", {"c"}, {"y"}).name("choose");
  testing::GraphProtoBuilder otherwise(choose.graph("else_branch"));
  otherwise.node("Mul", {"x", "w"}, {"e"}).name("mul");
  otherwise.untyped_output("e");
  testing::GraphProtoBuilder then(choose.graph("then_branch"));
  then.node("Relu", {"x"}, {"t"}).name("/act");
  then.untyped_output("t");
  Graph graph = import_bytes(model.bytes());
  const Node& node = graph.node(graph.order()[0]);
  EXPECT_THAT(names_of(graph, node.captures), ElementsAre("x", "w"));
  ASSERT_EQ(node.bodies.size(), 2u);
  EXPECT_EQ(show(*node.bodies[0]), "t = Relu(x)\n");
  EXPECT_EQ(show(*node.bodies[1]), "e = Mul(x, w)\n");
  for (const auto& body : node.bodies) {
    EXPECT_THAT(names_of(*body, body->captures()), ElementsAre("x", "w"));
  }
  EXPECT_EQ(node_names(*node.bodies[0])[0], "choose/then_branch/act");
  EXPECT_EQ(node_names(*node.bodies[1])[0], "choose/else_branch/mul");
}

TEST(Bodies, PassCapturesThroughAndOut) {
  // The inner branch reads x of the outermost graph; the outer branch gives x out as it is.
  ModelBuilder model;
  model.input("c", boolean).input("x", float32, {2}).output("y", float32, {2});
  NodeBuilder outer = model.node("If", {"c"}, {"y"}).name("outer");
  testing::GraphProtoBuilder then(outer.graph("then_branch"));
  NodeBuilder inner = then.node("If", {"c"}, {"t"}).name("inner");
  then.untyped_output("t");
  for (const char* branch : {"then_branch", "else_branch"}) {
    testing::GraphProtoBuilder body(inner.graph(branch));
    body.node("Neg", {"x"}, {std::string(branch) + "_out"});
    body.untyped_output(std::string(branch) + "_out");
  }
  testing::GraphProtoBuilder(outer.graph("else_branch")).untyped_output("x");
  Graph graph = import_bytes(model.bytes());
  const Node& node = graph.node(graph.order()[0]);
  EXPECT_THAT(names_of(graph, node.captures), ElementsAre("c", "x"));
  const Graph& body = *node.bodies[0];
  EXPECT_EQ(show(body), "t = If(c) captures(x)\n");
  EXPECT_EQ(node.bodies[1]->outputs()[0], node.bodies[1]->captures()[1]);
}

TEST(Bodies, LoopValuesAreInputsOfTheBody) {
  ModelBuilder model;
  model.input("m", int64).input("v", float32, {2}).output("v_out", float32, {2});
  NodeBuilder loop = model.node("Loop", {"m", "", "v"}, {"v_out", "all"}).name("loop");
  testing::GraphProtoBuilder body(loop.graph("body"));
  body.input("i", int64).input("go", boolean).untyped_input("v_in");
  body.node("Identity", {"go"}, {"go_on"}).name("id");
  body.node("Add", {"v_in", "v_in"}, {"next"}).name("add");
  body.untyped_output("go_on").untyped_output("next").untyped_output("next");
  Graph graph = import_bytes(model.bytes());
  const Node& node = graph.node(graph.order()[0]);
  EXPECT_EQ(show(graph), "v_out, all = Loop(m, -, v)\n");
  EXPECT_TRUE(node.captures.empty());
  EXPECT_THAT(names_of(*node.bodies[0], node.bodies[0]->outputs()),
              ElementsAre("go_on", "next", "next"));
  EXPECT_THAT(node_names(*node.bodies[0]), ElementsAre("loop/body/id", "loop/body/add"));
}

// Where nobody wants the last outputs, the body still has theirs.
TEST(Bodies, OutputsLeftOutKeepTheirPlaces) {
  ModelBuilder model;
  model.input("m", int64).input("v", float32, {2}).output("first", float32, {2});
  NodeBuilder loop = model.node("Loop", {"m", "", "v"}, {"first", ""}).name("loop");
  testing::GraphProtoBuilder body(loop.graph("body"));
  body.input("i", int64).input("go", boolean).untyped_input("v_in");
  body.node("Identity", {"go"}, {"go_on"});
  body.untyped_output("go_on").untyped_output("v_in").untyped_output("v_in");
  Graph graph = import_bytes(model.bytes());
  EXPECT_EQ(graph.node(graph.order()[0]).outputs.size(), 2u);
  EXPECT_NO_THROW(infer(graph));
}

TEST(Functions, AreExpandedWithTheirOwnNamesAndOpset) {
  ModelBuilder model(21);
  model.import("local", 1);
  model.input("x", float32, {2}).output("y", float32, {2});
  // Written for opset 6, where Clip has attributes.
  auto* clamp = model.function("local", "Clamp", {"a"}, {"b"}, 6);
  clamp->add_attribute("top");
  add_node(clamp, "Relu", {"a"}, {"r"}).name("relu");
  add_node(clamp, "Clip", {"r"}, {"b"})
      .name("clip")
      .reference("max", "top", onnx::AttributeProto::FLOAT);
  model.node("Clamp", {"x"}, {"h"}).name("/first").domain("local").attr("top", 6.f);
  model.node("Clamp", {"h"}, {"y"}).name("/second").domain("local").attr("top", 1.f);
  Graph graph = import_bytes(model.bytes());
  EXPECT_THAT(node_names(graph),
              ElementsAre("/first/relu", "/first/clip/CastLike", "/first/clip", "/second/relu",
                          "/second/clip/CastLike", "/second/clip"));
  EXPECT_EQ(show(graph),
            "$0 = Relu(x)\n$1 = CastLike(6.0, $0)\nh = Clip($0, -, $1)\n"
            "$2 = Relu(h)\n$3 = CastLike(1.0, $2)\ny = Clip($2, -, $3)\n");
}

TEST(Functions, AttributesHaveDefaultsAndMayBeLeftOut) {
  ModelBuilder model(21);
  model.import("local", 1);
  model.input("x", float32, {2}).output("y", float32, {2});
  auto* function = model.function("local", "F", {"a"}, {"b"});
  auto* preset = function->add_attribute_proto();
  preset->set_name("slope");
  preset->set_type(onnx::AttributeProto::FLOAT);
  preset->set_f(0.25f);
  function->add_attribute("other");
  add_node(function, "LeakyRelu", {"a"}, {"t"}).reference("alpha", "slope", 1);
  add_node(function, "LeakyRelu", {"t"}, {"b"}).reference("alpha", "other", 1);
  model.node("F", {"x"}, {"y"}).name("f").domain("local");
  std::string text = testing::show_attributes(import_bytes(model.bytes()));
  EXPECT_THAT(text, HasSubstr("LeakyRelu(x) alpha=0.25"));
  EXPECT_THAT(text, HasSubstr("alpha=0.01"));
}

TEST(Functions, HandInputsAndConstantsThrough) {
  ModelBuilder model(21);
  model.import("local", 1);
  model.input("x", float32, {2}).output("same", float32, {2}).output("twice", float32, {2});
  auto* function = model.function("local", "F", {"a", "b"}, {"a", "n", "n"});
  add_node(function, "Neg", {"a"}, {"n"}).name("neg");
  // b is not given.
  model.node("F", {"x"}, {"same", "once", "twice"}).name("f").domain("local");
  EXPECT_EQ(show(import_bytes(model.bytes())),
            "once = Neg(x)\nsame = Identity(x)\ntwice = Identity(once)\n");
}

TEST(Functions, InBodiesAndWithBodies) {
  ModelBuilder model(21);
  model.import("local", 1);
  model.input("c", boolean).input("x", float32, {2}).output("y", float32, {2});
  auto* function = model.function("local", "F", {"k", "a"}, {"b"});
  NodeBuilder choose = add_node(function, "If", {"k"}, {"b"}).name("if");
  for (const char* branch : {"then_branch", "else_branch"}) {
    testing::GraphProtoBuilder body(choose.graph(branch));
    body.node("Neg", {"a"}, {std::string("n_") + branch}).name("neg");
    body.untyped_output(std::string("n_") + branch);
  }
  NodeBuilder outer = model.node("If", {"c"}, {"y"}).name("outer");
  for (const char* branch : {"then_branch", "else_branch"}) {
    testing::GraphProtoBuilder body(outer.graph(branch));
    body.node("F", {"c", "x"}, {std::string("f_") + branch}).name("call").domain("local");
    body.untyped_output(std::string("f_") + branch);
  }
  Graph graph = import_bytes(model.bytes());
  const Node& node = graph.node(graph.order()[0]);
  EXPECT_THAT(names_of(graph, node.captures), ElementsAre("c", "x"));
  const Graph& body = *node.bodies[0];
  EXPECT_EQ(show(body), "f_then_branch = If(c) captures(x)\n");
  EXPECT_THAT(node_names(*body.node(body.order()[0]).bodies[0]),
              ElementsAre("outer/then_branch/call/if/then_branch/neg"));
}

TEST(Functions, OverloadsAreToldApart) {
  ModelBuilder model(21);
  model.import("local", 1);
  model.input("x", float32, {2}).output("y", float32, {2});
  add_node(model.function("local", "F", {"a"}, {"b"}), "Neg", {"a"}, {"b"});
  auto* second = model.function("local", "F", {"a"}, {"b"});
  second->set_overload("abs");
  add_node(second, "Abs", {"a"}, {"b"});
  model.node("F", {"x"}, {"h"}).domain("local");
  model.node("F", {"h"}, {"y"}).domain("local").overload("abs");
  EXPECT_EQ(show(import_bytes(model.bytes())), "h = Neg(x)\ny = Abs(h)\n");
}

TEST(Import, ViewsWeightsInTheFile) {
  ModelBuilder model;
  model.initializer<float>("w", std::vector<float>(1000, 1.f), {1000}).output("w", float32, {1000});
  // Raw data is aligned for one of four lengths of the name in front of it.
  int in_place = 0;
  for (const char* name : {"", "a", "ab", "abc"}) {
    model.graph()->set_name(name);
    auto bytes = std::make_shared<std::string>(model.bytes());
    Graph graph = import_model(testing::as_bytes(*bytes), bytes);
    const auto* data = static_cast<const char*>(graph.value(0).constant.data());
    in_place += data >= bytes->data() && data < bytes->data() + bytes->size();
  }
  EXPECT_EQ(in_place, 1);
}

}  // namespace
}  // namespace ferry
