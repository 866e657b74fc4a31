#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/convert.h"
#include "tests/support/kernel_harness.h"

namespace ferry::test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

// ---- unary --------------------------------------------------------------------------------------

struct UnaryReference {
  const char* op;
  Attributes attributes;
  double (*function)(double);
  double low, high;  // where it is tried
  double ulps;       // of float32, the error that the operator may have
};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double gelu(double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }
double gelu_tanh(double x) {
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

const std::vector<UnaryReference>& unary_references() {
  static const std::vector<UnaryReference> references = {
      {"Abs", {}, [](double x) { return std::abs(x); }, -4, 4, 0},
      {"Neg", {}, [](double x) { return -x; }, -4, 4, 0},
      {"Relu", {}, [](double x) { return x < 0 ? 0 : x; }, -4, 4, 0},
      {"LeakyRelu", attributes({{"alpha", 0.25f}}), [](double x) { return x < 0 ? x / 4 : x; }, -4,
       4, 1},
      {"Sqrt", {}, [](double x) { return std::sqrt(x); }, 0, 100, 1},
      {"Reciprocal", {}, [](double x) { return 1 / x; }, 0.01, 100, 1},
      {"Exp", {}, [](double x) { return std::exp(x); }, -86, 88, 2},
      {"Log", {}, [](double x) { return std::log(x); }, 1e-3, 1e6, 2},
      {"Erf", {}, [](double x) { return std::erf(x); }, -5, 5, 2},
      {"Sin", {}, [](double x) { return std::sin(x); }, -100, 100, 2},
      {"Cos", {}, [](double x) { return std::cos(x); }, -100, 100, 2},
      {"Tanh", {}, [](double x) { return std::tanh(x); }, -12, 12, 2},
      {"Sigmoid", {}, sigmoid, -80, 80, 3},
      {"Gelu", attributes({{"approximate", std::string("none")}}), gelu, 0, 10, 4},
      {"Gelu", attributes({{"approximate", std::string("tanh")}}), gelu_tanh, 0, 10, 4},
  };
  return references;
}

TEST(MathTest, UnaryFunctionsAreWithinAFewUlps) {
  Random random;
  SCOPED_TRACE("seed " + std::to_string(random.seed()));
  for (const UnaryReference& reference : unary_references()) {
    const Tensor x = random.tensor({3001}, float32, reference.low, reference.high);
    for (const Device device : kernel_devices()) {
      if (!has_kernel(device, reference.op, reference.attributes, {x}, 1)) continue;
      SCOPED_TRACE(std::string(reference.op) + " on " + device.str());
      const Tensor y = run_node(device, reference.op, reference.attributes, {x}, 1)[0];
      double worst = 0;
      float at = 0;
      for (int64_t i = 0; i < x.numel(); ++i) {
        const double wanted = reference.function(x.span<float>()[i]);
        const float rounded = static_cast<float>(wanted);
        const double ulp = std::nextafter(std::abs(rounded), kInfinity) - std::abs(rounded);
        const double error = std::abs(y.span<float>()[i] - wanted) / std::max(ulp, 1e-38);
        if (error > worst) {
          worst = error;
          at = x.span<float>()[i];
        }
      }
      EXPECT_LE(worst, reference.ulps + 0.5) << "at " << at;
    }
  }
}

TEST(MathTest, UnaryFunctionsInOtherTypes) {
  Random random;
  SCOPED_TRACE("seed " + std::to_string(random.seed()));
  std::vector<KernelCase> cases;
  for (const UnaryReference& reference : unary_references()) {
    for (const DType dtype : {float64, float16, bfloat16}) {
      const double high = std::min(reference.high, dtype == float16 ? 8.0 : reference.high);
      const Tensor x = random.tensor({33}, dtype, std::max(reference.low, -8.0), high);
      Tensor y = Tensor::empty({33}, dtype);
      for (int64_t i = 0; i < 33; ++i) {
        store_from_double(dtype, y.mutable_data(), i,
                          reference.function(load_as_double(dtype, x.data(), i)));
      }
      const double unit = dtype == float64 ? 1e-14 : (dtype == float16 ? 1e-3 : 8e-3);
      // GeluTanh and Erf's constants are float32's in no type but float32.
      cases.push_back({std::string(to_string(dtype)),
                       reference.op,
                       reference.attributes,
                       {x},
                       {y},
                       {unit * 4, unit * 1e-2}});
    }
  }
  check(cases);
}

TEST(MathTest, UnarySpecialValues) {
  const auto f = [](std::vector<float> values) { return Tensor::from(values); };
  check({
      {"NaN stays",
       "Relu",
       {},
       {f({kNaN, -0.5f, 2, kInfinity, -kInfinity})},
       {f({kNaN, 0, 2, kInfinity, 0})}},
      {"limits",
       "Exp",
       {},
       {f({-kInfinity, kInfinity, kNaN, 0, 1000, -1000})},
       {f({0, kInfinity, kNaN, 1, kInfinity, 0})}},
      {"limits",
       "Tanh",
       {},
       {f({-kInfinity, kInfinity, kNaN, 0, 1000, -1000})},
       {f({-1, 1, kNaN, 0, 1, -1})}},
      {"limits", "Sigmoid", {}, {f({-kInfinity, kInfinity, kNaN, 0})}, {f({0, 1, kNaN, 0.5f})}},
      {"limits", "Erf", {}, {f({-kInfinity, kInfinity, kNaN, 0, 9})}, {f({-1, 1, kNaN, 0, 1})}},
      {"limits", "Sqrt", {}, {f({-1, 0, kInfinity})}, {f({kNaN, 0, kInfinity})}},
      {"limits", "Log", {}, {f({-1, 0, kInfinity, 1})}, {f({kNaN, -kInfinity, kInfinity, 0})}},
      {"the lowest integer wraps",
       "Neg",
       {},
       {Tensor::from<int32_t>({INT32_MIN, 5, 0})},
       {Tensor::from<int32_t>({INT32_MIN, -5, 0})}},
      {"the lowest integer wraps",
       "Abs",
       {},
       {Tensor::from<int8_t>({-128, -5, 7})},
       {Tensor::from<int8_t>({-128, 5, 7})}},
      {"unsigned",
       "Abs",
       {},
       {Tensor::from<uint64_t>({UINT64_MAX})},
       {Tensor::from<uint64_t>({UINT64_MAX})}},
      {"empty", "Exp", {}, {Tensor::empty({2, 0})}, {Tensor::empty({2, 0})}},
      {"scalar", "Neg", {}, {Tensor::scalar(3.0f)}, {Tensor::scalar(-3.0f)}},
  });
}

TEST(MathTest, UnaryRefusals) {
  check({
      RefusalCase{"integers",
                  "Exp",
                  {},
                  {Tensor::from<int32_t>({1})},
                  1,
                  ErrorCode::invalid_model,
                  "input 0 is int32"},
      RefusalCase{"two inputs",
                  "Relu",
                  {},
                  {Tensor::scalar(1.0f), Tensor::scalar(1.0f)},
                  1,
                  ErrorCode::invalid_model,
                  "takes 1 inputs"},
      RefusalCase{"another approximation",
                  "Gelu",
                  attributes({{"approximate", std::string("x")}}),
                  {Tensor::scalar(1.0f)},
                  1,
                  ErrorCode::invalid_model,
                  "approximate"},
  });
}

// ---- binary -------------------------------------------------------------------------------------

TEST(MathTest, BroadcastingAgreesWithTheDefinition) {
  Random random;
  SCOPED_TRACE("seed " + std::to_string(random.seed()));
  std::vector<KernelCase> cases;
  for (int round = 0; round < 60; ++round) {
    Shape output = random.shape(random.integer(0, 5), 4);
    if (round % 10 == 9 && !output.empty()) output.back() = 3000;
    Shape sides[2];
    for (Shape& side : sides) {
      side = output;
      for (int64_t& size : side) {
        if (random.integer(0, 2) == 0) size = 1;
      }
      side.erase(side.begin(), side.begin() + random.integer(0, static_cast<int64_t>(side.size())));
    }
    // The output is as large as its inputs make it.
    Shape result(std::max(sides[0].size(), sides[1].size()), 1);
    for (const Shape& side : sides) {
      for (size_t i = 0; i < side.size(); ++i) {
        int64_t& size = result[result.size() - 1 - i];
        size = std::max(size, side[side.size() - 1 - i]);
      }
    }
    const Tensor a = random.tensor(sides[0]);
    const Tensor b = random.tensor(sides[1]);
    Tensor c = Tensor::empty(result);
    for (int64_t i = 0; i < c.numel(); ++i) {
      const auto at = [&](const Tensor& t) {
        int64_t rest = i, offset = 0, stride = 1;
        for (size_t k = 0; k < result.size(); ++k) {
          const int64_t position = rest % result[result.size() - 1 - k];
          rest /= result[result.size() - 1 - k];
          if (k < t.shape().size()) {
            const int64_t size = t.shape()[t.shape().size() - 1 - k];
            offset += (size == 1 ? 0 : position) * stride;
            stride *= size;
          }
        }
        return t.span<float>()[offset];
      };
      c.mutable_span<float>()[i] = at(a) - at(b);
    }
    cases.push_back({text(sides[0]) + " - " + text(sides[1]), "Sub", {}, {a, b}, {c}});
  }
  check(cases);
}

TEST(MathTest, BinaryValues) {
  const auto f = [](std::vector<float> values) { return Tensor::from(values); };
  const auto i8 = [](std::vector<int8_t> values) { return Tensor::from(values); };
  const auto i64 = [](std::vector<int64_t> values) { return Tensor::from(values); };
  check({
      {"wraps", "Add", {}, {i8({127, -128}), i8({1, -1})}, {i8({-128, 127})}},
      {"wraps", "Mul", {}, {i64({INT64_MAX, 3}), i64({2, -4})}, {i64({-2, -12})}},
      {"truncates",
       "Div",
       {},
       {i64({7, -7, INT64_MIN}), i64({2, 2, -1})},
       {i64({3, -3, INT64_MIN})}},
      {"floats", "Div", {}, {f({1, -1, 0}), f({0, 0, 0})}, {f({kInfinity, -kInfinity, kNaN})}},
      {"NaN spreads", "Max", {}, {f({kNaN, 1, 5}), f({1, kNaN, 2})}, {f({kNaN, kNaN, 5})}},
      {"three inputs", "Max", {}, {f({1, 2, 3}), f({3}), f({0, 5, 0})}, {f({3, 5, 3})}},
      {"one input", "Min", {}, {f({1, 2})}, {f({1, 2})}},
      {"broadcast last", "Min", {}, {f({1}), f({3, 0}), f({2})}, {f({1, 0})}},
      {"integers",
       "Pow",
       {},
       {i64({2, -3, 1, -1, 7}), i64({10, 3, -5, -3, -1})},
       {i64({1024, -27, 1, -1, 0})}},
      {"integer exponent", "Pow", {}, {f({2, 3}), i64({-1, 2})}, {f({0.5f, 9})}},
      {"fraction of an integer", "Pow", {}, {i64({9, 16}), f({0.5f, 0.25f})}, {i64({3, 2})}},
      {"half", "Pow", {}, {f({2, 3}).half(), f({3, 2})}, {f({8, 9}).half()}},
      // Out of range, a power is converted as Cast does.
      {"far fraction",
       "Pow",
       {},
       {Tensor::from<int32_t>({10, -10, 0}), f({30.5f, 0.5f, -1})},
       {Tensor::from<int32_t>({-1, 0, -1})}},
      {"far fraction, wide",
       "Pow",
       {},
       {i64({10, 0, -10}), f({30.5f, -1, 31})},
       {i64({INT64_MAX, INT64_MAX, INT64_MIN})}},
      {"negative exponents",
       "Pow",
       {},
       {i64({1, -1, -1, 2, INT64_MIN}), i64({INT64_MIN, -3, -2, -1, -1})},
       {i64({1, -1, 1, 0, 0})}},
      {"half", "Add", {}, {f({1, 2, 3}).half(), f({0.5f}).half()}, {f({1.5f, 2.5f, 3.5f}).half()}},
      {"bfloat16",
       "Mul",
       {},
       {f({1, 2, 3}).bfloat16(), f({0.5f}).bfloat16()},
       {f({0.5f, 1, 1.5f}).bfloat16()}},
  });
}

TEST(MathTest, BinaryRefusals) {
  const auto i32 = [](std::vector<int32_t> values) { return Tensor::from(values); };
  check({
      RefusalCase{"division by zero",
                  "Div",
                  {},
                  {i32({1, 2}), i32({1, 0})},
                  1,
                  ErrorCode::runtime,
                  "divided by zero"},
      RefusalCase{"zero to a negative power",
                  "Pow",
                  {},
                  {i32({0}), i32({-1})},
                  1,
                  ErrorCode::runtime,
                  "negative power"},
      RefusalCase{"two types",
                  "Add",
                  {},
                  {i32({1}), Tensor::scalar(1.0f)},
                  1,
                  ErrorCode::invalid_model,
                  "expected int32"},
      RefusalCase{"shapes that do not broadcast",
                  "Add",
                  {},
                  {i32({1, 2}), i32({1, 2, 3})},
                  1,
                  ErrorCode::invalid_model,
                  "cannot be broadcast"},
  });
}

// ---- matrix products ----------------------------------------------------------------------------

Tensor product_of(const Tensor& a, const Tensor& b, int64_t batch, int64_t m, int64_t k, int64_t n,
                  bool shared_b) {
  Tensor c = Tensor::empty({batch, m, n});
  for (int64_t x = 0; x < batch; ++x) {
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        double sum = 0;
        for (int64_t p = 0; p < k; ++p) {
          sum += double{a.span<float>()[(x * m + i) * k + p]} *
                 b.span<float>()[((shared_b ? 0 : x) * k + p) * n + j];
        }
        c.mutable_span<float>()[(x * m + i) * n + j] = static_cast<float>(sum);
      }
    }
  }
  return c;
}

TEST(MathTest, MatMulOfManySizes) {
  Random random;
  SCOPED_TRACE("seed " + std::to_string(random.seed()));
  std::vector<KernelCase> cases;
  const int64_t sizes[][4] = {
      {1, 1, 1, 1},     {1, 5, 3, 7},       {1, 1, 300, 65},  {3, 13, 17, 33},   {1, 100, 64, 1},
      {2, 97, 520, 40}, {7, 12, 1, 32},     {1, 24, 256, 96}, {1, 2, 0, 3},      {5, 6, 8, 16},
      {40, 3, 4, 5},    {1, 1, 1100, 1030}, {1, 3, 1025, 37}, {1, 12, 40, 2050}, {1, 7, 9, 5}};
  for (const auto& [batch, m, k, n] : sizes) {
    for (const bool shared : {false, true}) {
      const Tensor a = random.tensor({batch, m, k}, float32, -1, 1);
      const Tensor b = shared ? random.tensor({k, n}, float32, -1, 1)
                              : random.tensor({batch, k, n}, float32, -1, 1);
      const double scale = 1e-6 * std::sqrt(static_cast<double>(k) + 1);
      cases.push_back({text(a.shape()) + " x " + text(b.shape()),
                       "MatMul",
                       {},
                       {a, b},
                       {product_of(a, b, batch, m, k, n, shared)},
                       {1e-5, scale}});
    }
  }
  check(cases);
}

TEST(MathTest, GemmOfTransposedWeights) {
  Random random;
  SCOPED_TRACE("seed " + std::to_string(random.seed()));
  std::vector<KernelCase> cases;
  for (const int64_t m : {1, 2, 3, 4, 11, 12, 13, 40}) {
    for (const auto& [k, n] : {std::pair<int64_t, int64_t>{1, 1}, {7, 5}, {64, 33}, {1030, 70}}) {
      const Tensor a = random.tensor({m, k}, float32, -1, 1);
      const Tensor b = random.tensor({k, n}, float32, -1, 1);
      Tensor transposed = Tensor::empty({n, k}, float32);
      for (int64_t i = 0; i < k; ++i) {
        for (int64_t j = 0; j < n; ++j) {
          transposed.mutable_span<float>()[j * k + i] = b.span<float>()[i * n + j];
        }
      }
      const double scale = 1e-6 * std::sqrt(static_cast<double>(k) + 1);
      cases.push_back(
          {text(a.shape()) + " x " + text(b.shape()) + " transposed",
           "Gemm",
           attributes(
               {{"alpha", 1.0f}, {"beta", 1.0f}, {"transA", int64_t{0}}, {"transB", int64_t{1}}}),
           {a, transposed},
           {product_of(a, b, 1, m, k, n, true).reshape({m, n})},
           {1e-5, scale}});
    }
  }
  check(cases);
}

TEST(MathTest, MatMulRanksAndTypes) {
  const auto f = [](std::vector<float> values, Shape shape) { return Tensor::from(values, shape); };
  const auto i = [](std::vector<int32_t> values, Shape shape) {
    return Tensor::from(values, shape);
  };
  check({
      {"vectors", "MatMul", {}, {f({1, 2, 3}, {3}), f({4, 5, 6}, {3})}, {Tensor::scalar(32.0f)}},
      {"vector, matrix",
       "MatMul",
       {},
       {f({1, 2}, {2}), f({1, 2, 3, 4}, {2, 2})},
       {f({7, 10}, {2})}},
      {"matrix, vector",
       "MatMul",
       {},
       {f({1, 2, 3, 4}, {2, 2}), f({1, 2}, {2})},
       {f({5, 11}, {2})}},
      {"batches broadcast",
       "MatMul",
       {},
       {f({1, 2, 3, 4}, {2, 1, 1, 2}), f({1, 1, 2, 2}, {1, 2, 2, 1})},
       {f({3, 6, 7, 14}, {2, 2, 1, 1})}},
      {"integers",
       "MatMul",
       {},
       {i({1, 2, 3, 4}, {2, 2}), i({5, 6, 7, 8}, {2, 2})},
       {i({19, 22, 43, 50}, {2, 2})}},
      {"float64",
       "MatMul",
       {},
       {f({1, 2, 3, 4}, {2, 2}).float64(), f({5, 6, 7, 8}, {2, 2}).float64()},
       {f({19, 22, 43, 50}, {2, 2}).float64()}},
      {"half",
       "MatMul",
       {},
       {f({1, 2, 3, 4}, {2, 2}).half(), f({5, 6, 7, 8}, {2, 2}).half()},
       {f({19, 22, 43, 50}, {2, 2}).half()}},
      {"nothing", "MatMul", {}, {f({}, {0, 2}), f({5, 6, 7, 8}, {2, 2})}, {f({}, {0, 2})}},
  });
}

TEST(MathTest, Gemm) {
  const auto f = [](std::vector<float> values, Shape shape) { return Tensor::from(values, shape); };
  const auto form = [](float alpha, float beta, int64_t trans_a, int64_t trans_b) {
    return attributes({{"alpha", alpha}, {"beta", beta}, {"transA", trans_a}, {"transB", trans_b}});
  };
  const Tensor a = f({1, 2, 3, 4, 5, 6}, {2, 3});
  const Tensor at = f({1, 4, 2, 5, 3, 6}, {3, 2});
  const Tensor b = f({1, 0, 2, 1, 0, 3}, {3, 2});
  const Tensor bt = f({1, 2, 0, 0, 1, 3}, {2, 3});
  const Tensor ab = f({5, 11, 14, 23}, {2, 2});
  const auto i = [](std::vector<int64_t> values, Shape shape) {
    return Tensor::from(values, shape);
  };
  check({
      {"plain", "Gemm", form(1, 1, 0, 0), {a, b}, {ab}},
      {"transposed A", "Gemm", form(1, 1, 1, 0), {at, b}, {ab}},
      {"transposed B", "Gemm", form(1, 1, 0, 1), {a, bt}, {ab}},
      {"both", "Gemm", form(1, 1, 1, 1), {at, bt}, {ab}},
      {"row bias",
       "Gemm",
       form(1, 1, 0, 0),
       {a, b, f({10, 20}, {2})},
       {f({15, 31, 24, 43}, {2, 2})}},
      {"column bias",
       "Gemm",
       form(1, 1, 0, 0),
       {a, b, f({10, 20}, {2, 1})},
       {f({15, 21, 34, 43}, {2, 2})}},
      {"scalar bias",
       "Gemm",
       form(2, 0.5f, 0, 0),
       {a, b, f({10}, {})},
       {f({15, 27, 33, 51}, {2, 2})}},
      {"beta 0 does not read C", "Gemm", form(1, 0, 0, 0), {a, b, f({kNaN}, {})}, {ab}},
      {"integers",
       "Gemm",
       form(1, 2, 0, 0),
       {i({1, 2}, {1, 2}), i({3, 4}, {2, 1}), i({5}, {1})},
       {i({21}, {1, 1})}},
      {"half",
       "Gemm",
       form(1, 1, 0, 1),
       {a.half(), bt.half(), f({10, 20}, {2}).half()},
       {f({15, 31, 24, 43}, {2, 2}).half()}},
  });
  check({
      RefusalCase{"inner sizes",
                  "Gemm",
                  form(1, 1, 0, 0),
                  {a, a},
                  1,
                  ErrorCode::invalid_model,
                  "inner sizes"},
      RefusalCase{"bias",
                  "Gemm",
                  form(1, 1, 0, 0),
                  {a, b, f({1, 2, 3}, {3})},
                  1,
                  ErrorCode::invalid_model,
                  "does not broadcast"},
      RefusalCase{"inner sizes", "MatMul", {}, {a, a}, 1, ErrorCode::invalid_model, "inner sizes"},
      RefusalCase{"scalar",
                  "MatMul",
                  {},
                  {a, Tensor::scalar(1.0f)},
                  1,
                  ErrorCode::invalid_model,
                  "at least 1"},
  });
}

// ---- Softmax ------------------------------------------------------------------------------------

TEST(MathTest, SoftmaxAgreesWithTheDefinition) {
  Random random;
  SCOPED_TRACE("seed " + std::to_string(random.seed()));
  std::vector<KernelCase> cases;
  for (const Shape& shape :
       {Shape{1}, Shape{7}, Shape{2, 33}, Shape{3, 5, 70}, Shape{2, 129, 3}, Shape{64, 200}}) {
    for (int64_t axis = 0; axis < static_cast<int64_t>(shape.size()); ++axis) {
      const Tensor x = random.tensor(shape, float32, -10, 10);
      Tensor y = Tensor::empty(shape), log_y = Tensor::empty(shape);
      int64_t inner = 1;
      for (size_t i = axis + 1; i < shape.size(); ++i) inner *= shape[i];
      for (int64_t i = 0; i < x.numel(); ++i) {
        const int64_t base = i / (inner * shape[axis]) * inner * shape[axis] + i % inner;
        double sum = 0;
        for (int64_t k = 0; k < shape[axis]; ++k) {
          sum += std::exp(double{x.span<float>()[base + k * inner]} - x.span<float>()[i]);
        }
        y.mutable_span<float>()[i] = static_cast<float>(1 / sum);
        log_y.mutable_span<float>()[i] = static_cast<float>(-std::log(sum));
      }
      const Attributes along = attributes({{"axis", axis - static_cast<int64_t>(shape.size())}});
      const std::string name = text(shape) + " axis " + std::to_string(axis);
      cases.push_back({name, "Softmax", along, {x}, {y}, {4e-6, 1e-9}});
      cases.push_back({name, "LogSoftmax", along, {x}, {log_y}, {4e-6, 2e-6}});
      cases.push_back(
          {name + " float64", "Softmax", along, {x.float64()}, {y.float64()}, {4e-6, 1e-9}});
      cases.push_back({name + " half", "Softmax", along, {x.half()}, {y.half()}, {2e-2, 1e-3}});
    }
  }
  check(cases);
}

}  // namespace
}  // namespace ferry::test
