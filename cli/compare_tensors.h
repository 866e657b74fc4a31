#pragma once

#include <string>

#include "ferry/tensor.h"

namespace ferry::cli {

struct Tolerance {
  double rtol = 1e-3;
  double atol = 1e-7;
};

// "" when `actual` is `expected`: same dtype and shape; strings, integers and bools equal; floats
// |a - e| <= atol + rtol * |e|, NaN equal to NaN, infinities equal. Else one sentence about the
// difference. Both on the CPU.
std::string difference(const Tensor& actual, const Tensor& expected, Tolerance tolerance);

}  // namespace ferry::cli
