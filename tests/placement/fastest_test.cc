// The policy `fastest`, against every other assignment of the same graph, each costed from the
// copies that the passes really insert.
#include <gmock/gmock.h>

#include <cmath>
#include <random>

#include "ferry/error.h"
#include "placement/placement.h"
#include "placement/solve/cost_model.h"
#include "placement/solve/network.h"
#include "tests/support/fake_capability.h"
#include "tests/support/graph_builder.h"

namespace ferry {
namespace {

using ::testing::HasSubstr;

const Device kSim(DeviceKind::sim, 0);

PlacementRequest fastest() {
  PlacementRequest request = PlacementRequest::parse("sim:0,cpu");
  request.policy = PlacementPolicy::fastest;
  return request;
}

FakeCapability capability_of_tests() {
  FakeCapability capability;
  capability.missing["Rare"] = Support::no(ReasonCode::no_kernel, "Rare is not there");
  for (const char* op : {"If", "Loop", "Scan"}) {
    capability.missing[op] = Support::no(ReasonCode::control_flow, "the host runs bodies");
  }
  capability.host_inputs["HostPort"] = {1};
  return capability;
}

int64_t trips_of(const Graph& graph, const Node& node) {
  if (node.op == "Scan") return (*graph.value(node.inputs[0]).type.shape)[0].value();
  return node.op == "If" ? 1 : kAssumedTrips;
}

// Picoseconds of a graph with devices and copies in it.
int64_t cost_of(const Graph& graph, const Capability& capability, int64_t trips = 1) {
  const CostModel costs = cost_model_of(fastest(), capability);
  AssumedSizes sizes({});
  int64_t total = 0;
  for (const NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    if (node.op == kCopyOp) {
      const double bytes = assumed_bytes(graph.value(node.inputs[0]).type, sizes);
      total += trips * costs.copy(bytes, 0, 1);
      continue;
    }
    total += trips * node_picoseconds(work_of(graph, node, sizes),
                                      costs.profiles[node.device.is_cpu() ? 0 : 1]);
    for (const auto& body : node.bodies) {
      total += cost_of(*body, capability, trips * trips_of(graph, node));
    }
  }
  return total;
}

class RandomGraph {
 public:
  explicit RandomGraph(uint64_t seed) : random_(seed) {}

  Graph make() {
    Graph graph;
    std::vector<ValueId> values;
    for (int i = 0; i < 1 + below(2); ++i) {
      values.push_back(graph.add_input("x" + std::to_string(i), type()));
    }
    fill(graph, values, 2 + below(5), /*bodies=*/true);
    std::vector<ValueId> outputs{values.back()};
    if (below(2) == 0 && values.size() > 4) outputs.push_back(values[values.size() - 2]);
    graph.set_outputs(outputs);
    return graph;
  }

 private:
  int below(int n) { return static_cast<int>(random_() % static_cast<uint64_t>(n)); }
  Type type() {
    constexpr int64_t kSizes[] = {1, 64, 4096, 200'000, 3'000'000};
    return {.dtype = float32, .shape = Dims{kSizes[below(5)]}};
  }

  void fill(Graph& graph, std::vector<ValueId>& values, int count, bool bodies) {
    for (int i = 0; i < count; ++i) {
      Node node;
      node.name = "/n" + std::to_string(nodes_++);
      constexpr const char* kOps[] = {"Add", "Erf", "Relu", "Rare", "HostPort", "Shape"};
      node.op = kOps[below(6)];
      const int inputs = node.op == "Add" || node.op == "HostPort" ? 2 : 1;
      const auto pick = [&] {
        return values[static_cast<size_t>(below(static_cast<int>(values.size())))];
      };
      for (int k = 0; k < inputs; ++k) node.inputs.push_back(pick());
      if (bodies && below(5) == 0) {
        constexpr const char* kBodies[] = {"If", "Loop", "Scan"};
        node.op = kBodies[below(3)];
        node.inputs = {pick()};
        if (node.op == "Loop") node.inputs.insert(node.inputs.begin(), 2, kNoValue);
        if (node.op == "Scan") {
          node.attributes.set("num_scan_inputs", int64_t{1});
          node.attributes.set("scan_input_axes", std::vector<int64_t>{0});
        }
        node.captures = {pick()};
        node.bodies.push_back(body(node.op, graph.value(node.captures[0]).type));
      }
      node.outputs = {graph.add_value({.name = "v" + node.name, .type = type()})};
      values.push_back(node.outputs[0]);
      graph.add_node(std::move(node));
    }
  }

  std::shared_ptr<Graph> body(const std::string& op, const Type& captured) {
    auto graph = std::make_shared<Graph>();
    std::vector<ValueId> values;
    ValueId condition = kNoValue;
    if (op == "Scan") {
      values.push_back(graph->add_input("slice", {.dtype = float32, .shape = Dims{}}));
    }
    if (op == "Loop") {
      graph->add_input("trip", {.dtype = int64, .shape = Dims{}});
      condition = graph->add_input("condition", {.dtype = boolean, .shape = Dims{}});
      values.push_back(graph->add_input("carried", type()));
    }
    values.push_back(graph->add_capture("captured", captured));
    fill(*graph, values, 1 + below(3), /*bodies=*/false);
    std::vector<ValueId> outputs{values.back()};
    if (op == "Loop") outputs.insert(outputs.begin(), condition);
    graph->set_outputs(outputs);
    return graph;
  }

  std::mt19937_64 random_;
  int nodes_ = 0;
};

void collect(Graph& graph, std::vector<Node*>& nodes) {
  for (const NodeId id : graph.order()) {
    nodes.push_back(&graph.node(id));
    for (const auto& body : graph.node(id).bodies) collect(*body, nodes);
  }
}

// The least cost of all assignments in which host values stay on the host.
int64_t best_of_all(const Graph& graph, const Capability& capability) {
  Graph first = clone(graph);
  PlacementRequest request = fastest();
  request.policy = PlacementPolicy::device_first;
  const CostModel costs = cost_model_of(request, capability);
  Assigning assigning{request, capability, costs};
  const Decisions decisions = assign_devices(first, assigning);
  std::vector<Node*> all;
  collect(first, all);
  std::vector<size_t> movable;
  for (size_t i = 0; i < all.size(); ++i) {
    if (!all[i]->device.is_cpu()) movable.push_back(i);
  }
  int64_t best = INT64_MAX;
  for (uint64_t bits = 0; bits < uint64_t{1} << movable.size(); ++bits) {
    Graph tried = clone(first);
    std::vector<Node*> nodes;
    collect(tried, nodes);
    for (size_t i = 0; i < movable.size(); ++i) {
      if (bits >> i & 1) nodes[movable[i]]->device = Device::cpu();
    }
    insert_copies(tried, request, capability);
    elide_copies(tried);
    best = std::min(best, cost_of(tried, capability));
  }
  return best;
}

TEST(Fastest, IsTheBestOfAllAssignmentsOfAGraph) {
  const FakeCapability capability = capability_of_tests();
  const CostModel costs = cost_model_of(fastest(), capability);
  int with_bodies = 0, better = 0, recomputed = 0;
  for (uint64_t seed = 1; seed <= 2000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Graph graph = RandomGraph(seed).make();
    const int64_t best = best_of_all(graph, capability);
    Graph assigned = clone(graph);
    const PlacementRequest request = fastest();
    Assigning assigning{request, capability, costs};
    assign_devices(assigned, assigning);
    ASSERT_EQ(assigning.priced_cost, best);
    // What is computed twice is a gain on top, or is not done.
    const Placement placement = place(graph, request, capability);
    const Prediction& found = placement.prediction();
    const auto predicted = static_cast<int64_t>(std::llround(found.seconds * 1e12));
    ASSERT_EQ(predicted, cost_of(placement.data()->graph, capability));
    ASSERT_LE(predicted, best);
    recomputed += predicted < best;
    ASSERT_LE(found.seconds, *found.device_first_seconds);
    ASSERT_LE(found.seconds, found.cpu_seconds.value_or(INFINITY));
    ASSERT_EQ(placement.json(), place(graph, request, capability).json());
    better += found.seconds < *found.device_first_seconds;
    for (const NodeId id : graph.order()) with_bodies += !graph.node(id).bodies.empty();
    for (const NodePlacement& node : placement.nodes()) {
      if (node.reason == "host_value") continue;
      for (const MoveCost& move : node.moves) ASSERT_GE(move.seconds, 0) << node.name;
    }
  }
  // The graphs are no trivial ones.
  EXPECT_GT(better, 200);
  EXPECT_GT(with_bodies, 200);
  EXPECT_GT(recomputed, 20);
}

// Nothing that is asked of a placement makes its reports differ from run to run, and a further
// device never makes it slower.
TEST(Fastest, AFurtherDeviceNeverMakesItSlower) {
  FakeCapability capability = capability_of_tests();
  capability.missing_on[kSim] = {"Erf"};
  capability.missing_on[Device("sim:1")] = {"Relu"};
  int spread = 0;
  for (uint64_t seed = 1; seed <= 2000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Graph graph = RandomGraph(seed).make();
    double before = INFINITY;
    for (const char* devices : {"cpu", "sim:0,cpu", "sim:0,sim:1,cpu", "sim:0,sim:1,sim:2,cpu"}) {
      const Placement placement = place(graph, PlacementRequest::parse(devices), capability);
      ASSERT_LE(placement.prediction().seconds, before) << devices;
      before = placement.prediction().seconds;
      ASSERT_EQ(placement.json(), place(graph, placement.request(), capability).json());
      spread += placement.run_copies().device_to_device > 0;
    }
  }
  EXPECT_GT(spread, 20);
}

// Over the same graphs, with a few nodes pinned at random: each pin holds, or the Error names it.
TEST(Fastest, HonoursEveryPinOrNamesIt) {
  const FakeCapability capability = capability_of_tests();
  int honoured = 0, refused = 0;
  for (uint64_t seed = 1; seed <= 2000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Graph graph = RandomGraph(seed).make();
    std::mt19937_64 random(seed);
    Graph all = clone(graph);
    std::vector<Node*> nodes;
    collect(all, nodes);
    PlacementRequest request = fastest();
    std::map<std::string, Device> wanted;
    for (const Node* node : nodes) {
      if (random() % 3 != 0) continue;
      const Device device = random() % 2 == 0 ? kSim : Device::cpu();
      request.rules.push_back(PlacementRule::parse(node->name + "=" + device.str()));
      wanted.emplace(node->name, device);
    }
    try {
      const Placement placement = place(graph, request, capability);
      for (const NodePlacement& node : placement.nodes()) {
        const auto pin = wanted.find(node.name);
        if (pin == wanted.end()) continue;
        ASSERT_EQ(node.device, pin->second) << node.name;
        ASSERT_EQ(node.reason, "pinned");
        ++honoured;
      }
      ASSERT_LE(placement.prediction().seconds, *placement.prediction().device_first_seconds);
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ErrorCode::placement);
      ASSERT_THAT(error.what(), HasSubstr("the rule '" + error.node() + "=sim:0'"));
      ++refused;
    }
  }
  EXPECT_GT(honoured, 500);
  EXPECT_GT(refused, 100);
}

TEST(Fastest, SaysWhyANodeStaysOnTheCpu) {
  GraphBuilder build;
  build.input("x", {2, 3});
  build.node("Relu", {"x"}, {"y"});
  const Placement placement = place(build.outputs({"y"}), fastest(), capability_of_tests());
  const NodePlacement& node = placement.nodes()[0];
  EXPECT_TRUE(node.device.is_cpu());
  EXPECT_EQ(node.reason, "cheaper_here");
  EXPECT_THAT(node.detail, HasSubstr(" on cpu; on sim:0 a run would take "));
  ASSERT_EQ(node.predicted.size(), 2u);
  EXPECT_LT(node.predicted[0].seconds, node.predicted[1].seconds);
  EXPECT_EQ(placement.prediction().profiles.size(), 3u);
  EXPECT_THAT(placement.text(), HasSubstr("predicted: "));
}

TEST(Fastest, TakesTheDeviceWhereTheWorkIsWorthTheCopies) {
  GraphBuilder build;
  build.input("x", {4096, 4096});
  build.input("w", {4096, 4096});
  build.node("MatMul", {"x", "w"}, {"y"}, {4096, 4096});
  const Placement placement = place(build.outputs({"y"}), fastest(), capability_of_tests());
  EXPECT_EQ(placement.nodes()[0].device, kSim);
  EXPECT_EQ(placement.nodes()[0].reason, "requested");
}

TEST(Fastest, NamesTheSizesThatItAssumed) {
  GraphBuilder build;
  build.input("x", {Dim::symbol("batch"), 3});
  build.node("Relu", {"x"}, {"y"}, {Dim::symbol("batch"), 3});
  const Placement placement = place(build.outputs({"y"}), fastest(), capability_of_tests());
  EXPECT_EQ(placement.run_copies().count, 0);
  EXPECT_EQ(placement.assumed_symbols(), std::vector<std::string>{"batch"});
  EXPECT_THAT(placement.text(), HasSubstr("that it can run at batch=1"));
}

TEST(Fastest, WithoutAChoiceTheDeviceHasIt) {
  GraphBuilder build;
  build.input("x", {2, 3});
  build.node("Relu", {"x"}, {"y"});
  const Placement placement =
      place(build.outputs({"y"}), PlacementRequest::parse("sim:0"), capability_of_tests());
  EXPECT_EQ(placement.nodes()[0].device, kSim);
  // The report says what that costs.
  ASSERT_EQ(placement.nodes()[0].moves.size(), 1u);
  EXPECT_LT(placement.nodes()[0].moves[0].seconds, 0);
  EXPECT_LT(*placement.prediction().cpu_seconds, placement.prediction().seconds);
}

TEST(Fastest, PoliciesHaveWords) {
  EXPECT_EQ(policy_from_string("fastest"), PlacementPolicy::fastest);
  EXPECT_EQ(to_string(PlacementPolicy::device_first), "device_first");
  try {
    policy_from_string("fastst");
    FAIL() << "expected an Error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("'fastest'"));
  }
}

}  // namespace
}  // namespace ferry
