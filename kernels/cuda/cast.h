#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <type_traits>

#include "kernels/cuda/element.h"

// Conversion of single elements between number types, as core/convert.h defines it.
namespace ferry::cuda {

// Toward zero; beyond 64 bits it saturates, then the low bits are kept; NaN is 0.
template <typename To>
__device__ To integer_from(double value) {
  if (value != value) return 0;
  if constexpr (std::is_same_v<To, uint64_t>) {
    if (value >= 18446744073709551616.0) return ~uint64_t{0};
    if (value >= 9223372036854775808.0) return static_cast<uint64_t>(value);
  }
  if (value >= 9223372036854775808.0) return static_cast<To>(INT64_MAX);
  if (value < -9223372036854775808.0) return static_cast<To>(INT64_MIN);
  return static_cast<To>(static_cast<int64_t>(value));
}

template <typename To, typename From>
__device__ To cast(From value) {
  if constexpr (std::is_same_v<To, bool>) {
    return value != From(0);  // NaN too is true
  } else if constexpr (std::is_same_v<To, __half>) {
    if constexpr (std::is_same_v<From, double>) return __double2half(value);
    return __float2half(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, __nv_bfloat16>) {
    if constexpr (std::is_same_v<From, double>) return __double2bfloat16(value);
    return __float2bfloat16(static_cast<float>(value));
  } else if constexpr (std::is_integral_v<To> && std::is_floating_point_v<From>) {
    return integer_from<To>(value);
  } else {
    return static_cast<To>(value);
  }
}

}  // namespace ferry::cuda
