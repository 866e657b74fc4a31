#pragma once

#include <cstdint>

namespace ferry::cpu {

// Reductions of contiguous float32 runs on vectors.
struct SimdReduce {
  double (*sum)(const float* data, int64_t count) = nullptr;
  double (*squared_deviation)(const float* data, int64_t count, float mean) = nullptr;
  float (*max)(const float* data, int64_t count) = nullptr;  // NaN where there is one; count > 0
  float (*min)(const float* data, int64_t count) = nullptr;
  // y[i] = (x[i] - mean) * factor * scale[i] + bias[i]; scale or bias may be nullptr.
  void (*normalize)(const float* x, float* y, int64_t count, float mean, float factor,
                    const float* scale, const float* bias) = nullptr;
};

// For the best instruction set of this machine.
const SimdReduce& simd_reduce();

}  // namespace ferry::cpu
