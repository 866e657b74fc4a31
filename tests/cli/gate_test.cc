#include "cli/gate.h"

#include <gmock/gmock.h>

#include "ferry/error.h"
#include "placement/placement.h"

namespace ferry::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Device kCpu, kSim(DeviceKind::sim, 0);

NodePlacement node(const std::string& name, Device device, const std::string& reason,
                   double flops = 0) {
  NodePlacement out;
  out.name = name;
  out.op = "Op";
  out.device = device;
  out.reason = reason;
  out.flops = flops;
  return out;
}

CopyPlacement copy(const std::string& value, int64_t bytes, const std::string& when = "run") {
  CopyPlacement out;
  out.value = value;
  out.to = kSim;
  out.bytes.value = bytes;
  out.when = when;
  return out;
}

Placement placed(std::vector<NodePlacement> nodes, std::vector<CopyPlacement> copies = {},
                 Device device = kSim) {
  auto data = std::make_shared<PlacementData>();
  data->request.device = device;
  data->nodes = std::move(nodes);
  data->copies = std::move(copies);
  return Placement(std::move(data));
}

std::vector<std::string> passed(const Placement& placement, const std::string& limits) {
  return passed_limits(placement, parse_limits(limits));
}

TEST(Gate, FallbackNamesWhatFellAndNotWhatWasChosen) {
  const Placement placement = placed(
      {node("/s", kCpu, "host_value"), node("/p", kCpu, "pinned"), node("/c", kCpu, "cheaper_here"),
       node("/a", kCpu, "no_kernel"), node("/b", kCpu, "dtype"), node("/d", kCpu, "dtype"),
       node("/e", kCpu, "dtype"), node("/f", kCpu, "memory_limit"), node("/g", kSim, "requested")});
  EXPECT_THAT(passed(placement, "fallback"),
              ElementsAre("fallback: 3 dtype, 1 memory_limit, 1 no_kernel on the CPU: "
                          "/a (Op, no_kernel), /b (Op, dtype), /d (Op, dtype) and 2 more"));
  EXPECT_THAT(passed(placed({node("/a", kSim, "requested")}), "fallback"), IsEmpty());
  EXPECT_THAT(passed(placed({node("/a", kCpu, "requested")}, {}, kCpu), "fallback"), IsEmpty());
}

TEST(Gate, CopiesAndBytesNameTheLargestFirst) {
  const Placement placement =
      placed({}, {copy("small", 8), copy("weight", 999, "load"), copy("large", 4096)});
  EXPECT_THAT(passed(placement, "copies>2,bytes>4104,bytes>5KiB"), IsEmpty());
  EXPECT_THAT(passed(placement, "copies>1,bytes>4103"),
              ElementsAre("copies>1: 2 per run: large cpu -> sim:0 (4.0 KiB), small cpu -> sim:0 "
                          "(8 B)",
                          "bytes>4103: 4104 per run: large cpu -> sim:0 (4.0 KiB), small cpu -> "
                          "sim:0 (8 B)"));
}

TEST(Gate, BytesThatOnlyARunKnowsPass) {
  CopyPlacement open = copy("found", 0);
  open.bytes.expression = "?";
  EXPECT_THAT(passed(placed({}, {open}), "bytes>1GiB"),
              ElementsAre(HasSubstr("found cpu -> sim:0 (data decides)")));
  EXPECT_THAT(passed(placed({}, {copy("state", 8, "trip")}), "bytes>1GiB"),
              ElementsAre(HasSubstr("state cpu -> sim:0 (8 B a trip)")));
}

TEST(Gate, ArithmeticOfHostValuesIsNobodys) {
  const Placement placement =
      placed({node("/sizes", kCpu, "host_value", 1e9), node("/conv", kSim, "requested", 970),
              node("/pool", kCpu, "no_kernel", 10), node("/nms", kCpu, "no_kernel", 20)});
  EXPECT_THAT(passed(placement, "cpu_flops>3%"), IsEmpty());
  EXPECT_THAT(passed(placement, "cpu_flops>2.9%"),
              ElementsAre("cpu_flops>2.9%: 3% of 1e+03 operations: /nms (Op, 2%), /pool (Op, 1%)"));
  EXPECT_THAT(passed(placed({node("/none", kCpu, "no_kernel")}), "cpu_flops>0%"), IsEmpty());
}

TEST(Gate, OtherWordsAreRefused) {
  for (const char* text :
       {"", "falback", "fallback>1", "copies", "copies>", "copies>1.5", "copies>-1", "copies>2MiB",
        "copies>1e3", "bytes>", "bytes>-1", "bytes>1kb", "bytes>9999999999GiB", "bytes>inf",
        "bytes>nan", "cpu_flops>1", "cpu_flops>101%", "cpu_flops>%", "fallback,"}) {
    try {
      parse_limits(text);
      ADD_FAILURE() << "'" << text << "' was taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
      EXPECT_THAT(error.what(), HasSubstr("is no limit"));
    }
  }
}

}  // namespace
}  // namespace ferry::cli
