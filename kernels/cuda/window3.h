#pragma once

#include <cuda_runtime.h>

#include "kernels/cuda/walk.h"
#include "kernels/window.h"

namespace ferry::cuda {

inline constexpr int64_t kMaxSpatialRank = 3;

// A sliding window for kernels: always three axes, outermost first, of which the leading ones are 1
// where the window has fewer.
struct Window3 {
  struct Axis {
    int64_t input, output, kernel, stride, dilation, pad;
    int64_t padded;  // the input with the padding after it
  };
  Axis axes[3];
  FastDivide outputs[3], inputs[3];  // sizes as divisors (1 where a size is 0)

  Window3() = default;
  explicit Window3(const Window& window);  // of at most 3 axes
  int64_t input_size() const { return axes[0].input * axes[1].input * axes[2].input; }
  int64_t output_size() const { return axes[0].output * axes[1].output * axes[2].output; }
};

// The row-major position `index` of a box whose sizes are `sizes`; returns what is left of the
// index.
__device__ inline uint32_t unravel3(uint32_t index, const FastDivide (&sizes)[3],
                                    int64_t (&at)[3]) {
  for (int i = 2; i >= 0; --i) {
    const uint32_t rest = sizes[i].divide(index);
    at[i] = index - rest * sizes[i].divisor;
    index = rest;
  }
  return index;
}

// Whether a node's window has an axis more than kernels walk.
Support within_three_axes(const NodeFacts& node);

}  // namespace ferry::cuda
