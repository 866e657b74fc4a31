#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <type_traits>

#include "devices/cuda/kernel_fault.h"
#include "kernels/cuda/element.h"
#include "kernels/integer_pow.h"

// Arithmetic on single elements, as the CPU kernels define it: integers wrap and truncate, NaN
// propagates through Max and Min, division of an integer by zero is a fault.
namespace ferry::cuda {

template <typename T, typename F>
__device__ T wrapping(T a, T b, F f) {
  if constexpr (std::is_integral_v<T>) {
    // Widened, since narrow unsigned types promote to int.
    return static_cast<T>(f(static_cast<uint64_t>(a), static_cast<uint64_t>(b)));
  } else {
    return f(a, b);
  }
}

struct Add {
  template <typename T>
  __device__ static T apply(T a, T b, const FaultReporter& = {}) {
    return wrapping(a, b, [](auto x, auto y) { return x + y; });
  }
};
struct Sub {
  template <typename T>
  __device__ static T apply(T a, T b, const FaultReporter& = {}) {
    return wrapping(a, b, [](auto x, auto y) { return x - y; });
  }
};
struct Mul {
  template <typename T>
  __device__ static T apply(T a, T b, const FaultReporter& = {}) {
    return wrapping(a, b, [](auto x, auto y) { return x * y; });
  }
};
// The lowest integer over -1 wraps to itself.
struct Div {
  template <typename T>
  __device__ static T apply(T a, T b, const FaultReporter& faults) {
    if constexpr (std::is_integral_v<T>) {
      if (b == 0) {
        faults.report(KernelFault::division_by_zero);
        return 0;
      }
      if constexpr (std::is_signed_v<T>) {
        if (b == static_cast<T>(-1)) return Sub::apply(static_cast<T>(0), a);
      }
    }
    return static_cast<T>(a / b);
  }
};
struct Max {
  template <typename T>
  __device__ static T apply(T a, T b, const FaultReporter& = {}) {
    return a > b || a != a ? a : b;
  }
};
struct Min {
  template <typename T>
  __device__ static T apply(T a, T b, const FaultReporter& = {}) {
    return a < b || a != a ? a : b;
  }
};
// Integers: integer_pow.h.
struct Pow {
  template <typename T>
  __device__ static T apply(T base, T exponent, const FaultReporter& faults) {
    if constexpr (std::is_floating_point_v<T>) {
      return exponent == T(2) ? base * base : pow(base, exponent);
    } else {
      if (exponent < 0 && base == 0) faults.report(KernelFault::negative_power_of_zero);
      return integer_pow(base, exponent);
    }
  }
};

// f(element `at`) of a tensor of numbers or bools whose dtype is known only at run time; 16-bit
// floats come as float.
template <typename F>
__device__ void with_element(const void* data, DType dtype, int64_t at, const F& f) {
  switch (dtype) {
    case DType::float32:
      return f(static_cast<const float*>(data)[at]);
    case DType::float64:
      return f(static_cast<const double*>(data)[at]);
    case DType::float16:
      return f(static_cast<float>(static_cast<const __half*>(data)[at]));
    case DType::bfloat16:
      return f(static_cast<float>(static_cast<const __nv_bfloat16*>(data)[at]));
    case DType::int8:
      return f(static_cast<const int8_t*>(data)[at]);
    case DType::int16:
      return f(static_cast<const int16_t*>(data)[at]);
    case DType::int32:
      return f(static_cast<const int32_t*>(data)[at]);
    case DType::int64:
      return f(static_cast<const int64_t*>(data)[at]);
    case DType::uint8:
      return f(static_cast<const uint8_t*>(data)[at]);
    case DType::uint16:
      return f(static_cast<const uint16_t*>(data)[at]);
    case DType::uint32:
      return f(static_cast<const uint32_t*>(data)[at]);
    case DType::uint64:
      return f(static_cast<const uint64_t*>(data)[at]);
    case DType::boolean:
      return f(static_cast<const uint8_t*>(data)[at] != 0);  // any byte may come
    default:
      return;
  }
}

// The same element by the conversion of C++.
template <typename T>
__device__ T load_as(const void* data, DType dtype, int64_t at) {
  T result = T();
  with_element(data, dtype, at, [&](auto value) { result = static_cast<T>(value); });
  return result;
}

}  // namespace ferry::cuda
