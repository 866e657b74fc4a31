#include <gmock/gmock.h>

#include "tests/support/fake_capability.h"
#include "tests/support/graph_builder.h"
#include "tests/support/requests.h"

namespace ferry {
namespace {

using ::testing::HasSubstr;

// A mask from a small input is read by heavy work on both sides; `spread` makes it large.
Graph mask(const char* spread = "Expand") {
  GraphBuilder build;
  build.input("small", {1, 1024});
  build.constant("shape", Tensor::zeros({2}, int64));
  build.input("x", {1024, 1024});
  build.node(spread, {"small", "shape"}, {"mask"}, {1024, 1024});
  build.node("MatMul", {"x", "mask"}, {"there"}, {1024, 1024});
  build.node("Rare", {"mask"}, {"here"}, {1024, 1024});
  build.node("MatMul", {"small", "there"}, {"y"}, {1, 1024});
  return build.outputs({"y", "here"});
}

FakeCapability capability() {
  FakeCapability out;
  out.missing["Rare"] = Support::no(ReasonCode::no_kernel, "Rare is not there");
  out.host_inputs["Expand"] = {1};
  return out;
}

TEST(Recompute, ACheapNodeRunsOnBothSides) {
  const Placement placement = place(mask(), PlacementRequest::parse("sim:0,cpu"), capability());
  const auto twice = std::ranges::find_if(
      placement.nodes(), [](const NodePlacement& node) { return node.name.starts_with("/mask@"); });
  ASSERT_NE(twice, placement.nodes().end()) << placement.text();
  EXPECT_EQ(twice->reason, "cheaper_here");
  EXPECT_THAT(twice->detail, HasSubstr("computed here again"));
  for (const CopyPlacement& copy : placement.copies()) EXPECT_NE(copy.value, "mask");
}

TEST(Recompute, NeverWhatIsRandomOrBoundOrNotWanted) {
  const auto has_clone = [](const Placement& placement) {
    return std::ranges::any_of(placement.nodes(), [](const NodePlacement& node) {
      return node.name.find('@') != std::string::npos;
    });
  };
  PlacementRequest request = PlacementRequest::parse("sim:0,cpu");
  EXPECT_FALSE(has_clone(place(mask("RandomNormalLike"), request, capability())));
  request.rules = {PlacementRule::parse("/mask=sim:0")};
  EXPECT_FALSE(has_clone(place(mask(), request, capability())));
  EXPECT_FALSE(has_clone(place(mask(), testing::device_first("sim:0,cpu"), capability())));
}

}  // namespace
}  // namespace ferry
