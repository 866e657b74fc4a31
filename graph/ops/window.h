#pragma once

#include "graph/infer.h"

namespace ferry {

// Attributes of a sliding window, checked: strides, dilations and pads have as many numbers as
// there are spatial axes (twice as many for pads); absent ones are 1, 1 and 0.
struct WindowAttributes {
  std::vector<int64_t> strides, dilations, pads;
  enum class AutoPad : uint8_t { notset, valid, same } auto_pad = AutoPad::notset;
};
WindowAttributes window_attributes(const InferContext& context, int64_t spatial_rank);

// The output shape [N, C, ...] of a window of `kernel` sizes over input 0 [N, C, D1, ...], whose
// shape must be known. Source: ONNX MaxPool 22 and Conv 22, the formulas of auto_pad.
Dims window_shape(const InferContext& context, const Dims& kernel, bool ceil_mode);

}  // namespace ferry
