// Memory limits against a planner that adds up what is simple to add up.
#include "placement/solve/memory.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <random>
#include <set>

#include "ferry/error.h"
#include "tests/support/fake_capability.h"
#include "tests/support/graph_builder.h"
#include "tests/support/requests.h"

namespace ferry {
namespace {

using ::testing::HasSubstr;

const Device kSim(DeviceKind::sim, 0);

// Weights with a home on a device, and the largest sum of what a node reads and writes there.
class SumPlanner : public MemoryPlanner {
 public:
  using Symbols = std::map<std::string, int64_t>;
  std::map<Device, MemoryUse> memory_of(const Graph& graph, const Symbols& symbols) const override {
    std::map<Device, MemoryUse> out;
    std::set<ValueId> weights;
    for (const NodeId id : graph.order()) {
      const Node& node = graph.node(id);
      int64_t step = 0;
      for (const auto* list : {&node.inputs, &node.outputs}) {
        for (const ValueId value : *list) {
          if (value == kNoValue || graph.value(value).device != node.device) continue;
          if (!graph.value(value).is_constant()) {
            step += bytes_of(graph.value(value), symbols);
          } else if (weights.insert(value).second) {
            out[node.device].weights += bytes_of(graph.value(value), symbols);
          }
        }
      }
      out[node.device].activations = std::max(out[node.device].activations, step);
    }
    return out;
  }

 private:
  static int64_t bytes_of(const Value& value, const Symbols& symbols) {
    int64_t bytes = 4;
    for (const Dim& dim : *value.type.shape) bytes *= dim.evaluate(symbols).value();
    return bytes;
  }
};

// y = x w1 w2 ... of square matrices, each weight read once.
Graph chain(int weights, int64_t size = 256) {
  GraphBuilder build;
  build.input("x", {size, size});
  std::string before = "x";
  for (int i = 1; i <= weights; ++i) {
    const std::string name = std::to_string(i);
    build.constant("w" + name, Tensor::zeros({size, size}));
    build.node("MatMul", {before, "w" + name}, {"y" + name}, {size, size});
    before = "y" + name;
  }
  return build.outputs({before});
}
constexpr int64_t kWeight = 256 * 256 * 4;

PlacementRequest limited(const char* device, int64_t bytes) {
  PlacementRequest request = PlacementRequest::parse(device);
  request.memory_limits[kSim] = bytes;
  return request;
}

Placement placed(const Graph& graph, const PlacementRequest& request) {
  return place(graph, request, FakeCapability(), std::make_shared<SumPlanner>());
}

const MemoryUse& memory_of(const Placement& placement) {
  return std::ranges::find(placement.devices(), kSim, &DevicePlacement::device)->memory;
}

TEST(Memory, ALimitThatFitsChangesNothing) {
  const Graph graph = chain(8);
  const Placement free = placed(graph, testing::device_first("sim:0"));
  EXPECT_EQ(memory_of(free).weights, 8 * kWeight);
  EXPECT_FALSE(memory_of(free).limit);
  const Placement placement = placed(graph, limited("sim:0", memory_of(free).peak()));
  EXPECT_EQ(placement.prediction().seconds, free.prediction().seconds);
  EXPECT_TRUE(placement.spilled().empty());
  EXPECT_EQ(*memory_of(placement).limit, memory_of(free).peak());
}

// A strict device has no other place for its nodes: weights are brought in every run.
TEST(Memory, AStrictDeviceStreams) {
  const Graph graph = chain(8);
  const int64_t limit = 7 * kWeight;  // a product with a weight that is brought, and 4 weights
  const Placement placement = placed(graph, limited("sim:0", limit));
  EXPECT_LE(memory_of(placement).peak(), limit);
  for (const NodePlacement& node : placement.nodes()) EXPECT_EQ(node.device, kSim);
  EXPECT_EQ(placement.spilled().size(), 4u);
  int streams = 0;
  for (const CopyPlacement& copy : placement.copies()) {
    if (copy.kind != "stream") continue;
    ++streams;
    EXPECT_EQ(copy.bytes.value, kWeight);
    EXPECT_EQ(copy.when, "run");
    EXPECT_EQ(copy.producer, "weight");
  }
  EXPECT_EQ(streams, 4);
  for (const SpilledWeight& weight : placement.spilled()) {
    EXPECT_TRUE(weight.streamed);
    EXPECT_GT(weight.seconds, 0);
  }
  const Placement free = placed(graph, testing::device_first("sim:0"));
  EXPECT_GT(placement.prediction().seconds, free.prediction().seconds);
  EXPECT_LE(*placement.prediction().lower_bound_seconds, placement.prediction().seconds);
  EXPECT_GE(*placement.prediction().lower_bound_seconds, free.prediction().seconds * (1 - 1e-9));
}

// Small products are not worth bringing their weights: their nodes go to the CPU.
TEST(Memory, NodesLeaveWhereThatIsCheaper) {
  GraphBuilder build;
  build.input("x", {1, 1024});
  build.constant("w", Tensor::zeros({1024, 1024}));
  build.constant("v", Tensor::zeros({16, 1024}));
  build.node("MatMul", {"x", "w"}, {"y"}, {1, 1024});
  build.node("Add", {"y", "v"}, {"z"}, {16, 1024});
  PlacementRequest request = limited("sim:0,cpu", 1 << 20);
  request.policy = PlacementPolicy::fastest;
  request.rules = {PlacementRule::parse("op:Add=sim:0")};
  const Placement placement = placed(build.outputs({"z"}), request);
  EXPECT_TRUE(placement.nodes()[0].device.is_cpu());
  EXPECT_EQ(placement.nodes()[1].device, kSim);
  EXPECT_LE(memory_of(placement).peak(), 1 << 20);
}

// Over random chains and limits: what is promised of every answer.
TEST(Memory, EveryAnswerKeepsTheLimitAndItsBound) {
  constexpr uint64_t kSeed = 20260301;
  std::mt19937_64 random(kSeed);
  const auto below = [&](int64_t n) {
    return static_cast<int64_t>(random() % static_cast<uint64_t>(n));
  };
  int spilled = 0, bounds = 0;
  for (int round = 0; round < 60; ++round) {
    SCOPED_TRACE("seed " + std::to_string(kSeed) + ", round " + std::to_string(round));
    const Graph graph = chain(static_cast<int>(2 + below(8)), 64 << below(4));
    PlacementRequest request = PlacementRequest::parse("sim:0,cpu");
    if (below(2) == 0) request.policy = PlacementPolicy::device_first;
    const Placement free = placed(graph, request);
    const int64_t most = memory_of(free).peak();
    if (most == 0) continue;
    request.memory_limits[kSim] = most / 4 + below(most);
    try {
      const Placement placement = placed(graph, request);
      ASSERT_LE(memory_of(placement).peak(), request.memory_limits[kSim]);
      // Where the policy looks for the fastest, and the limit costs anything.
      ASSERT_GE(placement.prediction().seconds,
                placement.prediction().lower_bound_seconds.value_or(0) * (1 - 1e-9));
      bounds += placement.prediction().lower_bound_seconds.has_value();
      ASSERT_EQ(placement.json(), placed(graph, request).json());
      spilled += !placement.spilled().empty();
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ErrorCode::out_of_memory) << error.what();
    }
  }
  EXPECT_GT(spilled, 10);
  EXPECT_GT(bounds, 5);
}

// Each size is placed as the request would place it, limits and all.
TEST(Memory, SizeRangesKeepTheLimit) {
  GraphBuilder build;
  build.input("x", {Dim::symbol("batch"), 1024});
  build.constant("w", Tensor::zeros({1024, 1024}));
  build.constant("v", Tensor::zeros({1024, 1024}));
  build.node("MatMul", {"x", "w"}, {"y"}, {Dim::symbol("batch"), 1024});
  build.node("MatMul", {"y", "v"}, {"z"}, {Dim::symbol("batch"), 1024});
  const Graph& graph = build.outputs({"z"});
  PlacementRequest request = limited("sim:0", 5 << 20);  // each weight alone has 4 MiB
  request.size_range = {"batch", 1, 4};
  const Placement placement = placed(graph, request);
  ASSERT_EQ(placement.size_ranges().size(), 1u);
  EXPECT_EQ(placement.size_ranges()[0].first_seconds, placement.prediction().seconds);
  EXPECT_EQ(placement.spilled().size(), 2u);
}

TEST(Memory, ALimitThatHoldsNothingSaysWhatIsNeeded) {
  for (const char* device : {"sim:0", "sim:0,cpu"}) {
    try {
      (void)placed(chain(4), limited(device, 1000));
      FAIL() << "expected an Error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::out_of_memory);
      EXPECT_THAT(error.what(), HasSubstr("sim:0 may take 1000 B and needs at least ")) << device;
    }
  }
}

TEST(Memory, LimitsThatMeanNothing) {
  const auto refused = [](const PlacementRequest& request,
                          std::shared_ptr<const MemoryPlanner> planner) {
    try {
      (void)place(chain(1), request, FakeCapability(), planner);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
      return std::string(error.what());
    }
    return std::string();
  };
  const auto planner = std::make_shared<SumPlanner>();
  EXPECT_THAT(refused(limited("sim:0", 1 << 20), nullptr), HasSubstr("a planner of memory"));
  EXPECT_THAT(refused(limited("sim:0", -1), planner), HasSubstr("negative"));
  PlacementRequest request = limited("cpu", 1 << 20);
  EXPECT_THAT(refused(request, planner), HasSubstr("none of the devices asked for"));
  request.memory_limits = {{Device::cpu(), 1}};
  EXPECT_THAT(refused(request, planner), HasSubstr("the CPU has no limit"));
}

}  // namespace
}  // namespace ferry
