// What rewrites append to products: activations, and MatMul's bias.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "devices/device.h"
#include "executor/plan/facts.h"
#include "kernels/kernel.h"
#include "tests/support/kernel_harness.h"

namespace ferry::test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

struct Formula {
  const char* name;
  std::vector<float> parameters;
  double (*function)(double);
};

const Formula kFormulas[] = {
    {"Relu", {}, [](double x) { return std::max(x, 0.0); }},
    {"LeakyRelu", {0.25f}, [](double x) { return x < 0 ? 0.25 * x : x; }},
    {"Clip", {-1, 2}, [](double x) { return std::clamp(x, -1.0, 2.0); }},
    {"Clip", {0.5f, kInfinity}, [](double x) { return std::max(x, 0.5); }},
    {"Sigmoid", {}, [](double x) { return 1 / (1 + std::exp(-x)); }},
    {"Tanh", {}, [](double x) { return std::tanh(x); }},
    {"Gelu", {}, [](double x) { return x * (1 + std::erf(x / std::numbers::sqrt2)) / 2; }},
    {"FastGelu",
     {},
     [](double x) {
       return x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x))) / 2;
     }},
    {"HardSigmoid", {0.25f, 0.5f}, [](double x) { return std::clamp(x / 4 + 0.5, 0.0, 1.0); }},
    {"HardSwish", {}, [](double x) { return x * std::clamp(x / 6 + 0.5, 0.0, 1.0); }},
    {"Swish", {2}, [](double x) { return x / (1 + std::exp(-2 * x)); }},
};

Attributes with(Attributes attributes, const std::string& name, std::vector<float> parameters) {
  attributes.set("activation", name);
  attributes.set("activation_params", std::move(parameters));
  return attributes;
}

Attributes convolution(int64_t group, std::vector<int64_t> pads = {}) {
  const std::vector<int64_t> none;
  return attributes({{"auto_pad", std::string("NOTSET")},
                     {"dilations", none},
                     {"group", group},
                     {"kernel_shape", none},
                     {"output_padding", none},
                     {"output_shape", none},
                     {"pads", pads},
                     {"strides", none}});
}

Attributes gemm() {
  return attributes(
      {{"alpha", 1.0f}, {"beta", 1.0f}, {"transA", int64_t{0}}, {"transB", int64_t{0}}});
}

// Matrices of `size` rows that give back what they multiply.
Tensor identity(int64_t size, Shape shape) {
  Tensor matrices = Tensor::zeros(std::move(shape));
  for (int64_t i = 0; i < matrices.numel(); ++i) {
    const int64_t row = i / size % size;
    if (row == i % size) matrices.mutable_span<float>()[i] = 1;
  }
  return matrices;
}

// A kernel of [channels, per_group, 3, 3] whose middle tap is `w` [channels, per_group].
Tensor in_the_middle(const Tensor& w) {
  Tensor kernel = Tensor::zeros({w.shape()[0], w.shape()[1], 3, 3});
  for (int64_t i = 0; i < w.numel(); ++i) {
    kernel.mutable_span<float>()[i * 9 + 4] = w.span<float>()[i];
  }
  return kernel;
}

// Products whose result, before the activation, is input 0 plus a bias per channel.
struct Product {
  const char* name;
  const char* op;
  Attributes attributes;
  Shape x;
  Tensor w;
  int64_t bias_axis;  // of x; -1: there is no bias
};

std::vector<Product> products() {
  return {
      {"Gemm", "Gemm", gemm(), {101, 37}, identity(37, {37, 37}), 1},
      {"no bias", "Gemm", gemm(), {3, 5}, identity(5, {5, 5}), -1},
      {"MatMul", "MatMul", {}, {2, 5, 37}, identity(37, {37, 37}), 2},
      {"batches", "MatMul", {}, {3, 4, 6}, identity(6, {3, 6, 6}), -1},
      {"pointwise", "Conv", convolution(1), {2, 6, 5, 7}, identity(6, {6, 6, 1, 1}), 1},
      {"3x3",
       "Conv",
       convolution(1, {1, 1, 1, 1}),
       {1, 6, 5, 7},
       in_the_middle(identity(6, {6, 6})),
       1},
      {"depthwise",
       "Conv",
       convolution(6, {1, 1, 1, 1}),
       {2, 6, 5, 7},
       in_the_middle(Tensor::full({6, 1}, 1)),
       1},
      {"transposed", "ConvTranspose", convolution(1), {2, 6, 5, 7}, identity(6, {6, 6, 1, 1}), 1},
  };
}

TEST(EpilogueTest, EveryActivationBehindEveryProduct) {
  Random random;
  SCOPED_TRACE("seed " + std::to_string(random.seed()));
  const std::pair<DType, Tolerance> types[] = {{float32, {4e-6, 2e-6}},
                                               {float64, {1e-13, 1e-13}},
                                               {float16, {2e-3, 1e-3}},
                                               {bfloat16, {1.6e-2, 8e-3}}};
  std::vector<KernelCase> cases;
  for (const Product& product : products()) {
    for (const auto& [dtype, tolerance] : types) {
      const Tensor x = random.tensor(product.x, float32, -4, 4).to(dtype);
      const Tensor wide = x.to(float64);
      const int64_t channels = product.bias_axis < 0 ? 1 : product.x[product.bias_axis];
      int64_t inner = 1;  // elements of one channel
      for (size_t i = product.bias_axis + 1; i < product.x.size(); ++i) inner *= product.x[i];
      Tensor bias = Tensor::zeros({channels});
      for (int64_t c = 0; c < channels && product.bias_axis >= 0; ++c) {
        bias.mutable_span<float>()[c] = static_cast<float>(c % 4) / 2 - 1;
      }
      std::vector<Tensor> inputs{x, product.w.to(dtype)};
      if (product.bias_axis >= 0) inputs.push_back(bias.to(dtype));
      for (const Formula& formula : kFormulas) {
        Tensor y = Tensor::empty(product.x, float64);
        for (int64_t i = 0; i < y.numel(); ++i) {
          y.mutable_span<double>()[i] = formula.function(
              wide.span<double>()[i] + double{bias.span<float>()[i / inner % channels]});
        }
        cases.push_back(
            {std::string(product.name) + ", " + formula.name + ", " + std::string(to_string(dtype)),
             product.op,
             with(product.attributes, formula.name, formula.parameters),
             inputs,
             {y.to(dtype)},
             tolerance});
      }
    }
  }
  check(cases);
}

TEST(EpilogueTest, NaNStaysAndEmptySumsAreActivated) {
  const auto f = [](std::vector<float> values, Shape shape) { return Tensor::from(values, shape); };
  const Tensor one = f({1}, {1, 1});
  const Tensor nothing = Tensor::zeros({2, 0});
  check({
      {"NaN", "MatMul", with({}, "Relu", {}), {f({kNaN, -1}, {2, 1}), one}, {f({kNaN, 0}, {2, 1})}},
      {"NaN",
       "MatMul",
       with({}, "Clip", {0, 6}),
       {f({kNaN, 9}, {2, 1}), one},
       {f({kNaN, 6}, {2, 1})}},
      {"NaN",
       "MatMul",
       with({}, "HardSigmoid", {1, 0}),
       {f({kNaN, 9}, {2, 1}), one},
       {f({kNaN, 1}, {2, 1})}},
      {"infinite",
       "MatMul",
       with({}, "Tanh", {}),
       {f({kInfinity, -kInfinity}, {2, 1}), one},
       {f({1, -1}, {2, 1})}},
      {"no terms",
       "MatMul",
       with({}, "Sigmoid", {}),
       {nothing, Tensor::zeros({0, 3})},
       {Tensor::full({2, 3}, 0.5f)}},
      {"no terms, bias",
       "MatMul",
       with({}, "Relu", {}),
       {nothing, Tensor::zeros({0, 2}), f({-1, 1}, {2})},
       {f({0, 1, 0, 1}, {2, 2})}},
      {"no channels",
       "Conv",
       with(convolution(1), "Relu", {}),
       {Tensor::zeros({1, 0, 2, 1}), Tensor::zeros({2, 0, 1, 1}), f({-1, 1}, {2})},
       {f({0, 0, 1, 1}, {1, 2, 2, 1})}},
      {"no rows",
       "MatMul",
       with({}, "Relu", {}),
       {Tensor::zeros({0, 1}), one},
       {Tensor::zeros({0, 1})}},
      {"a vector A",
       "MatMul",
       with({}, "Relu", {}),
       {f({1, 2}, {2}), f({1, 0, 0, -1}, {2, 2}), f({10, 1}, {2})},
       {f({11, 0}, {2})}},
  });
}

TEST(EpilogueTest, Refusals) {
  const Tensor a = Tensor::full({2, 2}, 1);
  const Tensor integers = a.to(int32);
  const auto relu = [](Attributes form) { return with(std::move(form), "Relu", {}); };
  Attributes lonely;
  lonely.set("activation", std::string("Relu"));
  check({
      RefusalCase{"unknown",
                  "MatMul",
                  with({}, "Relo", {}),
                  {a, a},
                  1,
                  ErrorCode::invalid_model,
                  "not those of an activation"},
      RefusalCase{"numbers",
                  "MatMul",
                  with({}, "Clip", {1}),
                  {a, a},
                  1,
                  ErrorCode::invalid_model,
                  "not those of an activation"},
      RefusalCase{"one of two",
                  "MatMul",
                  lonely,
                  {a, a},
                  1,
                  ErrorCode::invalid_model,
                  "not those of an activation"},
      RefusalCase{"integers",
                  "Gemm",
                  relu(gemm()),
                  {integers, integers},
                  1,
                  ErrorCode::invalid_model,
                  "floating type"},
      RefusalCase{"bias of integers",
                  "MatMul",
                  {},
                  {integers, integers, Tensor::zeros({2}, int32)},
                  1,
                  ErrorCode::invalid_model,
                  "input 2 is int32"},
      RefusalCase{"bias of a batch",
                  "MatMul",
                  {},
                  {a, Tensor::zeros({1, 2, 2}), Tensor::zeros({2})},
                  1,
                  ErrorCode::invalid_model,
                  "input 1"},
      RefusalCase{"size of the bias",
                  "MatMul",
                  {},
                  {a, a, Tensor::zeros({3})},
                  1,
                  ErrorCode::invalid_model,
                  "size of the bias"},
  });
}

// Kernels say no to what inference would refuse too: nothing is ignored.
TEST(EpilogueTest, KernelsRefuseWhatTheyCannotDo) {
  const auto facts = [](DType dtype, Shape shape) {
    TensorFacts known;
    known.present = known.has_shape = true;
    known.dtype = dtype;
    known.shape = std::move(shape);
    return known;
  };
  const Attributes relu = with({}, "Relu", {}), unknown = with({}, "Relo", {}), plain;
  struct Case {
    const char* op;
    const Attributes& attributes;
    DType dtype;
    Shape b;
    bool bias;
    ReasonCode reason;
  };
  const Case cases[] = {
      {"MatMul", unknown, float32, {2, 2}, false, ReasonCode::attribute},
      {"MatMul", relu, int32, {2, 2}, false, ReasonCode::dtype},
      {"MatMul", plain, int32, {2, 2}, true, ReasonCode::dtype},
      {"MatMul", plain, float32, {3, 2, 2}, true, ReasonCode::rank_or_layout},
      {"Gemm", unknown, float32, {2, 2}, false, ReasonCode::attribute},
      {"Gemm", relu, int64, {2, 2}, false, ReasonCode::dtype},
      {"Conv", unknown, float32, {2, 2, 1}, false, ReasonCode::attribute},
      {"ConvTranspose", unknown, float16, {2, 2, 1}, false, ReasonCode::attribute},
  };
  for (const Device device : kernel_devices()) {
    for (const Case& c : cases) {
      NodeFacts node{c.op,
                     &c.attributes,
                     {facts(c.dtype, {2, 2, 2}), facts(c.dtype, c.b)},
                     {facts(c.dtype, {2, 2, 2})}};
      if (c.bias) node.inputs.push_back(facts(c.dtype, {2}));
      Support why;
      EXPECT_EQ(kernels_of(device.kind()).find(node, &why), nullptr) << device.str() << " " << c.op;
      EXPECT_EQ(why.reason, c.reason) << device.str() << " " << c.op << ": " << why.detail;
    }
  }
}

}  // namespace
}  // namespace ferry::test
