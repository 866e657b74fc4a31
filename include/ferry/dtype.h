#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "ferry/export.h"

namespace ferry {

// The 26 element types of ONNX. The numbers are those of onnx.TensorProto.DataType; the names are
// PyTorch's where it has one.
enum class DType : uint8_t {
  undefined = 0,
  float32 = 1,
  uint8 = 2,
  int8 = 3,
  uint16 = 4,
  int16 = 5,
  int32 = 6,
  int64 = 7,
  string = 8,
  boolean = 9,
  float16 = 10,
  float64 = 11,
  uint32 = 12,
  uint64 = 13,
  complex64 = 14,
  complex128 = 15,
  bfloat16 = 16,
  float8_e4m3fn = 17,
  float8_e4m3fnuz = 18,
  float8_e5m2 = 19,
  float8_e5m2fnuz = 20,
  uint4 = 21,
  int4 = 22,
  float4_e2m1 = 23,
  float8_e8m0 = 24,
  uint2 = 25,
  int2 = 26,
};
inline constexpr int kDTypeCount = 27;

using enum DType;  // ferry::float32, ferry::int64, ...

// "float32", "bool", "float8_e4m3fn", ...
FERRY_API std::string_view to_string(DType dtype);

// The type named `name` as above, also "float", "half", "double", "long" and "f32", "i64", ...;
// throws Error invalid_argument, naming the nearest name.
FERRY_API DType dtype_from_string(std::string_view name);

// Bits of one element; 0 for string and undefined. 4- and 2-bit types are packed, the first element
// in the low bits.
FERRY_API int dtype_bits(DType dtype);

// Bytes of `count` packed elements. Throws Error invalid_argument on overflow.
FERRY_API size_t dtype_bytes(DType dtype, int64_t count);

FERRY_API bool is_floating(DType dtype);  // every float*, bfloat16 and float8/float4 type
FERRY_API bool is_complex(DType dtype);
FERRY_API bool is_integer(DType dtype);  // not bool
FERRY_API bool is_signed(DType dtype);

}  // namespace ferry
