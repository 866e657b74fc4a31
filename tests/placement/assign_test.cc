#include <gmock/gmock.h>

#include "ferry/error.h"
#include "placement/placement.h"
#include "placement/solve/cost_model.h"
#include "placement/solve/network.h"
#include "tests/support/fake_capability.h"
#include "tests/support/graph_builder.h"

namespace ferry {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const Device kSim(DeviceKind::sim, 0);

PlacementRequest on_sim(bool fallback = false) {
  PlacementRequest request;
  request.device = kSim;
  request.cpu_fallback = fallback;
  request.policy = PlacementPolicy::device_first;
  return request;
}

// y = TopK-like(Relu(x)); the middle node is on the device or not.
Graph chain() {
  GraphBuilder build;
  build.input("x", {2, 3});
  build.node("Relu", {"x"}, {"a"});
  build.node("Rare", {"a"}, {"b"});
  build.node("Neg", {"b"}, {"y"});
  return build.outputs({"y"});
}

Decisions assign(Graph& graph, const PlacementRequest& request, const Capability& capability) {
  const CostModel costs = cost_model_of(request, capability);
  Assigning assigning{request, capability, costs};
  return assign_devices(graph, assigning);
}

const Node& node_named(const Graph& graph, const std::string& name) {
  for (const NodeId id : graph.order()) {
    if (graph.node(id).name == name) return graph.node(id);
  }
  throw std::runtime_error("no node " + name);
}

Error error_of(Graph graph, const PlacementRequest& request, const Capability& capability) {
  try {
    assign(graph, request, capability);
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "expected an Error";
  return Error(ErrorCode::internal, "");
}

TEST(Assign, TheCpuTakesEverything) {
  Graph graph = chain();
  const Decisions decisions = assign(graph, {}, FakeCapability());
  for (const NodeId id : graph.order()) {
    EXPECT_TRUE(graph.node(id).device.is_cpu());
    EXPECT_EQ(decisions.at(graph.node(id).name).reason, ReasonCode::requested);
  }
}

TEST(Assign, StrictDeviceListsAllThatItLacks) {
  FakeCapability capability;
  capability.missing["Rare"] = Support::no(ReasonCode::no_kernel, "no kernel is written for Rare");
  capability.missing["Neg"] = Support::no(ReasonCode::dtype, "input 0 is int64");
  const Error error = error_of(chain(), on_sim(), capability);
  EXPECT_EQ(error.code(), ErrorCode::placement);
  EXPECT_THAT(error.what(), HasSubstr("2 node(s) cannot run on sim:0"));
  EXPECT_THAT(error.what(), HasSubstr("/b (Rare): no_kernel, no kernel is written for Rare"));
  EXPECT_THAT(error.what(), HasSubstr("/y (Neg): dtype, input 0 is int64"));
  EXPECT_THAT(error.what(), HasSubstr("'sim:0,cpu'"));
}

TEST(Assign, FallbackKeepsTheReason) {
  FakeCapability capability;
  capability.missing["Rare"] = Support::no(ReasonCode::dtype, "input 0 is int64");
  Graph graph = chain();
  const Decisions decisions = assign(graph, on_sim(true), capability);
  EXPECT_EQ(node_named(graph, "/a").device, kSim);
  EXPECT_TRUE(node_named(graph, "/b").device.is_cpu());
  EXPECT_EQ(decisions.at("/b").reason, ReasonCode::dtype);
  EXPECT_EQ(decisions.at("/b").detail, "input 0 is int64");
  ASSERT_EQ(decisions.at("/b").rejected.size(), 1u);
  EXPECT_EQ(decisions.at("/b").rejected[0].device, kSim);
}

TEST(Assign, SizesThatOverflowAreNotSmall) {
  const Dims huge{256, int64_t{1} << 62};
  GraphBuilder build;
  build.input("x", huge, int64);
  build.node("Neg", {"x"}, {"y"}, huge, int64);
  Graph graph = build.outputs({"y"});
  assign(graph, on_sim(true), FakeCapability());
  EXPECT_EQ(node_named(graph, "/y").device, kSim);
}

// What a Loop says of its trips may be absent, or be no number.
TEST(Assign, TripsOfLoops) {
  const std::pair<Tensor, int64_t> kCases[] = {
      {Tensor::scalar(int64_t{7}), 7},  {Tensor::from({3}, int64), 3},
      {Tensor::scalar(int64_t{-1}), 1}, {Tensor::zeros({0}, int64), kAssumedTrips},
      {Tensor(), kAssumedTrips},
  };
  AssumedSizes sizes({});
  for (const auto& [count, trips] : kCases) {
    GraphBuilder build;
    if (count.defined()) build.constant("count", count);
    Node& loop = build.node("Loop", {}, {"y"});
    if (count.defined()) loop.inputs = {build.graph.find_value("count")};
    EXPECT_EQ(trips_of(build.graph, loop, sizes), trips);
  }
}

TEST(Assign, ANodeThatNobodyRunsIsAnError) {
  FakeCapability capability;
  capability.missing["Rare"] = Support::no(ReasonCode::no_kernel, "");
  capability.missing_on_cpu = {"Rare"};
  const Error error = error_of(chain(), on_sim(true), capability);
  EXPECT_EQ(error.code(), ErrorCode::unsupported);
  EXPECT_EQ(error.node(), "/b");
}

TEST(Assign, ShapeArithmeticIsAHostValueAndNeverAFailure) {
  // Reshape(Relu(x), Concat(Gather(Shape(x), 0), -1)): sizes only.
  GraphBuilder build;
  build.input("x", {Dim::symbol("batch"), 6});
  build.constant("zero", Tensor::from({0}, int64));
  build.constant("rest", Tensor::from({-1}, int64));
  build.node("Relu", {"x"}, {"r"}, {Dim::symbol("batch"), 6});
  build.node("Shape", {"r"}, {"s"}, {2}, int64);
  build.node("Gather", {"s", "zero"}, {"n"}, {1}, int64);
  build.node("Concat", {"n", "rest"}, {"shape"}, {2}, int64);
  build.node("Reshape", {"r", "shape"}, {"y"}, {Dim::symbol("batch"), 6});
  Graph& graph = build.outputs({"y"});
  FakeCapability capability;
  capability.host_inputs["Reshape"] = {1};
  capability.missing["Concat"] = Support::no(ReasonCode::dtype, "int64");
  const Decisions decisions = assign(graph, on_sim(), capability);
  for (const char* name : {"/s", "/n", "/shape"}) {
    EXPECT_TRUE(node_named(graph, name).device.is_cpu()) << name;
    EXPECT_EQ(decisions.at(name).reason, ReasonCode::host_value) << name;
  }
  EXPECT_EQ(node_named(graph, "/r").device, kSim);
  EXPECT_EQ(node_named(graph, "/y").device, kSim);
}

TEST(Assign, SmallInputsAreHostValuesOnlyWhereTheHostReadsThem) {
  GraphBuilder build;
  build.input("k", {1}, int64);
  build.input("x", {2, 3});
  build.constant("one", Tensor::from({1}, int64));
  build.node("Add", {"k", "one"}, {"k1"}, {1}, int64);
  build.node("Add", {"k", "one"}, {"other"}, {1}, int64);
  build.node("TopK", {"x", "k1"}, {"y"});
  Graph& graph = build.outputs({"y", "other"});
  FakeCapability capability;
  capability.host_inputs["TopK"] = {1};
  assign(graph, on_sim(), capability);
  EXPECT_TRUE(node_named(graph, "/k1").device.is_cpu());
  EXPECT_EQ(node_named(graph, "/other").device, kSim);
}

TEST(Assign, LargeTensorsOfSizesStayOnTheDevice) {
  GraphBuilder build;
  build.input("x", {2, 3});
  build.node("Shape", {"x"}, {"s"}, {2}, int64);
  build.node("Expand", {"x", "s"}, {"e"}, {1000, 1000});
  Graph& graph = build.outputs({"e"});
  FakeCapability capability;
  capability.host_inputs["Expand"] = {1};
  assign(graph, on_sim(), capability);
  EXPECT_EQ(node_named(graph, "/e").device, kSim);
}

TEST(Assign, RandomPlacementDependsOnTheSeedAlone) {
  const auto placed = [](uint64_t seed) {
    GraphBuilder build;
    build.input("x", {2, 3});
    std::string last = "x";
    for (int i = 0; i < 32; ++i) {
      const std::string name = "v" + std::to_string(i);
      build.node("Relu", {last}, {name});
      last = name;
    }
    Graph& graph = build.outputs({last});
    PlacementRequest request = on_sim();
    request.random_seed = seed;
    assign(graph, request, FakeCapability());
    std::string out;
    for (const NodeId id : graph.order()) out += graph.node(id).device.is_cpu() ? 'c' : 's';
    return out;
  };
  EXPECT_EQ(placed(1), placed(1));
  EXPECT_NE(placed(1), placed(2));
  EXPECT_THAT(placed(3), HasSubstr("c"));
  EXPECT_THAT(placed(3), HasSubstr("s"));
}

TEST(Request, Parses) {
  EXPECT_FALSE(PlacementRequest::parse("cuda:1").cpu_fallback);
  EXPECT_EQ(PlacementRequest::parse("cuda:1").device.index(), 1);
  EXPECT_TRUE(PlacementRequest::parse("sim:0,cpu").cpu_fallback);
  const PlacementRequest three = PlacementRequest::parse("sim:0,sim:1,cpu");
  EXPECT_TRUE(three.cpu_fallback);
  EXPECT_EQ(three.more_devices, std::vector<Device>{Device("sim:1")});
  EXPECT_FALSE(PlacementRequest::parse("sim:0,sim:1").cpu_fallback);
  for (const char* text : {"", "sim:0,", "gpu", "cpu,sim:0", "cpu,cpu", "sim:0,sim:0",
                           "sim:0,cpu,sim:1", "sim:0,cpu,cpu", ",sim:0"}) {
    EXPECT_THROW((void)PlacementRequest::parse(text), Error) << text;
  }
}

}  // namespace
}  // namespace ferry
