#pragma once

// IEEE 754 binary16 for kernels under emulation: storage and conversion. Kernels compute in float,
// so arithmetic on __half is not part of it.
#include "devices/emulation/device_language.h"

struct __half_raw {
  unsigned short x;
};

struct __half {
  __half() = default;
  __half(float value) : value_(static_cast<_Float16>(value)) {}
  __half(__half_raw raw) { std::memcpy(&value_, &raw, sizeof value_); }
  operator float() const { return static_cast<float>(value_); }

 private:
  _Float16 value_;
};

struct alignas(4) __half2 {
  __half x, y;
};

inline __half __float2half(float value) { return __half(value); }
inline __half __float2half_rn(float value) { return __half(value); }
inline float __half2float(__half value) { return value; }
inline unsigned short __half_as_ushort(__half value) {
  return std::bit_cast<unsigned short>(value);
}
inline __half __ushort_as_half(unsigned short bits) { return std::bit_cast<__half>(bits); }

// One rounding, from the double itself: a detour through float would round twice.
inline __half __double2half(double value) {
  return std::bit_cast<__half>(static_cast<_Float16>(value));
}
