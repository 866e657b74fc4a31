#pragma once

#include <cstdint>
#include <string_view>

#include "ferry/dtype.h"

// Conversion between element types: the one place that knows how each of ONNX's types rounds,
// saturates and is packed.
namespace ferry {

enum class RoundMode : uint8_t { nearest, up, down };

struct ConvertOptions {
  // For float8 and float4: a value beyond the largest finite one becomes that one; otherwise
  // infinity, or NaN where the type has no infinity (ONNX Cast, attribute saturate).
  bool saturate = true;
  // For float8_e8m0 only (ONNX Cast, attribute round_mode).
  RoundMode e8m0_round = RoundMode::up;
};

// True when convert() can go from `from` to `to`: every pair of real number types and bool.
bool can_convert(DType from, DType to);

// Converts `count` elements. Buffers hold dtype_bytes(...) bytes and must not overlap; sub-byte
// types are packed, low bits first.
//  - to bool: nonzero (NaN too) is true
//  - float to float: round to nearest even
//  - float to integer: toward zero; beyond 64 bits it saturates, then keeps the low bits; NaN is 0
//  - integer to integer: keeps the low bits
// Throws Error unsupported for other pairs.
void convert(DType from, const void* source, DType to, void* destination, int64_t count,
             ConvertOptions options = {});

// One element as a double, exact except for 64-bit integers beyond 2^53.
double load_as_double(DType dtype, const void* data, int64_t index);
void store_from_double(DType dtype, void* data, int64_t index, double value,
                       ConvertOptions options = {});
int64_t load_as_int64(DType dtype, const void* data, int64_t index);

// IEEE binary16 and bfloat16, round to nearest even.
float half_to_float(uint16_t bits);
uint16_t float_to_half(float value);
inline float bfloat16_to_float(uint16_t bits) {
  return __builtin_bit_cast(float, static_cast<uint32_t>(bits) << 16);
}
uint16_t float_to_bfloat16(float value);

}  // namespace ferry
