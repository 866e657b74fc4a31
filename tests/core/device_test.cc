#include "ferry/device.h"

#include <gmock/gmock.h>

#include "core/nearest.h"
#include "ferry/dtype.h"
#include "ferry/error.h"

namespace ferry {
namespace {

using ::testing::HasSubstr;

template <typename F>
Error error_of(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e;
  }
  ADD_FAILURE() << "expected an Error";
  return Error(ErrorCode::internal, "");
}

TEST(Device, ParsesAndPrints) {
  struct Case {
    const char* text;
    DeviceKind kind;
    int index;
    const char* printed;
  };
  constexpr Case kCases[] = {
      {"cpu", DeviceKind::cpu, 0, "cpu"},        {"cuda", DeviceKind::cuda, 0, "cuda:0"},
      {"cuda:1", DeviceKind::cuda, 1, "cuda:1"}, {"sim", DeviceKind::sim, 0, "sim:0"},
      {"sim:12", DeviceKind::sim, 12, "sim:12"}, {"cpu:0", DeviceKind::cpu, 0, "cpu"},
  };
  for (const Case& c : kCases) {
    const Device device(c.text);
    EXPECT_EQ(device.kind(), c.kind) << c.text;
    EXPECT_EQ(device.index(), c.index) << c.text;
    EXPECT_EQ(device.str(), c.printed) << c.text;
  }
}

TEST(Device, RefusesEverythingElse) {
  for (const char* text : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1x", "cpu:1", ":0",
                           "cuda:99999999999999999999"}) {
    EXPECT_EQ(error_of([&] { (void)Device(text); }).code(), ErrorCode::invalid_argument) << text;
  }
  EXPECT_THAT(error_of([] { (void)Device("cuad:0"); }).what(), HasSubstr("Did you mean 'cuda:0'?"));
}

TEST(DType, NamesAndSizes) {
  for (int i = 1; i < kDTypeCount; ++i) {
    const auto dtype = static_cast<DType>(i);
    EXPECT_EQ(dtype_from_string(to_string(dtype)), dtype);
  }
  EXPECT_EQ(dtype_from_string("f16"), float16);
  EXPECT_THAT(error_of([] { (void)dtype_from_string("flaot32"); }).what(),
              HasSubstr("Did you mean 'float32'?"));
  EXPECT_EQ(dtype_bytes(int4, 3), 2u);
  EXPECT_EQ(dtype_bytes(int2, 5), 2u);
  EXPECT_EQ(dtype_bytes(complex128, 2), 32u);
  EXPECT_EQ(error_of([] { (void)dtype_bytes(float64, INT64_MAX); }).code(),
            ErrorCode::invalid_argument);
  EXPECT_EQ(error_of([] { (void)dtype_bytes(float64, -1); }).code(), ErrorCode::invalid_argument);
}

TEST(Error, SaysWhereOnce) {
  const Error error = Error(ErrorCode::runtime, "index 7 is out of range.")
                          .with_node("/layer/gather", "Gather")
                          .with_node("/outer", "If")
                          .with_model("m.onnx");
  EXPECT_STREQ(error.what(), "m.onnx, node '/layer/gather' (Gather): index 7 is out of range.");
  EXPECT_EQ(error.node(), "/layer/gather");
  EXPECT_EQ(error.op(), "Gather");
}

TEST(Nearest, SuggestsOnlyWhatIsNear) {
  const std::string words[] = {"place", "run", "info"};
  EXPECT_EQ(nearest("palce", words), "place");
  EXPECT_EQ(nearest("RUN", words), "run");
  EXPECT_EQ(nearest("completely", words), "");
  EXPECT_EQ(did_you_mean("xyz", words), "");
}

}  // namespace
}  // namespace ferry
