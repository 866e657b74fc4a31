#pragma once

#include <cstdint>
#include <vector>

#include "kernels/kernel.h"

namespace ferry {

// The geometry of a sliding window (Conv, ConvTranspose, the pools), per spatial axis, with
// auto_pad settled: output position o reads input positions o * stride - pad + i * dilation for i
// below kernel; positions outside the input are padding.
struct Window {
  struct Axis {
    int64_t input, output, kernel, stride, dilation, pad;
    int64_t pad_end;  // the padding after the input that the node asks for
  };
  std::vector<Axis> axes;

  int64_t rank() const { return static_cast<int64_t>(axes.size()); }
  int64_t input_size() const;  // elements of one channel
  int64_t output_size() const;
  int64_t kernel_size() const;
  bool is_pointwise() const;  // every output position reads the one input position at its place

  // Both throw Error unsupported where positions or sizes leave the range of int64.
  //
  // Conv, MaxPool, AveragePool and LpPool: sizes come from input 0 and output 0, which must be
  // concrete, the rest from the attributes; `kernel` from kernel_shape or the weight.
  static Window forward(const NodeFacts& node, std::vector<int64_t> kernel);
  // ConvTranspose: the window of the convolution that it transposes, so that its input is the axis'
  // `output` and its output the axis' `input`.
  static Window transposed(const NodeFacts& node, std::vector<int64_t> kernel);
};

}  // namespace ferry
