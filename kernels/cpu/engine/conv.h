#pragma once

#include <vector>

#include "kernels/cpu/engine/gemm.h"
#include "kernels/cpu/engine/window_rows.h"
#include "kernels/window.h"

// Convolution on the CPU, float and double: products of the weights with windows of the input,
// which are gathered panel by panel where the product needs them.
namespace ferry::cpu {

// The sizes: x [batch, groups * in_channels, spatial...], w [groups * out_channels, in_channels,
// kernel...], y [batch, groups * out_channels, spatial...].
struct Convolution {
  int64_t batch = 0, groups = 1;
  int64_t in_channels = 0, out_channels = 0;  // of one group
  Window window;
};

template <typename T>
struct ConvolutionTensors {
  const T* x = nullptr;
  const T* w = nullptr;
  const T* bias = nullptr;  // one an output channel, or nullptr
  T* y = nullptr;
  // pack_weights(shape, w): saves packing on the way; nullptr where it is not made.
  const std::vector<PackedMatrix<T>>* packed_w = nullptr;
  ActivationFunction activation;  // of every element of y
};

// Whether convolve() goes tap by tap, with plain weights only.
bool is_depthwise(const Convolution& shape);

// One matrix a group, for a shape that is not depthwise; `w` at any alignment.
template <typename T>
std::vector<PackedMatrix<T>> pack_weights(const Convolution& shape, const T* w,
                                          ThreadPool* threads);

template <typename T>
void convolve(const Convolution& shape, const ConvolutionTensors<T>& tensors, ThreadPool* threads);

}  // namespace ferry::cpu
