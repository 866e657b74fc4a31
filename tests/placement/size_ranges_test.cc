#include "placement/solve/size_ranges.h"

#include <gmock/gmock.h>

#include "ferry/error.h"
#include "tests/support/fake_capability.h"
#include "tests/support/graph_builder.h"

namespace ferry {
namespace {

Graph product() {
  GraphBuilder build;
  build.input("x", {Dim::symbol("batch"), 256});
  build.constant("w", Tensor::zeros({256, 256}));
  build.node("MatMul", {"x", "w"}, {"y"}, {Dim::symbol("batch"), 256});
  return build.outputs({"y"});
}

PlacementRequest over(int64_t first, int64_t last) {
  PlacementRequest request = PlacementRequest::parse("sim:0,cpu");
  request.size_range = {"batch", first, last};
  return request;
}

Device device_at(int64_t size) {
  PlacementRequest request = PlacementRequest::parse("sim:0,cpu");
  request.dims["batch"] = size;
  return place(product(), request, FakeCapability()).nodes()[0].device;
}

// The place where it changes is the place where single placements change.
TEST(SizeRanges, SayWhereTheCutChanges) {
  const Placement placement = place(product(), over(1, 4096), FakeCapability());
  const std::vector<PlacedRange>& ranges = placement.size_ranges();
  ASSERT_EQ(ranges.size(), 2u);
  EXPECT_EQ(ranges[0].first, 1);
  EXPECT_EQ(ranges[1].first, ranges[0].last + 1);
  EXPECT_EQ(ranges[1].last, 4096);
  EXPECT_EQ(ranges[0].nodes, (std::map<Device, int>{{Device::cpu(), 1}}));
  EXPECT_EQ(ranges[1].nodes, (std::map<Device, int>{{Device("sim:0"), 1}}));
  EXPECT_TRUE(device_at(ranges[0].last).is_cpu());
  EXPECT_FALSE(device_at(ranges[1].first).is_cpu());
  EXPECT_LT(ranges[0].first_seconds, ranges[0].last_seconds);
  EXPECT_LT(ranges[1].first_seconds, ranges[1].last_seconds);
  // The placement is that of the first size.
  EXPECT_TRUE(placement.nodes()[0].device.is_cpu());
}

TEST(SizeRanges, OneSizeIsOneRange) {
  const Placement placement = place(product(), over(7, 7), FakeCapability());
  ASSERT_EQ(placement.size_ranges().size(), 1u);
  EXPECT_EQ(placement.size_ranges()[0].first, 7);
  EXPECT_EQ(placement.size_ranges()[0].last, 7);
}

TEST(SizeRanges, ThatAreNone) {
  for (const auto& [first, last] : {std::pair(5, 4), std::pair(-1, 4)}) {
    EXPECT_THROW((void)place(product(), over(first, last), FakeCapability()), Error);
  }
}

}  // namespace
}  // namespace ferry
