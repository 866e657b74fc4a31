#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/cpu/unary.h"

// The elementwise operators that are kernels of their own and activations of products.
namespace ferry::cpu {

struct Relu : Unary {
  using Types = TypeList<float, double, int8_t, int16_t, int32_t, int64_t>;
  static constexpr SimdMap kSimd = SimdMap::relu;
  template <typename T>
  static T apply(T x, const float*) {
    return x < T(0) ? T(0) : x;
  }
};

struct LeakyRelu : Unary {
  static constexpr SimdMap kSimd = SimdMap::leaky_relu;
  static Parameters parameters(const Attributes& attributes) {
    return {attributes.get_float("alpha")};
  }
  template <typename T>
  static T apply(T x, const float* parameters) {
    return x < T(0) ? x * T(parameters[0]) : x;
  }
};

// min(max(x, low), high): NaN stays, and high wins where low exceeds it.
struct Clip : Unary {
  static constexpr SimdMap kSimd = SimdMap::clip;
  template <typename T>
  static T limit(T x, T low, T high) {
    const T raised = x < low ? low : x;
    return high < raised ? high : raised;
  }
  template <typename T>
  static T apply(T x, const float* parameters) {
    return limit(x, T(parameters[0]), T(parameters[1]));
  }
};

struct Tanh : Unary {
  static constexpr SimdMap kSimd = SimdMap::tanh;
  template <typename T>
  static T apply(T x, const float*) {
    return std::tanh(x);
  }
};

struct Sigmoid : Unary {
  static constexpr SimdMap kSimd = SimdMap::sigmoid;
  template <typename T>
  static T apply(T x, const float*) {
    const T e = std::exp(-std::abs(x));
    return (x < T(0) ? e : T(1)) / (T(1) + e);
  }
};

// 0.5 * x * (1 + erf(x / sqrt(2)))
struct Gelu : Unary {
  static constexpr SimdMap kSimd = SimdMap::gelu;
  template <typename T>
  static T apply(T x, const float*) {
    return T(0.5) * x * (T(1) + std::erf(x / std::numbers::sqrt2_v<T>));
  }
};

// 0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))
struct GeluTanh : Unary {
  static constexpr SimdMap kSimd = SimdMap::gelu_tanh;
  template <typename T>
  static T apply(T x, const float*) {
    const T scale = std::numbers::sqrt2_v<T> * std::numbers::inv_sqrtpi_v<T>;
    return T(0.5) * x * (T(1) + std::tanh(scale * (x + T(0.044715) * x * x * x)));
  }
};

// x * sigmoid(alpha * x)
struct Swish : Unary {
  static constexpr SimdMap kSimd = SimdMap::swish;
  static Parameters parameters(const Attributes& attributes) {
    return {attributes.get_float("alpha")};
  }
  template <typename T>
  static T apply(T x, const float* p) {
    return x * Sigmoid::apply(T(p[0]) * x, p);
  }
};

struct HardSigmoid : Unary {
  static constexpr SimdMap kSimd = SimdMap::hard_sigmoid;
  static Parameters parameters(const Attributes& attributes) {
    return {attributes.get_float("alpha"), attributes.get_float("beta")};
  }
  template <typename T>
  static T apply(T x, const float* p) {
    return Clip::limit(T(p[0]) * x + T(p[1]), T(0), T(1));
  }
};

struct HardSwish : Unary {
  static constexpr SimdMap kSimd = SimdMap::hard_swish;
  template <typename T>
  static T apply(T x, const float*) {
    return x * Clip::limit(x / T(6) + T(0.5), T(0), T(1));
  }
};

}  // namespace ferry::cpu
