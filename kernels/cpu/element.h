#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>

#include "core/element_type.h"
#include "core/type_set.h"
#include "ferry/error.h"
#include "kernels/unit.h"

// From a DType at run time to a C++ type at compile time.
namespace ferry::cpu {

template <typename... Ts>
struct TypeList {};

using RealTypes = TypeList<float, double>;
using WideTypes = TypeList<float, double, int32_t, int64_t, uint32_t, uint64_t>;
using IntTypes = TypeList<int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t>;
// Types that arithmetic works on directly; the low floating types go through float
// (kernels/cpu/through_float.h).
using NumericTypes = TypeList<float, double, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t,
                              uint32_t, uint64_t>;

// The same sets for a kernel's row.
inline constexpr TypeSet kReal{float32, float64};
inline constexpr TypeSet kLowFloat{float16, bfloat16};
inline constexpr TypeSet kDirect = kReal | kIntTypes;

// f.template operator()<T>() for the T of `dtype`. The table's TypeSet has let only listed types
// pass, so another one is a defect.
template <typename F, typename T, typename... Ts>
auto visit(DType dtype, TypeList<T, Ts...>, F&& f) {
  if constexpr (sizeof...(Ts) > 0) {
    if (dtype != kDTypeOf<T>) return visit(dtype, TypeList<Ts...>(), f);
  } else if (dtype != kDTypeOf<T>) {
    throw Error(ErrorCode::internal, "a kernel was prepared for " + std::string(to_string(dtype)) +
                                         ", which is not among its types");
  }
  return f.template operator()<T>();
}

// What movement sees of an element: so many bytes, or a string.
struct Bytes16 {
  uint64_t low, high;
};
using UnitTypes = TypeList<uint8_t, uint16_t, uint32_t, uint64_t, Bytes16, std::string>;

inline constexpr TypeSet kMovable = kByteTypes | kString;

template <typename F>
auto visit_unit(DType dtype, F&& f) {
  if (dtype == DType::string) return f.template operator()<std::string>();
  return visit_bytes<Bytes16>(dtype, std::forward<F>(f));
}

// `x` as a T: an integer truncates and stays within its range, NaN becoming 0.
template <typename T>
T from_double(double x) {
  if constexpr (std::is_integral_v<T>) {
    using Limits = std::numeric_limits<T>;
    // Exact powers of two, where the largest integers themselves are no doubles.
    const double low = static_cast<double>(Limits::min());
    const double high = static_cast<double>(Limits::max() / 2 + 1) * 2;
    if (x != x) return 0;
    if (x <= low) return Limits::min();
    if (x >= high) return Limits::max();
  }
  return static_cast<T>(x);
}

// Bytes from one element to the next in memory.
inline size_t element_size(DType dtype) {
  return dtype == DType::string ? sizeof(std::string) : static_cast<size_t>(dtype_bits(dtype)) / 8;
}

}  // namespace ferry::cpu
