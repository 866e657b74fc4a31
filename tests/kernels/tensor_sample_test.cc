#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/support/kernel_harness.h"

namespace ferry::test {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

Tensor f(std::vector<float> values, Shape shape) { return Tensor::from(values, std::move(shape)); }

struct Form {
  std::string mode, padding;
  bool align_corners = false;
};

Attributes attributes_of(const Form& form) {
  return attributes({{"align_corners", int64_t{form.align_corners}},
                     {"mode", form.mode},
                     {"padding_mode", form.padding}});
}

// ---- the definition, in double, one axis after the other
// -----------------------------------------

// Back and forth between the ends until it is within them.
double reflect(double x, double low, double high) {
  if (low == high) return low;
  while (x < low || x > high) x = x < low ? 2 * low - x : 2 * high - x;
  return x;
}

double cubic(double x) {
  x = std::abs(x);
  const double a = -0.75;
  if (x <= 1) return (a + 2) * x * x * x - (a + 3) * x * x + 1;
  return x < 2 ? a * x * x * x - 5 * a * x * x + 8 * a * x - 4 * a : 0;
}

struct Definition {
  Form form;
  Shape sizes;  // outermost first
  const float* channel;

  double low() const { return form.align_corners ? 0 : -0.5; }
  double high(size_t axis) const {
    return static_cast<double>(sizes[axis]) - (form.align_corners ? 1 : 0.5);
  }
  // Where it lies among the elements of an axis.
  double position(double coordinate, size_t axis) const {
    const double ends = high(axis) - low();
    double x = low() + (coordinate + 1) / 2 * ends;
    if (form.mode == "nearest") x = std::nearbyint(x);
    if (x >= low() && x <= high(axis)) return x;
    if (form.padding == "border") return std::clamp(x, 0.0, static_cast<double>(sizes[axis] - 1));
    return form.padding == "reflection" ? reflect(x, low(), high(axis)) : x;
  }
  // The element whose axes before `axis` have led to `offset`, and weights of those from `axis` on.
  double value(const std::vector<double>& at, size_t axis = 0, int64_t offset = 0) const {
    if (axis == sizes.size()) return static_cast<double>(channel[offset]);
    const double from = form.mode == "nearest" ? at[axis] : std::floor(at[axis]);
    double sum = 0;
    for (int k = -1; k <= 2; ++k) {
      double i = from + k;
      double weight = k == 0 ? 1 : 0;
      if (form.mode == "linear") weight = std::max(0.0, 1 - std::abs(at[axis] - i));
      if (form.mode == "cubic") weight = cubic(at[axis] - i);
      const double last = static_cast<double>(sizes[axis] - 1);
      if (form.padding == "border") i = std::clamp(i, 0.0, last);
      if (form.padding == "reflection") i = reflect(i, low(), high(axis));
      if (weight == 0 || i < 0 || i > last) continue;
      sum += weight * value(at, axis + 1, offset * sizes[axis] + static_cast<int64_t>(i));
    }
    return sum;
  }
};

Tensor expected(const Form& form, const Tensor& x, const Tensor& grid) {
  const int64_t axes = grid.shape().back();
  Shape shape = grid.shape();
  shape.pop_back();
  shape.insert(shape.begin() + 1, x.shape()[1]);
  Tensor y = Tensor::empty(shape);
  const int64_t channels = shape[1], points = y.numel() / (shape[0] * channels);
  Definition definition{form, Shape(x.shape().begin() + 2, x.shape().end()), nullptr};
  const int64_t elements = x.numel() / (shape[0] * channels);
  for (int64_t i = 0; i < y.numel(); ++i) {
    const int64_t plane = i / points;
    const float* point =
        grid.span<float>().data() + (plane / channels * points + i % points) * axes;
    std::vector<double> at;
    for (int64_t axis = 0; axis < axes; ++axis) {
      at.push_back(definition.position(double{point[axes - 1 - axis]}, axis));
    }
    definition.channel = x.span<float>().data() + plane * elements;
    y.mutable_span<float>()[i] = static_cast<float>(definition.value(at));
  }
  return y;
}

// Points in and around an input of `sizes`, clear of the places where a rounding decides what is
// read.
Tensor random_grid(Random& random, const Form& form, int64_t batch, Shape points,
                   const Shape& sizes) {
  const int64_t axes = static_cast<int64_t>(sizes.size());
  points.insert(points.begin(), batch);
  points.push_back(axes);
  Tensor grid = Tensor::empty(points);
  for (int64_t i = 0; i < grid.numel(); ++i) {
    const int64_t size = sizes[axes - 1 - i % axes];
    const double x = static_cast<double>(random.integer(-2 * size - 1, 3 * size + 1)) +
                     (random.integer(0, 1) == 0 ? -1 : 1) * random.real(0.1, 0.4);
    const double low = form.align_corners ? 0 : -0.5;
    const double ends = static_cast<double>(size) - 1 - 2 * low;
    grid.mutable_span<float>()[i] = ends == 0 ? 0 : static_cast<float>((x - low) / ends * 2 - 1);
  }
  return grid;
}

TEST(TensorSampleTest, GridSampleAgreesWithTheDefinition) {
  Random random;
  SCOPED_TRACE("seed " + std::to_string(random.seed()));
  std::vector<KernelCase> cases;
  for (const char* mode : {"nearest", "linear", "cubic"}) {
    for (const char* padding : {"zeros", "border", "reflection"}) {
      for (const bool align_corners : {false, true}) {
        for (int64_t axes = 1; axes <= 3; ++axes) {
          const Form form{mode, padding, align_corners};
          const int64_t batch = random.integer(1, 2);
          Shape sizes(axes), points(axes);
          for (int64_t& size : sizes) size = random.integer(1, 5);
          for (int64_t& size : points) size = random.integer(1, 5);
          Shape shape = sizes;
          shape.insert(shape.begin(), {batch, random.integer(1, 3)});
          const Tensor x = random.tensor(shape);
          const Tensor grid = random_grid(random, form, batch, points, sizes);
          const Tensor y = expected(form, x, grid);
          const std::string name = std::string(mode) + ", " + padding + ", " +
                                   (align_corners ? "corners, " : "") + text(shape);
          const Attributes given = attributes_of(form);
          cases.push_back({name, "GridSample", given, {x, grid}, {y}, {1e-4, 1e-4}});
          if (axes != 2) continue;
          cases.push_back({name + " in double",
                           "GridSample",
                           given,
                           {x.float64(), grid.float64()},
                           {y.float64()},
                           {1e-5, 1e-5}});
          cases.push_back(
              {name + " in half", "GridSample", given, {x.half(), grid}, {y.half()}, {1e-2, 1e-2}});
        }
      }
    }
  }
  check(cases);
}

TEST(TensorSampleTest, GridSampleOfFewValues) {
  const Tensor line = f({10, 20, 40}, {1, 1, 3});
  const Form linear{"linear", "zeros"}, corners{"linear", "zeros", true};
  const auto points = [](std::vector<float> values) {
    const auto count = static_cast<int64_t>(values.size());
    return f(std::move(values), {1, count, 1});
  };
  const Tensor far = points({-kInfinity, -1e30f, 1e30f, kInfinity, kNaN});
  check({
      {"ends of the outer elements",
       "GridSample",
       attributes_of(linear),
       {line, points({-1, 0, 1})},
       {f({5, 20, 20}, {1, 1, 3})},
       kRounded},
      {"their centres",
       "GridSample",
       attributes_of(corners),
       {line, points({-1, 0.5f, 1})},
       {f({10, 30, 40}, {1, 1, 3})},
       kRounded},
      {"x before y",
       "GridSample",
       attributes_of({"nearest", "zeros", true}),
       {f({1, 2, 3, 4}, {1, 1, 2, 2}), f({1, -1, -1, 1}, {1, 1, 2, 2})},
       {f({2, 3}, {1, 1, 1, 2})}},
      {"halves to even positions",
       "GridSample",
       attributes_of({"nearest", "border", true}),
       {f({1, 2, 3, 4, 5}, {1, 1, 1, 5}), f({-0.75f, 0, -0.25f, 0, 0.25f, 0}, {1, 1, 3, 2})},
       {f({1, 3, 3}, {1, 1, 1, 3})}},
      {"far away: zeros",
       "GridSample",
       attributes_of(linear),
       {line, far},
       {f({0, 0, 0, 0, 0}, {1, 1, 5})}},
      {"far away: border",
       "GridSample",
       attributes_of({"cubic", "border"}),
       {line, far},
       {f({10, 10, 40, 40, 10}, {1, 1, 5})},
       kRounded},
      {"no number reflects to the first element",
       "GridSample",
       attributes_of({"linear", "reflection"}),
       {line, points({kNaN, kInfinity})},
       {f({10, 10}, {1, 1, 2})}},
      {"another type of grid",
       "GridSample",
       attributes_of(linear),
       {line, points({0}).half()},
       {f({20}, {1, 1, 1})}},
      {"double points",
       "GridSample",
       attributes_of(linear),
       {line, points({0}).float64()},
       {f({20}, {1, 1, 1})}},
      {"bfloat16",
       "GridSample",
       attributes_of(linear),
       {line.to(bfloat16), points({0}).to(bfloat16)},
       {f({20}, {1, 1, 1}).to(bfloat16)}},
      {"no points",
       "GridSample",
       attributes_of(linear),
       {line, Tensor::empty({1, 0, 1})},
       {Tensor::empty({1, 1, 0})}},
      {"no channels of nothing",
       "GridSample",
       attributes_of({"linear", "reflection"}),
       {Tensor::empty({1, 0, 0}), points({0})},
       {Tensor::empty({1, 0, 1})}},
  });
}

TEST(TensorSampleTest, GridSampleRefusals) {
  const Attributes linear = attributes_of({"linear", "zeros"});
  const Tensor x = Tensor::zeros({1, 1, 4, 4});
  check({RefusalCase{"nothing to read",
                     "GridSample",
                     linear,
                     {Tensor::empty({1, 1, 0}), Tensor::zeros({1, 2, 1})},
                     1,
                     ErrorCode::runtime,
                     "without elements"}});
  check_refused({
      {"coordinates",
       {"GridSample", linear, {x, Tensor::zeros({1, 3, 3, 3})}, {{float32, {1, 1, 3, 3}}}},
       "input 1 (grid) has the shape [1, 3, 3, 3]"},
      {"batch",
       {"GridSample", linear, {x, Tensor::zeros({2, 3, 3, 2})}, {{float32, {1, 1, 3, 3}}}},
       "grid"},
  });
  const GivenNode deep{"GridSample",
                       linear,
                       {{float32, {1, 1, 2, 2, 2, 2}}, {float32, {1, 1, 1, 1, 1, 4}}},
                       {{float32, {1, 1, 1, 1, 1, 1}}}};
  const GivenNode integers{
      "GridSample", linear, {{int32, {1, 1, 2}}, {float32, {1, 1, 1}}}, {{int32, {1, 1, 1}}}};
  for (const Device device : kernel_devices()) {
    EXPECT_EQ(to_string(support_of(device, deep).reason), "rank_or_layout") << device.str();
    EXPECT_EQ(to_string(support_of(device, integers).reason), "dtype") << device.str();
  }
}

}  // namespace
}  // namespace ferry::test
