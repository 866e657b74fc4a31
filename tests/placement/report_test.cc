#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "placement/placement.h"
#include "tests/support/fake_capability.h"
#include "tests/support/graph_builder.h"

namespace ferry {
namespace {

using ::testing::HasSubstr;

const Device kSim(DeviceKind::sim, 0);

Placement example() {
  GraphBuilder build;
  build.graph.name = "example.onnx";
  build.graph.opsets[""] = 20;
  build.input("x", {Dim::symbol("batch"), 4});
  build.constant("w", Tensor::zeros({4, 4}));
  build.node("MatMul", {"x", "w"}, {"a"}, {Dim::symbol("batch"), 4});
  build.node("Rare", {"a"}, {"b"}, {Dim::symbol("batch"), 4});
  build.node("Relu", {"b"}, {"y"}, {Dim::symbol("batch"), 4});
  Graph& graph = build.outputs({"y"});
  FakeCapability capability;
  capability.missing["Rare"] = Support::no(ReasonCode::no_kernel, "no kernel is written for Rare");
  PlacementRequest request;
  request.device = kSim;
  request.cpu_fallback = true;
  request.policy = PlacementPolicy::device_first;
  request.dims["batch"] = 8;
  return place(graph, request, capability);
}

TEST(Report, Records) {
  const Placement placement = example();
  ASSERT_EQ(placement.nodes().size(), 3u);
  EXPECT_EQ(placement.nodes()[1].reason, "no_kernel");
  EXPECT_EQ(placement.nodes()[2].island, 3);
  ASSERT_EQ(placement.weights().size(), 1u);
  EXPECT_EQ(placement.weights()[0].name, "w");
  EXPECT_THAT(placement.weights()[0].homes, ::testing::ElementsAre(kSim));
  struct Expected {
    const char *value, *kind, *when;
    int64_t bytes;
  };
  constexpr Expected kCopies[] = {{"x", "feed", "run", 128},
                                  {"w", "weight", "load", 64},
                                  {"a", "activation", "run", 128},
                                  {"b", "activation", "run", 128},
                                  {"y", "output", "run", 128}};
  ASSERT_EQ(placement.copies().size(), std::size(kCopies));
  for (size_t i = 0; i < std::size(kCopies); ++i) {
    EXPECT_EQ(placement.copies()[i].value, kCopies[i].value);
    EXPECT_EQ(placement.copies()[i].kind, kCopies[i].kind);
    EXPECT_EQ(placement.copies()[i].when, kCopies[i].when);
    EXPECT_EQ(placement.copies()[i].bytes.value, kCopies[i].bytes);
  }
  EXPECT_EQ(placement.copies()[0].bytes.expression, "16*batch");
  EXPECT_TRUE(placement.assumed_symbols().empty());
}

TEST(Report, SummaryIsOneLine) {
  EXPECT_EQ(example().summary(),
            "placed 2/3 nodes on sim:0 (simulated); 1 on cpu (1 no_kernel); 4 copies, 512 B/run");
}

TEST(Report, TextNamesReasonsAndCopies) {
  const std::string text = example().text();
  EXPECT_THAT(text, HasSubstr("no_kernel       Rare"));
  EXPECT_THAT(text, HasSubstr("h2d         128 B  x   input -> /a   (16*batch bytes)"));
  EXPECT_THAT(text, HasSubstr("(simulated)"));
}

TEST(Report, JsonIsStable) {
  const std::string text = example().json();
  EXPECT_EQ(text, example().json());
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json["schema"], "ferry.placement/1");
  EXPECT_EQ(json["nodes"][1]["reason"]["code"], "no_kernel");
  EXPECT_EQ(json["devices"][1]["simulated"], true);
  EXPECT_EQ(json["copies"][0]["bytes"]["expression"], "16*batch");
}

}  // namespace
}  // namespace ferry
