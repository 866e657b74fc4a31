#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/support/kernel_harness.h"

namespace ferry::test {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

Tensor f(std::vector<float> values) { return Tensor::from(values); }
Tensor i32(std::vector<int32_t> values) { return Tensor::from(values); }
Tensor u8(std::vector<uint8_t> values) { return Tensor::from(values); }

struct Reference {
  const char* op;
  Attributes attributes;
  double (*function)(double);
  double low, high;
};

Attributes alpha(float value) { return attributes({{"alpha", value}}); }

TEST(MathActivationTest, AgreeWithTheirFormulas) {
  const Reference references[] = {
      {"Acos", {}, [](double x) { return std::acos(x); }, -1, 1},
      {"Acosh", {}, [](double x) { return std::acosh(x); }, 1, 9},
      {"Asin", {}, [](double x) { return std::asin(x); }, -1, 1},
      {"Asinh", {}, [](double x) { return std::asinh(x); }, -9, 9},
      {"Atan", {}, [](double x) { return std::atan(x); }, -9, 9},
      {"Atanh", {}, [](double x) { return std::atanh(x); }, -0.99, 0.99},
      {"ai.onnx.ml.Binarizer", attributes({{"threshold", 0.5f}}),
       [](double x) { return x > 0.5 ? 1.0 : 0.0; }, -4, 4},
      {"Ceil", {}, [](double x) { return std::ceil(x); }, -5, 5},
      {"Celu", alpha(2),
       [](double x) { return std::max(0.0, x) + std::min(0.0, 2 * (std::exp(x / 2) - 1)); }, -4, 4},
      {"Cosh", {}, [](double x) { return std::cosh(x); }, -5, 5},
      {"Elu", alpha(2), [](double x) { return x < 0 ? 2 * (std::exp(x) - 1) : x; }, -4, 4},
      {"Floor", {}, [](double x) { return std::floor(x); }, -5, 5},
      {"HardSigmoid", attributes({{"alpha", 0.5f}, {"beta", 0.25f}}),
       [](double x) { return std::max(0.0, std::min(1.0, 0.5 * x + 0.25)); }, -4, 4},
      {"HardSwish",
       {},
       [](double x) { return x * std::max(0.0, std::min(1.0, x / 6 + 0.5)); },
       -5,
       5},
      {"Mish", {}, [](double x) { return x * std::tanh(std::log1p(std::exp(x))); }, -5, 5},
      {"Selu", attributes({{"alpha", 2.0f}, {"gamma", 3.0f}}),
       [](double x) { return 3 * (x > 0 ? x : 2 * std::exp(x) - 2); }, -4, 4},
      {"Sinh", {}, [](double x) { return std::sinh(x); }, -5, 5},
      {"Softplus", {}, [](double x) { return std::log1p(std::exp(x)); }, -9, 9},
      {"Softsign", {}, [](double x) { return x / (1 + std::abs(x)); }, -9, 9},
      {"Swish", alpha(0.5f), [](double x) { return x / (1 + std::exp(-0.5 * x)); }, -9, 9},
      {"Tan", {}, [](double x) { return std::tan(x); }, -1.5, 1.5},
      {"ThresholdedRelu", alpha(1.5f), [](double x) { return x > 1.5 ? x : 0; }, -4, 4},
  };
  Random random;
  SCOPED_TRACE("seed " + std::to_string(random.seed()));
  std::vector<KernelCase> cases;
  for (const Reference& reference : references) {
    const Tensor x = random.tensor({257}, float32, reference.low, reference.high);
    Tensor y = Tensor::empty({257});
    for (int64_t i = 0; i < x.numel(); ++i) {
      y.mutable_span<float>()[i] =
          static_cast<float>(reference.function(double{x.span<float>()[i]}));
    }
    cases.push_back({"float32", reference.op, reference.attributes, {x}, {y}, {1e-5, 1e-6}});
    cases.push_back({"float64",
                     reference.op,
                     reference.attributes,
                     {x.float64()},
                     {y.float64()},
                     {1e-5, 1e-6}});
  }
  check(cases);
}

TEST(MathActivationTest, SpecialValues) {
  const Attributes shrink = attributes({{"bias", 0.5f}, {"lambd", 1.0f}});
  check({
      {"halves to even", "Round", {}, {f({0.5f, 1.5f, -2.5f, 2.4f})}, {f({0, 2, -2, 2})}},
      {"zero and NaN", "Sign", {}, {f({-3, 0, 5, kNaN})}, {f({-1, 0, 1, kNaN})}},
      {"unsigned", "Sign", {}, {u8({0, 9})}, {u8({0, 1})}},
      {"large", "Softplus", {}, {f({1000, -1000})}, {f({1000, 0})}},
      {"shrink", "Shrink", shrink, {f({-2, -1, 0.5f, 3})}, {f({-1.5f, 0, 0, 2.5f})}},
      {"at the threshold, NaN",
       "ai.onnx.ml.Binarizer",
       attributes({{"threshold", 1.0f}}),
       {f({1, 1.5f, kNaN, kInfinity})},
       {f({0, 1, 0, 1})}},
      {"integers, a threshold between them",
       "ai.onnx.ml.Binarizer",
       attributes({{"threshold", -0.5f}}),
       {i32({-1, 0, 7})},
       {i32({0, 1, 1})}},
      {"half",
       "ai.onnx.ml.Binarizer",
       attributes({{"threshold", 0.0f}}),
       {f({-1, 2}).half()},
       {f({0, 1}).half()}},
      {"half", "Elu", alpha(1), {f({1, 2}).half()}, {f({1, 2}).half()}},
      {"both",
       "IsInf",
       attributes({{"detect_negative", int64_t{1}}, {"detect_positive", int64_t{1}}}),
       {f({kInfinity, -kInfinity, 1, kNaN})},
       {f({1, 1, 0, 0}).to(boolean)}},
      {"positive",
       "IsInf",
       attributes({{"detect_negative", int64_t{0}}, {"detect_positive", int64_t{1}}}),
       {f({kInfinity, -kInfinity})},
       {f({1, 0}).to(boolean)}},
  });
}

TEST(MathActivationTest, Refusals) {
  check({RefusalCase{"bytes",
                     "ai.onnx.ml.Binarizer",
                     attributes({{"threshold", 0.0f}}),
                     {u8({1})},
                     1,
                     ErrorCode::invalid_model,
                     "input 0 is uint8"}});
}

TEST(MathActivationTest, RemaindersSlopesAndFolds) {
  const auto mod = [](int64_t fmod) { return attributes({{"fmod", fmod}}); };
  check({
      {"divisor's sign",
       "Mod",
       mod(0),
       {i32({-4, 7, 5, INT32_MIN}), i32({3, -3, 8, -1})},
       {i32({2, -2, 5, 0})}},
      {"dividend's sign", "Mod", mod(1), {i32({-4, 7}), i32({3, -3})}, {i32({-1, 1})}},
      {"floats, C", "Mod", mod(1), {f({-4.5f, 4.5f}), f({2, -2})}, {f({-0.5f, 0.5f})}},
      {"half", "Mod", mod(1), {f({5}).half(), f({3}).half()}, {f({2}).half()}},
      {"slopes", "PRelu", {}, {f({-2, 3, -4}), f({0.5f})}, {f({-1, 3, -2})}},
      {"one", "Sum", {}, {f({1, 2})}, {f({1, 2})}},
      {"three", "Sum", {}, {f({1, 2}), f({10}), f({100, 200})}, {f({111, 212})}},
      {"three", "Mean", {}, {f({1, 2}), f({3}), f({5, 1})}, {f({3, 2})}, kRounded},
  });
  check({
      RefusalCase{"division by zero",
                  "Mod",
                  mod(0),
                  {i32({1}), i32({0})},
                  1,
                  ErrorCode::runtime,
                  "divided by zero"},
      RefusalCase{"slope",
                  "PRelu",
                  {},
                  {f({1, 2}), Tensor::zeros({1, 2})},
                  1,
                  ErrorCode::invalid_model,
                  "does not broadcast"},
  });
}

TEST(MathActivationTest, Bits) {
  const auto shift = [](const char* direction) {
    return attributes({{"direction", std::string(direction)}});
  };
  check({
      {"and", "BitwiseAnd", {}, {i32({12, -1}), i32({10, 7})}, {i32({8, 7})}},
      {"or", "BitwiseOr", {}, {i32({12, 0}), i32({10, 7})}, {i32({14, 7})}},
      {"xor", "BitwiseXor", {}, {i32({12, 7}), i32({10, 7})}, {i32({6, 0})}},
      {"not", "BitwiseNot", {}, {u8({0, 255, 1})}, {u8({255, 0, 254})}},
      {"left", "BitShift", shift("LEFT"), {u8({1, 200, 3}), u8({3, 1, 9})}, {u8({8, 144, 0})}},
      {"right", "BitShift", shift("RIGHT"), {u8({16, 200, 3}), u8({3, 1, 9})}, {u8({2, 100, 0})}},
  });
  check({RefusalCase{"signed",
                     "BitShift",
                     shift("LEFT"),
                     {i32({1}), i32({1})},
                     1,
                     ErrorCode::invalid_model,
                     "int32"}});
}

}  // namespace
}  // namespace ferry::test
