#pragma once

#include <cmath>
#include <cstdint>

#include "ferry/dtype.h"

namespace ferry::cpu {

// The nearest value to `x`, a whole number, that the integer type holds; 0 for NaN.
inline double saturate_to(DType dtype, double x) {
  const int bits = dtype_bits(dtype);
  const double low = is_signed(dtype) ? -std::ldexp(1.0, bits - 1) : 0;
  const double high = std::ldexp(1.0, is_signed(dtype) ? bits - 1 : bits) - 1;
  if (!(x > low)) return std::isnan(x) ? 0 : low;
  return x < high ? x : high;
}

}  // namespace ferry::cpu
