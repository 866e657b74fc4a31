#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <string>
#include <type_traits>

#include "core/element_type.h"
#include "core/type_set.h"
#include "ferry/error.h"

// From a DType at run time to the type that kernels use for it.
namespace ferry::cuda {

template <typename... Ts>
struct TypeList {};

using FloatTypes = TypeList<float, double, __half, __nv_bfloat16>;
using IntTypes = TypeList<int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t>;
using NumericTypes = TypeList<float, double, __half, __nv_bfloat16, int8_t, int16_t, int32_t,
                              int64_t, uint8_t, uint16_t, uint32_t, uint64_t>;

// Of ONNX's MatMul and Gemm.
using MatrixTypes =
    TypeList<float, double, __half, __nv_bfloat16, int32_t, int64_t, uint32_t, uint64_t>;

template <typename T>
inline constexpr DType kDeviceDTypeOf = kDTypeOf<T>;
template <>
inline constexpr DType kDeviceDTypeOf<__half> = DType::float16;
template <>
inline constexpr DType kDeviceDTypeOf<__nv_bfloat16> = DType::bfloat16;

// What arithmetic on T is done in: float for the 16-bit types.
template <typename T>
using Compute =
    std::conditional_t<std::is_same_v<T, __half> || std::is_same_v<T, __nv_bfloat16>, float, T>;

template <typename... Ts>
constexpr TypeSet type_set(TypeList<Ts...>) {
  return TypeSet{kDeviceDTypeOf<Ts>...};
}

// f.template operator()<T>() for the T of `dtype`. The table's TypeSet has let only listed types
// pass, so another one is a defect.
template <typename F, typename T, typename... Ts>
auto visit(DType dtype, TypeList<T, Ts...>, F&& f) {
  if constexpr (sizeof...(Ts) > 0) {
    if (dtype != kDeviceDTypeOf<T>) return visit(dtype, TypeList<Ts...>(), f);
  } else if (dtype != kDeviceDTypeOf<T>) {
    throw Error(ErrorCode::internal, "a CUDA kernel was prepared for " +
                                         std::string(to_string(dtype)) +
                                         ", which is not among its types.");
  }
  return f.template operator()<T>();
}

}  // namespace ferry::cuda
