#include "placement/solve/rules.h"

#include <gmock/gmock.h>

#include "ferry/error.h"
#include "tests/support/fake_capability.h"
#include "tests/support/graph_builder.h"
#include "tests/support/requests.h"

namespace ferry {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const Device kSim(DeviceKind::sim, 0);

// x -> /enc/a (Relu) -> /enc/b (Neg) -> /dec (Add), and an If whose body has /if/inner.
Graph example() {
  GraphBuilder build;
  build.input("x", {64, 64});
  build.node("Relu", {"x"}, {"enc/a"}, {64, 64}).sources = {"original_relu"};
  build.node("Neg", {"enc/a"}, {"enc/b"}, {64, 64});
  build.node("Add", {"enc/b", "x"}, {"dec"}, {64, 64});
  auto body = std::make_shared<Graph>();
  const ValueId captured = body->add_capture("dec", {.dtype = float32, .shape = Dims{64, 64}});
  Node inner{.op = "Exp",
             .name = "/if/inner",
             .attributes = {},
             .inputs = {captured},
             .outputs = {body->add_value({.name = "inner", .type = {.dtype = float32}})}};
  body->set_outputs({inner.outputs[0]});
  body->add_node(std::move(inner));
  Node& branch = build.node("If", {"x"}, {"y"}, {64, 64});
  branch.name = "/if";
  branch.captures = {build.graph.find_value("dec")};
  branch.bodies = {body};
  return build.outputs({"y"});
}

FakeCapability capability() {
  FakeCapability out;
  out.missing["If"] = Support::no(ReasonCode::control_flow, "the host runs bodies");
  return out;
}

// "/enc/a sim:0, /enc/b cpu, ..."
std::string placed(const PlacementRequest& request, const FakeCapability& with = capability()) {
  std::string out;
  const Placement placement = place(example(), request, with);
  for (const NodePlacement& node : placement.nodes()) {
    out += (out.empty() ? "" : ", ") + node.name + " " + node.device.str();
  }
  return out;
}

PlacementRequest with_rules(std::initializer_list<const char*> pins,
                            const char* device = "sim:0,cpu") {
  PlacementRequest request = testing::device_first(device);
  for (const char* pin : pins) request.rules.push_back(PlacementRule::parse(pin));
  return request;
}

std::string error_of(const PlacementRequest& request, const FakeCapability& with = capability()) {
  try {
    (void)placed(request, with);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::placement) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "expected an Error";
  return "";
}

TEST(Rules, Globs) {
  struct Case {
    const char *pattern, *text;
    bool matches;
  };
  constexpr Case kCases[] = {
      {"", "", true},
      {"", "a", false},
      {"*", "", true},
      {"*", "abc", true},
      {"a*c", "abbc", true},
      {"a*c", "abcb", false},
      {"a?c", "abc", true},
      {"a?c", "ac", false},
      {"*a*b", "xaxbab", true},
      {"*a*b*", "ba", false},
      {"a\\*", "a*", true},
      {"a\\*", "ab", false},
      {"\\?", "?", true},
      {"a\\\\", "a\\", true},
      {"**", "x", true},
      {"a\\", "a\\", true},
      {"/enc/*", "/enc/x/y", true},
      {"enc", "/enc", false},
  };
  for (const Case& c : kCases) {
    EXPECT_EQ(matches_glob(c.pattern, c.text), c.matches) << c.pattern << " of " << c.text;
  }
  for (const char* text : {"", "plain", "a*b", "a?", "\\", "x\\*y"}) {
    EXPECT_TRUE(matches_glob(literal_glob(text), text)) << text;
    EXPECT_FALSE(matches_glob(literal_glob(text), std::string(text) + "z")) << text;
  }
}

TEST(Rules, PutNodesWhereTheySay) {
  struct Case {
    std::vector<const char*> pins;
    const char* placed;
  };
  const Case kCases[] = {
      {{"/enc/*=cpu"}, "/enc/a cpu, /enc/b cpu, /dec sim:0, /if cpu, /if/inner sim:0"},
      {{"original_relu=cpu"}, "/enc/a cpu, /enc/b sim:0, /dec sim:0, /if cpu, /if/inner sim:0"},
      {{"op:Neg=cpu", "node:/dec=cpu"},
       "/enc/a sim:0, /enc/b cpu, /dec cpu, /if cpu, /if/inner sim:0"},
      {{"subgraph:/if=cpu"}, "/enc/a sim:0, /enc/b sim:0, /dec sim:0, /if cpu, /if/inner cpu"},
      {{"tensor:dec=cpu"}, "/enc/a sim:0, /enc/b sim:0, /dec cpu, /if cpu, /if/inner sim:0"},
      // Those that agree may overlap.
      {{"*enc*=cpu", "op:Neg=cpu"}, "/enc/a cpu, /enc/b cpu, /dec sim:0, /if cpu, /if/inner sim:0"},
  };
  for (const Case& c : kCases) {
    PlacementRequest request = testing::device_first("sim:0,cpu");
    for (const char* pin : c.pins) request.rules.push_back(PlacementRule::parse(pin));
    EXPECT_EQ(placed(request), c.placed);
  }
}

// The importer makes several nodes of some: the one of its name is meant, not its helpers, which
// the device need not be able to run.
TEST(Rules, OfAnExpandedNodeMeanTheOneOfItsName) {
  GraphBuilder build;
  build.input("x", {64, 64});
  build.node("Identity", {"x"}, {"soft/helper"}, {64, 64}).sources = {"/soft"};
  build.node("Softmax", {"soft/helper"}, {"soft"}, {64, 64}).sources = {"/soft"};
  build.node("Relu", {"soft"}, {"y"}, {64, 64}).sources = {"/y", "/fused"};
  FakeCapability with;
  with.missing["Identity"] = Support::no(ReasonCode::no_kernel, "by order of the test");
  PlacementRequest request = PlacementRequest::parse("sim:0,cpu");
  request.rules = {PlacementRule::parse("/soft=sim:0"), PlacementRule::parse("/fused=sim:0")};
  const Placement placement = place(build.outputs({"y"}), request, with);
  EXPECT_EQ(placement.nodes()[0].device, Device::cpu());
  EXPECT_EQ(placement.nodes()[1].device, kSim);
  EXPECT_EQ(placement.nodes()[2].device, kSim);
  EXPECT_EQ(placement.rules()[0].nodes, 1);
  EXPECT_EQ(placement.rules()[1].nodes, 1);
}

TEST(Rules, HoldForAStrictDeviceAndForTheCpu) {
  EXPECT_EQ(placed(with_rules({"/if=cpu", "/enc/*=cpu"}, "sim:0")),
            "/enc/a cpu, /enc/b cpu, /dec sim:0, /if cpu, /if/inner sim:0");
  EXPECT_EQ(placed(with_rules({"op:Add=sim:0"}, "cpu")),
            "/enc/a cpu, /enc/b cpu, /dec sim:0, /if cpu, /if/inner cpu");
}

TEST(Rules, AreNotNeededForControlFlowOnAStrictDevice) {
  const Placement placement = place(example(), PlacementRequest::parse("sim:0"), capability());
  EXPECT_TRUE(placement.nodes()[3].device.is_cpu());
  EXPECT_EQ(placement.nodes()[3].reason, "control_flow");
  EXPECT_EQ(placement.nodes()[4].device, kSim);
}

// Whatever it costs, and whatever policy is asked for.
TEST(Rules, BindTheFastestPlacementToo) {
  PlacementRequest request = with_rules({"op:Exp=sim:0"});
  request.policy = PlacementPolicy::fastest;
  const Placement placement = place(example(), request, capability());
  EXPECT_EQ(placement.nodes()[4].device, kSim);
  EXPECT_EQ(placement.nodes()[4].reason, "pinned");
  EXPECT_EQ(placement.nodes()[4].detail, "rule 'op:Exp=sim:0'");
  EXPECT_TRUE(placement.nodes()[0].device.is_cpu());
}

TEST(Rules, ListsGiveTheFirstThatMatches) {
  PlacementRequest request = testing::device_first("sim:0,cpu");
  request.rules = PlacementRule::parse_list("cpu(/enc/b, op:If); sim:0(/enc/*); cpu(*)");
  EXPECT_EQ(placed(request), "/enc/a sim:0, /enc/b cpu, /dec cpu, /if cpu, /if/inner cpu");
  std::vector<int> counts;
  const Placement placement = place(example(), request, capability());
  for (const RuleMatch& rule : placement.rules()) {
    counts.push_back(rule.nodes);
  }
  EXPECT_THAT(counts, ElementsAre(1, 1, 1, 2));
}

TEST(Rules, ThatCannotHoldAreErrorsThatNameThem) {
  EXPECT_THAT(error_of(with_rules({"/encoder/*=cpu"})),
              HasSubstr("'/encoder/*=cpu' matches no node"));
  EXPECT_THAT(error_of(with_rules({"op:Ned=cpu"})),
              HasSubstr("'op:Ned=cpu' matches no op of the model. Did you mean 'Neg'?"));
  EXPECT_THAT(error_of(with_rules({"tensor:x=cpu"})), HasSubstr("matches no tensor"));
  EXPECT_THAT(error_of(with_rules({"subgraph:/dec=cpu"})), HasSubstr("matches no subgraph"));
  EXPECT_THAT(error_of(with_rules({"/enc/*=cpu", "op:Neg=sim:0"})),
              ::testing::AllOf(HasSubstr("'/enc/*=cpu'"), HasSubstr("'op:Neg=sim:0'"),
                               HasSubstr("/enc/b")));
  EXPECT_THAT(error_of(with_rules({"/if=sim:0"})),
              HasSubstr("'/if=sim:0' puts this node on sim:0, which cannot run it: control_flow"));
}

TEST(Rules, Malformed) {
  for (const char* text : {"", "enc", "=cpu", "enc=", "enc=gpu", "op:=cpu", " =cpu"}) {
    EXPECT_THROW((void)PlacementRule::parse(text), Error) << text;
  }
  for (const char* text : {"", "cpu", "cpu()", "cpu(*", "cpu)*(", "gpu(*)", "cpu(a,)",
                           "cpu(a) sim:0(b)", "(a)", "cpu(a);;sim:0(b)"}) {
    EXPECT_THROW((void)PlacementRule::parse_list(text), Error) << text;
  }
  EXPECT_EQ(PlacementRule::parse_list(" cpu( a , op:b ) ; sim:0(*) ; ").size(), 3u);
}

TEST(Rules, SmallIslandsGoToTheCpu) {
  PlacementRequest request = testing::device_first("sim:0,cpu");
  FakeCapability without_neg = capability();
  without_neg.missing["Neg"] = Support::no(ReasonCode::no_kernel, "no kernel is written for Neg");
  EXPECT_EQ(placed(request, without_neg),
            "/enc/a sim:0, /enc/b cpu, /dec sim:0, /if cpu, /if/inner sim:0");
  request.min_island = 2;
  const Placement placement = place(example(), request, without_neg);
  EXPECT_TRUE(placement.nodes()[0].device.is_cpu());
  EXPECT_EQ(placement.nodes()[0].detail, "an island on sim:0 has at least 2 nodes");
  request.min_island = 0;
  try {
    (void)place(example(), request, without_neg);
    FAIL() << "expected an Error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
  }
}

}  // namespace
}  // namespace ferry
