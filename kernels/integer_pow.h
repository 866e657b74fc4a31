#pragma once

#include <cstdint>

#include "kernels/host_device.h"

namespace ferry {

// Pow of integers (ONNX 15): by squaring, wrapping. A negative exponent gives the truncated
// fraction, which 0 does not have: there it is the caller's error, and this gives 0.
template <typename T>
FERRY_HOST_DEVICE T integer_pow(T base, T exponent) {
  if (exponent < 0) {
    if (base == 1) return 1;
    return base == T(-1) ? (exponent % 2 == 0 ? 1 : -1) : 0;
  }
  // The low bits of a product are those of the wider one.
  uint64_t result = 1;
  for (auto power = static_cast<uint64_t>(base); exponent != 0; exponent /= 2) {
    if (exponent % 2 != 0) result *= power;
    power *= power;
  }
  return static_cast<T>(result);
}

}  // namespace ferry
