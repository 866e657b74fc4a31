#pragma once

#include <cuda_runtime.h>

#include <array>
#include <cstdint>

#include "ferry/tensor.h"
#include "kernels/limits.h"
#include "kernels/strides.h"

namespace ferry::cuda {

// Division of numbers below 2^31 by a divisor that is known when the kernel is launched: a multiply
// and a shift (Granlund and Montgomery, Division by Invariant Integers using Multiplication).
struct FastDivide {
  uint32_t divisor = 1, multiplier = 1, shift = 0;

  FastDivide() = default;
  explicit FastDivide(int64_t divisor_);  // throws Error unsupported unless 1 <= divisor_ < 2^31

  __device__ uint32_t divide(uint32_t n) const { return (__umulhi(n, multiplier) + n) >> shift; }
};

inline constexpr int kMaxAxes = 8;

// The walk of a kernel over `count` elements, and where each operand is for the i-th of them.
// Axes that every operand walks alike are merged; what is left is at most kMaxAxes.
template <int kOperands>
struct Walk {
  uint32_t count = 0;
  int32_t axes = 0;
  FastDivide sizes[kMaxAxes];                 // innermost first
  int64_t strides[kMaxAxes][kOperands] = {};  // in elements; 0 where an operand is broadcast

  __device__ void offsets(uint32_t index, int64_t (&at)[kOperands]) const {
    for (int k = 0; k < kOperands; ++k) at[k] = 0;
    for (int axis = 0; axis < axes; ++axis) {
      uint32_t coordinate = index;
      if (axis + 1 < axes) {  // the last axis is what is left
        const uint32_t rest = sizes[axis].divide(index);
        coordinate = index - rest * sizes[axis].divisor;
        index = rest;
      }
      for (int k = 0; k < kOperands; ++k) at[k] += coordinate * strides[axis][k];
    }
  }
};

// The walk over an index space of `sizes` (outermost first) with a stride per axis and operand,
// which may be 0 or negative. Throws Error unsupported for more than kMaxAxes axes or 2^31 - 1
// elements.
template <int kOperands>
Walk<kOperands> make_walk(const Shape& sizes, const std::array<Shape, kOperands>& strides);

// The number of elements of a tensor as kernels count them; throws Error unsupported beyond 2^31
// - 1.
uint32_t map_count(const Shape& shape);

// For supports(): whether all tensors of the node have so few elements.
Support countable(const NodeFacts& node);

// The walk over `output` with dense operands that broadcast to it.
template <int kOperands>
Walk<kOperands> broadcast_walk(const Shape& output,
                               const std::array<const Shape*, kOperands>& operands) {
  std::array<Shape, kOperands> strides;
  for (int k = 0; k < kOperands; ++k) strides[k] = broadcast_strides(*operands[k], output);
  return make_walk<kOperands>(output, strides);
}

// The walk over output 0 with the first kOperands inputs, which broadcast to it.
template <int kOperands>
Walk<kOperands> broadcast_walk(const NodeFacts& node) {
  std::array<const Shape*, kOperands> operands;
  for (int k = 0; k < kOperands; ++k) operands[k] = &node.input(k).shape;
  return broadcast_walk<kOperands>(node.output(0).shape, operands);
}

// For supports() of what walks so.
template <int kOperands>
Support walkable(const NodeFacts& node) {
  const Support support = countable(node);
  if (!support.ok) return support;
  return within_axes(node, kMaxAxes, [&] { broadcast_walk<kOperands>(node); });
}

}  // namespace ferry::cuda
