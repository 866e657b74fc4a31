#include "ferry/diff.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/support/fake_capability.h"
#include "tests/support/graph_builder.h"
#include "tests/support/requests.h"

namespace ferry {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const Device kCpu, kSim(DeviceKind::sim, 0);

struct Names {
  std::string a = "/a", b = "/b", y = "/y", w = "w";
};

// x -> Relu -> Neg -> Add(w) -> y
Placement placed(const std::string& device, const std::set<std::string>& missing = {},
                 const Names& names = {}) {
  GraphBuilder build;
  build.input("x", {2, 3});
  build.constant(names.w, Tensor::from({10, 20, 30}));
  build.node("Relu", {"x"}, {"a"}).name = names.a;
  build.node("Neg", {"a"}, {"b"}).name = names.b;
  build.node("Add", {"b", names.w}, {"y"}).name = names.y;
  FakeCapability capability;
  for (const std::string& op : missing) {
    capability.missing[op] = Support::no(ReasonCode::no_kernel, op + " by order of the test");
  }
  return place(build.outputs({"y"}), testing::device_first(device), capability);
}

std::string names_of(const std::vector<NodePair>& pairs) {
  std::string out;
  for (const NodePair& pair : pairs) out += pair.before->name + ">" + pair.after->name + " ";
  return out;
}

TEST(Diff, EqualPlacementsAreTheSame) {
  const Placement one = placed("sim:0"), other = placed("sim:0");
  const PlacementDiff found = diff(one, other);
  EXPECT_TRUE(found.same());
  EXPECT_EQ(found.summary(), "the placements are the same");
  EXPECT_THAT(found.worse(), IsEmpty());
}

TEST(Diff, SaysWhatMovedAndWhy) {
  const Placement one = placed("sim:0"), other = placed("sim:0,cpu", {"Neg"});
  const PlacementDiff found = diff(one, other);
  EXPECT_FALSE(found.same());
  EXPECT_EQ(names_of(found.moved), "/b>/b ");
  EXPECT_EQ(found.moved[0].after->reason, "no_kernel");
  ASSERT_EQ(found.copies_added.size(), 2u);
  EXPECT_EQ(found.copies_added[0]->value, "a");
  EXPECT_THAT(found.copies_gone, IsEmpty());
  EXPECT_THAT(found.worse(),
              ElementsAre("nodes that fell back: 1, before 0", "copies of a run: 4, before 2",
                          "bytes of a run: 96, before 48",
                          "predicted time of a run: 48.1 us, before 32 us"));
  // The other way it is better.
  const PlacementDiff back = diff(other, one);
  EXPECT_THAT(back.worse(), IsEmpty());
  EXPECT_EQ(back.copies_gone.size(), 2u);

  const std::string text = found.text("one", "other");
  EXPECT_THAT(text, HasSubstr("  /b    Neg  sim:0 -> cpu  no_kernel, Neg by order of the test  "
                              "requested\n"));
  EXPECT_THAT(text, HasSubstr("1 node(s) moved; copies of a run 2 -> 4; bytes of a run 48 B -> "
                              "96 B"));
  EXPECT_THAT(text, HasSubstr("copies added (2)"));
}

TEST(Diff, WeightsHaveHomes) {
  const Placement one = placed("sim:0"), other = placed("sim:0,cpu", {"Add"});
  const PlacementDiff found = diff(one, other);
  ASSERT_EQ(found.weights_moved.size(), 1u);
  EXPECT_THAT(found.weights_moved[0].before->homes, ElementsAre(kSim));
  EXPECT_THAT(found.weights_moved[0].after->homes, ElementsAre(kCpu));
  EXPECT_THAT(found.text("", ""), HasSubstr("  w       12 B   cpu    sim:0"));
}

TEST(Diff, PairsNodesThatOnlyHaveOtherNames) {
  const Placement one = placed("sim:0");
  const Placement other =
      placed("sim:0,cpu", {"Neg"}, {"node_relu", "node_neg", "node_add", "weight"});
  const PlacementDiff found = diff(one, other);
  EXPECT_EQ(names_of(found.renamed), "/a>node_relu /b>node_neg /y>node_add ");
  EXPECT_EQ(names_of(found.moved), "/b>node_neg ");
  EXPECT_THAT(found.nodes_added, IsEmpty());
  EXPECT_THAT(found.nodes_gone, IsEmpty());
  EXPECT_THAT(found.weights_gone, IsEmpty());
  EXPECT_EQ(found.copies_added.size(), 2u);
}

TEST(Diff, PairsBySourcesBeforeOrder) {
  // Two nodes of one operator, whose names were swapped and whose sources tell.
  const auto model = [](const std::string& first, const std::string& second, Device device) {
    auto data = std::make_shared<PlacementData>();
    for (const std::string& name : {first, second}) {
      NodePlacement node;
      node.name = name + (device == kCpu ? "" : "_2");
      node.op = "Conv";
      node.device = device;
      node.sources = {name};
      data->nodes.push_back(node);
    }
    return data;
  };
  const auto one = model("p", "q", kCpu), other = model("q", "p", kSim);
  EXPECT_EQ(names_of(diff(Placement(one), Placement(other)).moved), "q>q_2 p>p_2 ");
}

TEST(Diff, NodesThatCameAndWentAreNotPaired) {
  const Placement one = placed("sim:0");
  auto data = std::make_shared<PlacementData>(*one.data());
  NodePlacement more;
  more.name = "/more";
  more.op = "Relu";
  more.device = kSim;
  data->nodes.push_back(more);
  const PlacementDiff found = diff(one, Placement(data));
  ASSERT_EQ(found.nodes_added.size(), 1u);
  EXPECT_EQ(found.nodes_added[0]->name, "/more");
  EXPECT_EQ(diff(Placement(data), one).nodes_gone.size(), 1u);
}

TEST(Diff, RenumberedNodesArePairedAroundWhatWasPutInBetween) {
  const auto model = [](const std::string& prefix, const std::vector<std::string>& ops) {
    auto data = std::make_shared<PlacementData>();
    for (const std::string& op : ops) {
      NodePlacement node;
      node.name = prefix + std::to_string(data->nodes.size());
      node.op = op;
      data->nodes.push_back(node);
    }
    return Placement(std::move(data));
  };
  const Placement one = model("a", {"Conv", "Relu", "Conv", "Relu", "Gemm"});
  const Placement other = model("b", {"Conv", "Relu", "Conv", "Add", "Conv", "Relu", "Gemm"});
  const PlacementDiff found = diff(one, other);
  EXPECT_EQ(names_of(found.renamed), "a0>b0 a1>b1 a2>b2 a3>b5 a4>b6 ");
  ASSERT_EQ(found.nodes_added.size(), 2u);
  EXPECT_EQ(found.nodes_added[0]->name, "b3");
  EXPECT_EQ(found.nodes_added[1]->name, "b4");
  EXPECT_THAT(found.nodes_gone, IsEmpty());
  EXPECT_EQ(diff(other, one).nodes_gone.size(), 2u);
}

TEST(Diff, PredictedTimeIsWorseOnlyWhereBothKnowIt) {
  auto one = std::make_shared<PlacementData>(*placed("sim:0").data()), other = one;
  other = std::make_shared<PlacementData>(*one);
  one->prediction.seconds = 0;
  other->prediction.seconds = 2e-3;
  EXPECT_THAT(diff(Placement(one), Placement(other)).worse(), IsEmpty());
  one->prediction.seconds = 1e-3;
  EXPECT_THAT(diff(Placement(one), Placement(other)).worse(),
              ElementsAre("predicted time of a run: 2 ms, before 1 ms"));
  EXPECT_THAT(diff(Placement(one), Placement(other)).text("", ""), HasSubstr("+100.0 %"));
  other->prediction.seconds = 1e-3 * (1 + 1e-9);
  EXPECT_THAT(diff(Placement(one), Placement(other)).worse(), IsEmpty());
}

TEST(Diff, JsonHasEveryList) {
  const Placement one = placed("sim:0"), other = placed("sim:0,cpu", {"Neg"});
  const auto json = nlohmann::json::parse(diff(one, other).json("a", "b"));
  EXPECT_EQ(json["schema"], "ferry.diff/1");
  EXPECT_EQ(json["nodes"]["moved"][0]["after"]["reason"]["code"], "no_kernel");
  EXPECT_EQ(json["copies"]["added"].size(), 2u);
  EXPECT_EQ(json["worse"].size(), 4u);
  EXPECT_FALSE(json["same"]);
}

TEST(Diff, MarkdownCannotBeBrokenByNames) {
  const Placement one = placed("sim:0", {}, {.b = "/b|</details>\n# `x`"});
  const Placement other = placed("sim:0,cpu", {"Neg"}, {.b = "/b|</details>\n# `x`"});
  const std::string text = diff(one, other).markdown("main.json", "branch.json");
  EXPECT_THAT(text, HasSubstr("### Placement: 1 node(s) moved"));
  EXPECT_THAT(text, HasSubstr("| copies of a run | 2 | 4 | +2 |"));
  EXPECT_THAT(text, HasSubstr("> - copies of a run: 4, before 2"));
  EXPECT_THAT(text, HasSubstr("| /b\\|\\</details>\\\\x0a# \\`x\\` | Neg | sim:0 -> cpu |"));
  EXPECT_THAT(text, Not(HasSubstr("\n# ")));
}

TEST(Diff, LongListsSayHowMuchIsLeftOut) {
  auto one = std::make_shared<PlacementData>(), other = std::make_shared<PlacementData>();
  for (int i = 0; i < 25; ++i) {
    NodePlacement node;
    node.name = "/n" + std::to_string(i);
    node.op = "Relu";
    one->nodes.push_back(node);
    node.device = kSim;
    other->nodes.push_back(node);
  }
  const std::string text = diff(Placement(one), Placement(other)).text("", "");
  EXPECT_THAT(text, HasSubstr("nodes on another device (25)"));
  EXPECT_THAT(text, HasSubstr("and 5 more; the JSON form has all"));
  EXPECT_THAT(text, Not(HasSubstr("/n24")));
}

}  // namespace
}  // namespace ferry
