#pragma once

// bfloat16 for kernels under emulation: storage and conversion, as in cuda_fp16.h beside it.
#include "devices/emulation/device_language.h"

struct __nv_bfloat16 {
  __nv_bfloat16() = default;
  // Rounds to nearest, ties to even; every NaN becomes 0x7fff, as on a GPU.
  __nv_bfloat16(float value) {
    const auto word = std::bit_cast<unsigned>(value);
    const unsigned rounded = (word + 0x7fffu + (word >> 16 & 1u)) >> 16;
    bits_ = static_cast<unsigned short>(value != value ? 0x7fffu : rounded);
  }
  operator float() const { return std::bit_cast<float>(static_cast<unsigned>(bits_) << 16); }

 private:
  unsigned short bits_;
};

inline __nv_bfloat16 __float2bfloat16(float value) { return __nv_bfloat16(value); }
// One rounding from the double itself, by rounding to odd on the way.
inline __nv_bfloat16 __double2bfloat16(double value) {
  auto near = static_cast<float>(value);
  auto word = std::bit_cast<unsigned>(near);
  const double error = value - static_cast<double>(near);
  if (error != 0 && (word & 1u) == 0) {
    // A float that is even but inexact moves to its odd neighbour on the side of the value.
    word += (error > 0) != std::signbit(near) ? 1u : ~0u;
    near = std::bit_cast<float>(word);
  }
  return __nv_bfloat16(near);
}
inline float __bfloat162float(__nv_bfloat16 value) { return value; }
inline unsigned short __bfloat16_as_ushort(__nv_bfloat16 value) {
  return std::bit_cast<unsigned short>(value);
}
inline __nv_bfloat16 __ushort_as_bfloat16(unsigned short bits) {
  return std::bit_cast<__nv_bfloat16>(bits);
}
