#pragma once

#include <cstdint>
#include <initializer_list>

#include "ferry/dtype.h"

namespace ferry {

// A set of element types: bit i stands for DType(i).
struct TypeSet {
  uint32_t bits = 0;

  constexpr TypeSet() = default;
  constexpr TypeSet(std::initializer_list<DType> types) {
    for (DType type : types) bits |= 1u << static_cast<int>(type);
  }
  constexpr bool contains(DType type) const { return bits >> static_cast<int>(type) & 1; }
  friend constexpr TypeSet operator|(TypeSet a, TypeSet b) {
    a.bits |= b.bits;
    return a;
  }
};
inline constexpr TypeSet kFloatTypes{float16, bfloat16, float32, float64};
inline constexpr TypeSet kSignedTypes{int8, int16, int32, int64};
inline constexpr TypeSet kUnsignedTypes{uint8, uint16, uint32, uint64};
inline constexpr TypeSet kIntTypes = kSignedTypes | kUnsignedTypes;
inline constexpr TypeSet kNumericTypes = kFloatTypes | kIntTypes;
inline constexpr TypeSet kBool{boolean};
// Every type whose elements are whole bytes that may be moved as bits.
inline constexpr TypeSet kByteTypes =
    kNumericTypes | kBool | TypeSet{complex64,   complex128,      float8_e4m3fn, float8_e4m3fnuz,
                                    float8_e5m2, float8_e5m2fnuz, float8_e8m0};
inline constexpr TypeSet kString{string};
inline constexpr TypeSet kAnyType{};  // empty: not checked by type

}  // namespace ferry
