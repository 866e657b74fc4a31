#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/support/kernel_harness.h"

namespace ferry::test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
using Ints = std::vector<int64_t>;

Tensor f(std::vector<float> values, Shape shape) { return Tensor::from(values, std::move(shape)); }
Attributes form(int64_t keepdims, int64_t noop = 0) {
  return attributes({{"keepdims", keepdims}, {"noop_with_empty_axes", noop}});
}

double reference(const std::string& op, const std::vector<double>& x) {
  double sum = 0, absolute = 0, squares = 0, product = 1, exponentials = 0;
  double largest = -INFINITY, smallest = INFINITY;
  for (double v : x) {
    sum += v;
    absolute += std::abs(v);
    squares += v * v;
    product *= v;
    exponentials += std::exp(v);
    largest = std::max(largest, v);
    smallest = std::min(smallest, v);
  }
  if (op == "ReduceSum") return sum;
  if (op == "ReduceMean") return sum / static_cast<double>(x.size());
  if (op == "ReduceMax") return largest;
  if (op == "ReduceMin") return smallest;
  if (op == "ReduceProd") return product;
  if (op == "ReduceL1") return absolute;
  if (op == "ReduceL2") return std::sqrt(squares);
  if (op == "ReduceSumSquare") return squares;
  if (op == "ReduceLogSum") return std::log(sum);
  return std::log(exponentials);
}

TEST(ReductionTest, AnyAxesAgreeWithTheDefinition) {
  Random random;
  SCOPED_TRACE("seed " + std::to_string(random.seed()));
  std::vector<KernelCase> cases;
  for (const char* op :
       {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
        "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"}) {
    for (int round = 0; round < 12; ++round) {
      const int64_t rank = random.integer(1, 4);
      Shape shape = random.shape(rank, 5);
      if (round % 4 == 0) shape.back() = 150;
      const Tensor x = random.tensor(shape, float32, 0.5, 1.5);
      Ints axes;
      for (int64_t axis = 0; axis < rank; ++axis) {
        if (random.integer(0, 1) == 1)
          axes.push_back(random.integer(0, 1) == 1 ? axis : axis - rank);
      }
      if (axes.empty()) axes.push_back(0);
      const bool keepdims = round % 2 == 0;
      std::vector<bool> reduced(rank, false);
      for (int64_t axis : axes) reduced[axis < 0 ? axis + rank : axis] = true;
      Shape kept, output;
      for (int64_t i = 0; i < rank; ++i) {
        kept.push_back(reduced[i] ? 1 : shape[i]);
        if (!reduced[i] || keepdims) output.push_back(kept.back());
      }
      std::vector<std::vector<double>> groups(static_cast<size_t>(numel_of(kept)));
      for (int64_t i = 0; i < x.numel(); ++i) {
        int64_t rest = i, group = 0, stride = 1;
        for (int64_t axis = rank; axis-- > 0;) {
          const int64_t position = rest % shape[axis];
          rest /= shape[axis];
          group += (reduced[axis] ? 0 : position) * stride;
          stride *= kept[axis];
        }
        groups[group].push_back(x.span<float>()[i]);
      }
      Tensor y = Tensor::empty(output);
      for (size_t i = 0; i < groups.size(); ++i) {
        y.mutable_span<float>()[i] = static_cast<float>(reference(op, groups[i]));
      }
      cases.push_back({text(shape) + " axes " + text(axes),
                       op,
                       form(keepdims),
                       {x, Tensor::from(axes)},
                       {y},
                       {4e-6, 1e-6}});
    }
  }
  check(cases);
}

TEST(ReductionTest, EdgesAndTypes) {
  const Tensor square = f({1, 2, 3, 4}, {2, 2});
  const Tensor nothing = Tensor::empty({2, 0});
  const Tensor axis_1 = Tensor::from<int64_t>({1});
  check({
      {"every axis", "ReduceSum", form(0), {square}, {Tensor::scalar(10.0f)}},
      {"no axis is no operation",
       "ReduceSum",
       form(1, 1),
       {square, Tensor::from<int64_t>({})},
       {square}},
      {"nothing", "ReduceSum", form(0), {nothing, axis_1}, {f({0, 0}, {2})}},
      {"nothing", "ReduceProd", form(0), {nothing, axis_1}, {f({1, 1}, {2})}},
      {"nothing", "ReduceMax", form(0), {nothing, axis_1}, {f({-kInfinity, -kInfinity}, {2})}},
      {"nothing", "ReduceMin", form(0), {nothing, axis_1}, {f({kInfinity, kInfinity}, {2})}},
      {"nothing", "ReduceMean", form(0), {nothing, axis_1}, {f({kNaN, kNaN}, {2})}},
      {"NaN spreads", "ReduceMax", form(0), {f({1, kNaN, 3}, {3})}, {Tensor::scalar(kNaN)}},
      {"NaN spreads", "ReduceMin", form(0), {f({kNaN, 1, 3}, {3})}, {Tensor::scalar(kNaN)}},
      {"large exponents",
       "ReduceLogSumExp",
       form(0),
       {f({1000, 1000}, {2})},
       {Tensor::scalar(1000.693147f)},
       kRounded},
      {"integers wrap",
       "ReduceSum",
       form(0),
       {Tensor::from<int32_t>({INT32_MAX, 1})},
       {Tensor::scalar(INT32_MIN)}},
      {"integers",
       "ReduceMean",
       form(0),
       {Tensor::from<int64_t>({1, 2, 4})},
       {Tensor::scalar(int64_t{2})}},
      {"bytes",
       "ReduceMax",
       form(0),
       {Tensor::from<uint8_t>({3, 200, 7})},
       {Tensor::scalar(uint8_t{200})}},
      {"half", "ReduceSum", form(0), {square.half()}, {Tensor::scalar(10.0f).half()}},
      {"float64", "ReduceMean", form(0), {square.float64()}, {Tensor::scalar(2.5)}},
      {"integers whose sum wraps",
       "ReduceMean",
       form(0),
       {Tensor::from<int32_t>({INT32_MAX, INT32_MAX, INT32_MAX - 3}, {3})},
       {Tensor::scalar<int32_t>(INT32_MAX - 1)}},
      {"many integers whose sum wraps",
       "ReduceMean",
       form(0),
       {Tensor::from(std::vector<int32_t>(100, INT32_MIN), {100})},
       {Tensor::scalar<int32_t>(INT32_MIN)}},
      {"unsigned integers whose sum wraps",
       "ReduceMean",
       form(0),
       {Tensor::from<uint32_t>({UINT32_MAX, UINT32_MAX}, {2})},
       {Tensor::scalar<uint32_t>(UINT32_MAX)}},
      {"wide integers whose sum wraps",
       "ReduceMean",
       form(0),
       {Tensor::from<int64_t>({INT64_MIN, INT64_MIN}, {2})},
       {Tensor::scalar<int64_t>(INT64_MIN)}},
  });
  // A long run of float32 keeps its precision.
  const Tensor ones = Tensor::full({1 << 20}, 0.1);
  check({{"a million", "ReduceSum", form(0), {ones}, {Tensor::scalar(104857.6016f)}, {1e-4, 0}}});
  check({
      RefusalCase{"axis",
                  "ReduceSum",
                  form(0),
                  {square, Tensor::from<int64_t>({2})},
                  1,
                  ErrorCode::invalid_model,
                  "axis 2"},
      RefusalCase{"twice",
                  "ReduceSum",
                  form(0),
                  {square, Tensor::from<int64_t>({0, -2})},
                  1,
                  ErrorCode::invalid_model,
                  "twice"},
      RefusalCase{"type",
                  "ReduceSum",
                  form(0),
                  {Tensor::from<int8_t>({1})},
                  1,
                  ErrorCode::invalid_model,
                  "int8"},
  });
}

TEST(ReductionTest, ArgMaxAndArgMin) {
  const auto along = [](int64_t axis, int64_t last) {
    return attributes({{"axis", axis}, {"keepdims", int64_t{0}}, {"select_last_index", last}});
  };
  const Tensor x = f({1, 5, 5, 7, 2, 2}, {2, 3});
  check({
      {"rows", "ArgMax", along(1, 0), {x}, {Tensor::from<int64_t>({1, 0})}},
      {"last of equals", "ArgMax", along(1, 1), {x}, {Tensor::from<int64_t>({2, 0})}},
      {"columns", "ArgMin", along(0, 0), {x}, {Tensor::from<int64_t>({0, 1, 1})}},
      {"last of equals", "ArgMin", along(-1, 1), {x}, {Tensor::from<int64_t>({0, 2})}},
      {"half", "ArgMax", along(1, 0), {x.half()}, {Tensor::from<int64_t>({1, 0})}},
  });
  check({RefusalCase{"nothing",
                     "ArgMax",
                     along(1, 0),
                     {Tensor::empty({2, 0})},
                     1,
                     ErrorCode::runtime,
                     "no elements"}});
}

}  // namespace
}  // namespace ferry::test
