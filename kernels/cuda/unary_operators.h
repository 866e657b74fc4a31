#pragma once

#include "graph/activation.h"
#include "kernels/cuda/arithmetic.h"
#include "kernels/cuda/element.h"

// The elementwise operators that are kernels of their own and activations of products: apply() in
// the compute type; parameters are members, which from() takes from a node.
namespace ferry::cuda {

using SignedTypes =
    TypeList<float, double, __half, __nv_bfloat16, int8_t, int16_t, int32_t, int64_t>;

struct OnFloats {
  using Types = FloatTypes;
};
struct OnSigned {
  using Types = SignedTypes;
};
struct OnNumbers {
  using Types = NumericTypes;
};

struct Relu : OnSigned {
  template <typename T>
  __device__ T apply(T x) const {
    return x < T(0) ? T(0) : x;  // NaN stays
  }
};
struct LeakyRelu : OnFloats {
  float alpha = 0;
  static LeakyRelu from(const Attributes& attributes) {
    return {{}, attributes.get_float("alpha")};
  }
  template <typename T>
  __device__ T apply(T x) const {
    return x < T(0) ? x * T(alpha) : x;
  }
};
struct Tanh : OnFloats {
  template <typename T>
  __device__ T apply(T x) const {
    return tanh(x);
  }
};
struct Sigmoid : OnFloats {
  template <typename T>
  __device__ T apply(T x) const {
    const T e = exp(-fabs(x));
    return (x < T(0) ? e : T(1)) / (T(1) + e);
  }
};
// 0.5 * x * (1 + erf(x / sqrt(2)))
struct Gelu : OnFloats {
  template <typename T>
  __device__ T apply(T x) const {
    return T(0.5) * x * (T(1) + erf(x * T(0.70710678118654752440)));
  }
};
// 0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))
struct GeluTanh : OnFloats {
  template <typename T>
  __device__ T apply(T x) const {
    const T inner = T(0.79788456080286535588) * (x + T(0.044715) * x * x * x);
    return T(0.5) * x * (T(1) + tanh(inner));
  }
};

// x * sigmoid(alpha * x)
struct Swish : OnFloats {
  float alpha = 1;
  static Swish from(const Attributes& attributes) { return {{}, attributes.get_float("alpha")}; }
  template <typename T>
  __device__ T apply(T x) const {
    return x * Sigmoid().apply(T(alpha) * x);
  }
};
// min(max(x, low), high): NaN stays, and high wins where low exceeds it.
struct Clip : OnFloats {
  float low = 0, high = 0;
  template <typename T>
  __device__ static T limit(T x, T low, T high) {
    const T raised = x < low ? low : x;
    return high < raised ? high : raised;
  }
  template <typename T>
  __device__ T apply(T x) const {
    return limit(x, T(low), T(high));
  }
};
struct HardSigmoid : OnFloats {
  float alpha = 0, beta = 0;
  static HardSigmoid from(const Attributes& attributes) {
    return {{}, attributes.get_float("alpha"), attributes.get_float("beta")};
  }
  template <typename T>
  __device__ T apply(T x) const {
    return Clip::limit(T(alpha) * x + T(beta), T(0), T(1));
  }
};
struct HardSwish : OnFloats {
  template <typename T>
  __device__ T apply(T x) const {
    return x * Clip::limit(x / T(6) + T(0.5), T(0), T(1));
  }
};

// x after `activation`; C is the compute type.
template <typename C>
__device__ C activate(const Activation& activation, C x) {
  if constexpr (std::is_floating_point_v<C>) {
    const float* p = activation.parameters;
    switch (activation.kind) {
      case ActivationKind::none:
        return x;
      case ActivationKind::relu:
        return Relu().apply(x);
      case ActivationKind::leaky_relu:
        return LeakyRelu{{}, p[0]}.apply(x);
      case ActivationKind::clip:
        return Clip{{}, p[0], p[1]}.apply(x);
      case ActivationKind::sigmoid:
        return Sigmoid().apply(x);
      case ActivationKind::tanh:
        return Tanh().apply(x);
      case ActivationKind::gelu:
        return Gelu().apply(x);
      case ActivationKind::fast_gelu:
        return GeluTanh().apply(x);
      case ActivationKind::hard_sigmoid:
        return HardSigmoid{{}, p[0], p[1]}.apply(x);
      case ActivationKind::hard_swish:
        return HardSwish().apply(x);
      case ActivationKind::swish:
        return Swish{{}, p[0]}.apply(x);
    }
  }
  return x;
}

}  // namespace ferry::cuda
