#include <gmock/gmock.h>

#include "ferry/ferry.h"
#include "tests/support/model_of.h"

namespace ferry {
namespace {

using ::testing::ElementsAre;
using testing::error_of;
using testing::model_of;
using testing::ModelBuilder;

TEST(WithDType, LeavesWhatIsStoredInEightBits) {
  ModelBuilder builder(23);
  builder.input("x", float32, {2}).input("w", float8_e4m3fn, {2});
  builder.output("y", float32, {2}).output("z", float32, {2});
  builder.initializer<float>("scale", {0.5f}, {});
  builder.node("DequantizeLinear", {"w", "scale"}, {"d"});
  builder.node("DequantizeLinear", {"w", "scale"}, {"e"}).attr("output_dtype", 1);
  builder.node("Mul", {"x", "d"}, {"y"});
  builder.node("Mul", {"x", "e"}, {"z"});
  for (const DType dtype : {float16, float64}) {
    Model model = model_of(builder);
    model.to(dtype);
    const Outputs out = model.run(
        {{"x", Tensor::from({3, 5}).to(dtype)}, {"w", Tensor::from({1, 2}).to(float8_e4m3fn)}});
    for (const char* name : {"y", "z"}) {
      EXPECT_EQ(out[name].dtype(), dtype);
      const Tensor result = out[name].to(float32);
      EXPECT_THAT(result.span<float>(), ElementsAre(1.5f, 5.0f));
    }
  }
  EXPECT_EQ(error_of([&] { model_of(builder).to(float8_e4m3fn); }).code(),
            ErrorCode::invalid_argument);
}

// Scales of Resize are float32: as a weight, as a weight that is multiplied, too, and computed.
TEST(WithDType, KeepsInputsThatAreFloat32) {
  ModelBuilder builder;
  builder.input("x", float32, {2, 2}).input("s", float32, {2});
  builder.initializer<float>("twice", {1, 2}, {2}).initializer<float>("shared", {2, 1}, {2});
  builder.output("a", float32, {2, 4}).output("b", float32, {4, 2});
  builder.output("c", float32, {2, 2}).output("d", float32, {"p", "q"});
  builder.node("Resize", {"x", "", "twice"}, {"a"});
  builder.node("Resize", {"x", "", "shared"}, {"b"});
  builder.node("Mul", {"x", "shared"}, {"c"});
  builder.node("Mul", {"s", "s"}, {"computed"});
  builder.node("Resize", {"x", "", "computed"}, {"d"});
  Model model = model_of(builder);
  model.to(float16);
  const Outputs out =
      model.run({{"x", Tensor::from({{1, 2}, {3, 4}}).half()}, {"s", Tensor::from({1, 2}).half()}});
  EXPECT_EQ(out["a"].shape(), (Shape{2, 4}));
  EXPECT_EQ(out["b"].shape(), (Shape{4, 2}));
  EXPECT_EQ(out["d"].shape(), (Shape{2, 8}));
  for (const char* name : {"a", "b", "c", "d"}) EXPECT_EQ(out[name].dtype(), float16);
}

}  // namespace
}  // namespace ferry
