#pragma once

#include <cstdint>

namespace ferry::cpu {

// What one tap of a window does to a run of outputs: y[i] op= x[i * stride], float32 on vectors.
struct SimdWindow {
  void (*multiply_add)(const float* x, int64_t stride, float factor, float* y,
                       int64_t count) = nullptr;
  void (*max)(const float* x, int64_t stride, float* y, int64_t count) = nullptr;  // NaN stays
};

// For the best instruction set of this machine.
const SimdWindow& simd_window();

}  // namespace ferry::cpu
