#include <gmock/gmock.h>

#include "placement/placement.h"
#include "tests/support/fake_capability.h"
#include "tests/support/graph_builder.h"

namespace ferry {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const Device kSim(DeviceKind::sim, 0);

// Every copy node of the graph, bodies included: "value from->to".
std::vector<std::string> copies_of(const Graph& graph) {
  std::vector<std::string> out;
  for (const NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    for (const auto& body : node.bodies) {
      for (std::string& copy : copies_of(*body)) out.push_back("body " + std::move(copy));
    }
    if (node.op != kCopyOp) continue;
    const Value &from = graph.value(node.inputs[0]), &to = graph.value(node.outputs[0]);
    out.push_back(from.name + " " + from.device.str() + "->" + to.device.str());
  }
  return out;
}

void run_passes(Graph& graph, const Capability& capability, const PlacementRequest& request = {}) {
  verify(graph, "the test");
  insert_copies(graph, request, capability);
  verify(graph, "insert_copies");
  elide_copies(graph);
  verify(graph, "elide_copies");
}

TEST(Copies, OncePerValueAndDestination) {
  GraphBuilder build;
  build.input("x", {2, 3});
  build.node("Relu", {"x"}, {"a"}).device = kSim;
  build.node("Neg", {"x"}, {"b"}).device = kSim;
  build.node("Abs", {"a"}, {"c"});
  build.node("Exp", {"a"}, {"d"});
  build.node("Add", {"b", "b"}, {"e"}).device = kSim;
  Graph& graph = build.outputs({"c", "d", "e"});
  run_passes(graph, FakeCapability());
  EXPECT_THAT(copies_of(graph), ElementsAre("x cpu->sim:0", "a sim:0->cpu", "e sim:0->cpu"));
}

TEST(Copies, HostPortsAndMetadataPorts) {
  GraphBuilder build;
  build.input("x", {2, 3});
  build.input("shape", {2}, int64);
  build.node("Relu", {"x"}, {"a"}).device = kSim;
  build.node("Shape", {"a"}, {"s"}, {2}, int64);               // looks at a, copies nothing
  build.node("Reshape", {"a", "shape"}, {"b"}).device = kSim;  // reads shape on the host
  build.node("Expand", {"b", "s"}, {"y"}).device = kSim;
  Graph& graph = build.outputs({"y"});
  FakeCapability capability;
  capability.host_inputs["Reshape"] = {1};
  capability.host_inputs["Expand"] = {1};
  run_passes(graph, capability);
  EXPECT_THAT(copies_of(graph), ElementsAre("x cpu->sim:0", "y sim:0->cpu"));
}

TEST(Copies, HostOutputsOfDeviceNodesAreReadWhereTheyAre) {
  GraphBuilder build;
  build.input("x", {2, 3});
  build.node("Relu", {"x"}, {"a"}).device = kSim;
  build.node("Shape", {"a"}, {"s"}, {2}, int64).device = kSim;
  build.node("Cast", {"s"}, {"f"}, {2});
  Graph& graph = build.outputs({"f"});
  run_passes(graph, FakeCapability());
  EXPECT_THAT(copies_of(graph), ElementsAre("x cpu->sim:0"));
}

TEST(Copies, ConstantsGetASecondHomeInstead) {
  GraphBuilder build;
  build.input("x", {2, 3});
  build.constant("w", Tensor::from({1, 2, 3}));
  build.node("Mul", {"x", "w"}, {"a"}).device = kSim;
  build.node("Add", {"a", "w"}, {"y"});
  Graph& graph = build.outputs({"y"});
  run_passes(graph, FakeCapability());
  EXPECT_THAT(copies_of(graph), ElementsAre("x cpu->sim:0", "a sim:0->cpu"));
  const ValueId there = graph.find_value("w@sim:0");
  ASSERT_NE(there, kNoValue);
  EXPECT_TRUE(
      graph.value(there).constant.shares_storage_with(graph.value(graph.find_value("w")).constant));
}

TEST(Copies, OutputsGoWhereTheRequestWantsThem) {
  const auto copies = [](Device outputs_on) {
    GraphBuilder build;
    build.input("x", {2, 3});
    build.node("Relu", {"x"}, {"y"}).device = kSim;
    Graph& graph = build.outputs({"y", "x"});
    PlacementRequest request;
    request.outputs_on = outputs_on;
    run_passes(graph, FakeCapability(), request);
    return copies_of(graph);
  };
  EXPECT_THAT(copies(Device::cpu()), ElementsAre("x cpu->sim:0", "y sim:0->cpu"));
  EXPECT_THAT(copies(kSim), ElementsAre("x cpu->sim:0"));
}

TEST(Copies, ACopyBackToTheSourceIsElided) {
  Graph graph;
  const ValueId x = graph.add_input("x", {.dtype = float32, .shape = Dims{2}});
  const ValueId there = graph.add_value({.name = "there", .device = kSim});
  const ValueId back = graph.add_value({.name = "back"});
  const ValueId y = graph.add_value({.name = "y"});
  graph.add_node({.op = std::string(kCopyOp), .name = "up", .inputs = {x}, .outputs = {there}});
  graph.add_node(
      {.op = std::string(kCopyOp), .name = "down", .inputs = {there}, .outputs = {back}});
  graph.add_node({.op = "Relu", .name = "relu", .inputs = {back}, .outputs = {y}});
  graph.set_outputs({y});
  elide_copies(graph);
  verify(graph, "elide_copies");
  EXPECT_THAT(copies_of(graph), IsEmpty());
  EXPECT_EQ(graph.node(graph.order()[0]).inputs[0], x);
}

// y = If(c) { Relu(a) on sim } else { Neg(a) on cpu }, where a is computed outside.
TEST(Copies, CapturesAreCopiedOutsideTheBody) {
  const auto branch = [](const char* op, Device device) {
    auto body = std::make_shared<Graph>();
    const ValueId a = body->add_capture("a", {.dtype = float32, .shape = Dims{2, 3}});
    const ValueId out =
        body->add_value({.name = "out", .type = {.dtype = float32, .shape = Dims{2, 3}}});
    body->add_node({.op = op,
                    .name = std::string("/if/") + op,
                    .inputs = {a},
                    .outputs = {out},
                    .device = device});
    body->set_outputs({out});
    return body;
  };
  GraphBuilder build;
  build.input("c", {}, boolean);
  build.input("x", {2, 3});
  build.node("Abs", {"x"}, {"a"});
  Node& node = build.node("If", {"c"}, {"y"});
  node.captures = {build.graph.find_value("a")};
  node.device = kSim;
  node.bodies = {branch("Relu", kSim), branch("Neg", Device::cpu())};
  Graph& graph = build.outputs({"y"});
  FakeCapability capability;
  capability.host_inputs["If"] = {0};
  run_passes(graph, capability);
  EXPECT_THAT(copies_of(graph), ElementsAre("a cpu->sim:0", "body out cpu->sim:0", "y sim:0->cpu"));
  for (const NodeId id : graph.order()) {
    if (graph.node(id).op == "If") {
      EXPECT_EQ(graph.node(id).captures.size(), 2u);
    }
  }
}

}  // namespace
}  // namespace ferry
