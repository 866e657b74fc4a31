#include <gtest/gtest.h>

#include <limits>

#include "tests/support/kernel_harness.h"

namespace ferry::test {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
using Ints = std::vector<int64_t>;

Tensor f(std::vector<float> values, Shape shape) { return Tensor::from(values, std::move(shape)); }
Tensor i64(Ints values, Shape shape) { return Tensor::from(values, std::move(shape)); }
Tensor i64(Ints values) { return Tensor::from(values); }
Tensor strings(std::vector<std::string> values) { return Tensor::from(values); }

TEST(TensorValueTest, Cast) {
  const auto to = [](DType dtype, int64_t saturate = 1) {
    return attributes({{"round_mode", std::string("up")},
                       {"saturate", saturate},
                       {"to", static_cast<int64_t>(dtype)}});
  };
  const Tensor x = f({-1.5f, 0, 2.75f}, {3});
  check({
      {"truncates", "Cast", to(int32), {x}, {Tensor::from<int32_t>({-1, 0, 2})}},
      {"far numbers",
       "Cast",
       to(int64),
       {f({1e30f, -1e30f, kNaN, 9.3e18f}, {4})},
       {i64({INT64_MAX, INT64_MIN, 0, INT64_MAX})}},
      {"far numbers, unsigned",
       "Cast",
       to(uint64),
       {f({1e30f, -1, kNaN, 9.3e18f}, {4})},
       {Tensor::from<uint64_t>({UINT64_MAX, UINT64_MAX, 0, 9300000300729368576u})}},
      {"far numbers, narrow",
       "Cast",
       to(int32),
       {f({1e30f, -1e30f, kNaN, 3e9f}, {4})},
       {Tensor::from<int32_t>({-1, 0, 0, -1294967296})}},
      {"to bool", "Cast", to(boolean), {f({0, kNaN, 2}, {3})}, {f({0, 1, 1}, {3}).to(boolean)}},
      {"to half and back", "Cast", to(float32), {x.half()}, {x}},
      {"to double", "Cast", to(float64), {x}, {x.float64()}},
      {"same type", "Cast", to(float32), {x}, {x}},
      {"to text",
       "Cast",
       to(DType::string),
       {f({1, 0.1f, 1e20f, kNaN}, {4})},
       {strings({"1.0", "0.1", "1e+20", "nan"})}},
      {"integers to text", "Cast", to(DType::string), {i64({-7, 12})}, {strings({"-7", "12"})}},
      {"from text",
       "Cast",
       to(float32),
       {strings({" 1.5", "+2", "-inf", "1e-3"})},
       {f({1.5f, 2, -std::numeric_limits<float>::infinity(), 0.001f}, {4})}},
      {"long integers from text",
       "Cast",
       to(int64),
       {strings({"9007199254740993"})},
       {i64({9007199254740993})}},
      {"saturates",
       "Cast",
       to(float8_e4m3fn),
       {f({1e6f, 1}, {2})},
       {f({448, 1}, {2}).to(float8_e4m3fn)}},
      {"packed",
       "Cast",
       to(int4),
       {f({1, -3, 7, 2, -8}, {5})},
       {f({1, -3, 7, 2, -8}, {5}).to(int4)}},
  });
  check({
      RefusalCase{
          "no number", "Cast", to(int32), {strings({"x"})}, 1, ErrorCode::runtime, "no number"},
      RefusalCase{
          "no type", "Cast", to(static_cast<DType>(99)), {x}, 1, ErrorCode::invalid_model, "99"},
  });
}

TEST(TensorValueTest, IsNaN) {
  check({{"floats", "IsNaN", {}, {f({1, kNaN}, {2})}, {f({0, 1}, {2}).to(boolean)}},
         {"half", "IsNaN", {}, {f({1, kNaN}, {2}).half()}, {f({0, 1}, {2}).to(boolean)}}});
}

TEST(TensorValueTest, Gathers) {
  const auto along = [](int64_t axis) { return attributes({{"axis", axis}}); };
  const auto batch = [](int64_t dims) { return attributes({{"batch_dims", dims}}); };
  const Tensor x = f({1, 2, 3, 4, 5, 6}, {2, 3});
  check({
      {"rows", "Gather", along(0), {x, i64({1, 0, -1})}, {f({4, 5, 6, 1, 2, 3, 4, 5, 6}, {3, 3})}},
      {"columns", "Gather", along(1), {x, i64({2, 0}, {1, 2})}, {f({3, 1, 6, 4}, {2, 1, 2})}},
      {"scalar index", "Gather", along(-1), {x, Tensor::scalar(int64_t{1})}, {f({2, 5}, {2})}},
      {"int32", "Gather", along(0), {x, Tensor::from<int32_t>({1})}, {f({4, 5, 6}, {1, 3})}},
      {"strings", "Gather", along(0), {strings({"a", "b"}), i64({1, 1})}, {strings({"b", "b"})}},
      {"elements of rows",
       "GatherElements",
       along(1),
       {x, i64({2, 0, -3, 1}, {2, 2})},
       {f({3, 1, 4, 5}, {2, 2})}},
      {"elements of columns",
       "GatherElements",
       along(0),
       {x, i64({1, 0, 1}, {1, 3})},
       {f({4, 2, 6}, {1, 3})}},
      {"whole tuples", "GatherND", batch(0), {x, i64({0, 2, 1, -2}, {2, 2})}, {f({3, 5}, {2})}},
      {"slices", "GatherND", batch(0), {x, i64({1}, {1, 1})}, {f({4, 5, 6}, {1, 3})}},
      {"batches", "GatherND", batch(1), {x, i64({2, 0}, {2, 1})}, {f({3, 4}, {2})}},
  });
  check({
      RefusalCase{
          "beyond the end", "Gather", along(0), {x, i64({2})}, 1, ErrorCode::runtime, "index 2"},
      RefusalCase{"before the start",
                  "GatherElements",
                  along(1),
                  {x, i64({-4, 0}, {2, 1})},
                  1,
                  ErrorCode::runtime,
                  "index -4"},
      RefusalCase{"tuple",
                  "GatherND",
                  batch(0),
                  {x, i64({0, 3}, {1, 2})},
                  1,
                  ErrorCode::runtime,
                  "index 3"},
      RefusalCase{"tuple size",
                  "GatherND",
                  batch(0),
                  {x, i64({0, 0, 0}, {1, 3})},
                  1,
                  ErrorCode::invalid_model,
                  "last axis"},
      RefusalCase{
          "ranks", "GatherElements", along(0), {x, i64({0})}, 1, ErrorCode::invalid_model, "axes"},
  });
}

TEST(TensorValueTest, NonZero) {
  check({
      {"matrix",
       "NonZero",
       {},
       {f({1, 0, 0, 2, -3, 0}, {2, 3})},
       {i64({0, 1, 1, 0, 0, 1}, {2, 3})}},
      {"nothing", "NonZero", {}, {f({0, 0}, {2})}, {i64({}, {1, 0})}},
      {"bool", "NonZero", {}, {f({1, 0, 1}, {3}).to(boolean)}, {i64({0, 2}, {1, 2})}},
      {"negative zero", "NonZero", {}, {f({-0.0f, 1}, {2}).half()}, {i64({1}, {1, 1})}},
  });
}

TEST(TensorValueTest, Generators) {
  const auto fill = [](Tensor value) { return attributes({{"value", std::move(value)}}); };
  const Attributes stash = attributes({{"stash_type", int64_t{1}}});
  check({
      {"zeros", "ConstantOfShape", fill(f({0}, {1})), {i64({2, 1})}, {f({0, 0}, {2, 1})}},
      {"scalar", "ConstantOfShape", fill(i64({7})), {i64({})}, {Tensor::scalar(int64_t{7})}},
      {"up",
       "Range",
       stash,
       {Tensor::scalar(1.0f), Tensor::scalar(5.0f), Tensor::scalar(2.0f)},
       {f({1, 3}, {2})}},
      {"down",
       "Range",
       stash,
       {Tensor::scalar(10), Tensor::scalar(4), Tensor::scalar(-3)},
       {Tensor::from<int32_t>({10, 7})}},
      {"nothing",
       "Range",
       stash,
       {Tensor::scalar(3), Tensor::scalar(3), Tensor::scalar(1)},
       {Tensor::from<int32_t>({})}},
      {"lowest and highest",
       "Range",
       stash,
       {Tensor::scalar(int64_t{INT64_MIN}), Tensor::scalar(int64_t{INT64_MAX}),
        Tensor::scalar(int64_t{INT64_MAX})},
       {i64({INT64_MIN, -1, INT64_MAX - 1})}},
      {"half",
       "Range",
       stash,
       {Tensor::scalar(0.0f).half(), Tensor::scalar(1.0f).half(), Tensor::scalar(0.5f).half()},
       {f({0, 0.5f}, {2}).half()}},
  });
  check({
      RefusalCase{"negative",
                  "ConstantOfShape",
                  fill(f({0}, {1})),
                  {i64({-1})},
                  1,
                  ErrorCode::invalid_model,
                  "negative"},
      RefusalCase{"no step",
                  "Range",
                  stash,
                  {Tensor::scalar(0), Tensor::scalar(1), Tensor::scalar(0)},
                  1,
                  ErrorCode::invalid_model,
                  "'delta' is 0"},
  });
}

TEST(TensorValueTest, CumSum) {
  const auto form = [](int64_t exclusive, int64_t reverse) {
    return attributes({{"exclusive", exclusive}, {"reverse", reverse}});
  };
  const Tensor x = f({1, 2, 3, 4, 5, 6}, {2, 3});
  const Tensor axis_1 = Tensor::scalar(int64_t{1});
  check({
      {"rows", "CumSum", form(0, 0), {x, axis_1}, {f({1, 3, 6, 4, 9, 15}, {2, 3})}},
      {"columns",
       "CumSum",
       form(0, 0),
       {x, Tensor::from<int32_t>({-2})},
       {f({1, 2, 3, 5, 7, 9}, {2, 3})}},
      {"exclusive", "CumSum", form(1, 0), {x, axis_1}, {f({0, 1, 3, 0, 4, 9}, {2, 3})}},
      {"reverse", "CumSum", form(0, 1), {x, axis_1}, {f({6, 5, 3, 15, 11, 6}, {2, 3})}},
      {"both", "CumSum", form(1, 1), {x, axis_1}, {f({5, 3, 0, 11, 6, 0}, {2, 3})}},
      {"integers wrap",
       "CumSum",
       form(0, 0),
       {Tensor::from<int32_t>({INT32_MAX, 1}), Tensor::scalar(int64_t{0})},
       {Tensor::from<int32_t>({INT32_MAX, INT32_MIN})}},
  });
}

struct ResizeForm {
  std::string mode = "nearest", transform = "half_pixel", nearest = "round_prefer_floor";
  Ints axes;
  int64_t antialias = 0, exclude_outside = 0;
  float extrapolation = 0, cubic_a = -0.75f;
  std::string policy = "stretch";
};

Attributes resize(const ResizeForm& form) {
  return attributes({{"antialias", form.antialias},
                     {"axes", form.axes},
                     {"coordinate_transformation_mode", form.transform},
                     {"cubic_coeff_a", form.cubic_a},
                     {"exclude_outside", form.exclude_outside},
                     {"extrapolation_value", form.extrapolation},
                     {"keep_aspect_ratio_policy", form.policy},
                     {"mode", form.mode},
                     {"nearest_mode", form.nearest}});
}

TEST(TensorValueTest, Resize) {
  const Tensor line = f({0, 10, 20, 30}, {4});
  const auto scales = [](std::vector<float> values) { return Tensor::from(values); };
  check({
      {"nearest, twice",
       "Resize",
       resize({}),
       {f({1, 2}, {2}), {}, scales({2})},
       {f({1, 1, 2, 2}, {4})}},
      {"nearest, sizes",
       "Resize",
       resize({}),
       {f({1, 2, 3, 4}, {2, 2}), {}, {}, i64({2, 4})},
       {f({1, 1, 2, 2, 3, 3, 4, 4}, {2, 4})}},
      {"nearest, one axis",
       "Resize",
       resize({.axes = {1}}),
       {f({1, 2, 3, 4}, {2, 2}), {}, {}, i64({4})},
       {f({1, 1, 2, 2, 3, 3, 4, 4}, {2, 4})}},
      {"floor",
       "Resize",
       resize({.transform = "asymmetric", .nearest = "floor"}),
       {line, {}, scales({0.6f})},
       {f({0, 10}, {2})}},
      {"ceil",
       "Resize",
       resize({.transform = "asymmetric", .nearest = "ceil"}),
       {line, {}, scales({0.6f})},
       {f({0, 20}, {2})}},
      {"linear, half pixel",
       "Resize",
       resize({.mode = "linear"}),
       {f({0, 10}, {2}), {}, scales({2})},
       {f({0, 2.5f, 7.5f, 10}, {4})},
       kRounded},
      {"linear, corners",
       "Resize",
       resize({.mode = "linear", .transform = "align_corners"}),
       {f({0, 30}, {2}), {}, {}, i64({4})},
       {f({0, 10, 20, 30}, {4})},
       kRounded},
      {"linear, asymmetric",
       "Resize",
       resize({.mode = "linear", .transform = "asymmetric"}),
       {f({0, 10}, {2}), {}, scales({2})},
       {f({0, 5, 10, 10}, {4})},
       kRounded},
      {"antialias",
       "Resize",
       resize({.mode = "linear", .antialias = 1}),
       {line, {}, {}, i64({2})},
       {f({6.25f, 23.75f}, {2})},
       kRounded},
      {"crop leaves the input",
       "Resize",
       resize({.mode = "linear", .transform = "tf_crop_and_resize", .extrapolation = -1}),
       {line, scales({0, 2}), {}, i64({3})},
       {f({0, 30, -1}, {3})},
       kRounded},
      {"a region that is no number",
       "Resize",
       resize({.mode = "linear", .transform = "tf_crop_and_resize", .extrapolation = -1}),
       {line, scales({kNaN, 1e30f}), {}, i64({2})},
       {f({-1, -1}, {2})}},
      {"cubic keeps a constant",
       "Resize",
       resize({.mode = "cubic"}),
       {f({3, 3, 3, 3}, {4}), {}, scales({1.5f})},
       {f({3, 3, 3, 3, 3, 3}, {6})},
       kRounded},
      {"half",
       "Resize",
       resize({.mode = "linear"}),
       {f({0, 10}, {2}).half(), {}, scales({2})},
       {f({0, 2.5f, 7.5f, 10}, {4}).half()}},
      {"bytes",
       "Resize",
       resize({}),
       {Tensor::from<uint8_t>({1, 2}), {}, scales({2})},
       {Tensor::from<uint8_t>({1, 1, 2, 2})}},
      {"the smaller ratio",
       "Resize",
       resize({.axes = {0, 1}, .policy = "not_larger"}),
       {f({1, 2, 3, 4}, {2, 2}), {}, {}, i64({4, 2})},
       {f({1, 2, 3, 4}, {2, 2})}},
  });
  check({
      RefusalCase{"both",
                  "Resize",
                  resize({}),
                  {line, {}, scales({2}), i64({8})},
                  1,
                  ErrorCode::invalid_model,
                  "exactly one"},
      RefusalCase{"counts",
                  "Resize",
                  resize({}),
                  {line, {}, scales({2, 2})},
                  1,
                  ErrorCode::invalid_model,
                  "a scale for each axis"},
      RefusalCase{"no elements",
                  "Resize",
                  resize({}),
                  {Tensor::empty({0}), {}, {}, i64({2})},
                  1,
                  ErrorCode::runtime,
                  "without elements"},
  });
}

}  // namespace
}  // namespace ferry::test
