#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <memory>
#include <string>

#include "ferry/dtype.h"
#include "graph/activation.h"
#include "kernels/window.h"

// The seam to a library for neural networks: cuDNN on a GPU (dnn_cudnn.cc), the CPU's kernels under
// emulation (dnn_emulated.cc), and plain kernels of our own where the library is missing or has no
// algorithm (dnn_plain.cu).
namespace ferry::cuda {

// Forward: x [batch, groups * in_channels, input...], w [groups * out_channels, in_channels,
// kernel...], y [batch, groups * out_channels, output...].
// Transposed: x [batch, groups * in_channels, output...], w [groups * in_channels, out_channels,
// kernel...], y [batch, groups * out_channels, input...], where input and output are those of the
// window. `bias`, if there is one, has a number for each channel of y. `activation` is of every
// element of y.
struct ConvProblem {
  DType dtype = DType::float32;
  bool transposed = false;
  bool bias = false;
  Activation activation;
  int64_t batch = 0, groups = 1;
  int64_t in_channels = 0, out_channels = 0;  // of one group
  Window window;

  int64_t x_size() const { return transposed ? window.output_size() : window.input_size(); }
  int64_t y_elements() const { return batch * groups * out_channels * y_size(); }
  int64_t y_size() const { return transposed ? window.input_size() : window.output_size(); }
};

// A problem with its algorithm. Immutable: may run on several streams at once.
class ConvPlan {
 public:
  virtual ~ConvPlan() = default;
  virtual size_t workspace_bytes() const { return 0; }
  // Queues the convolution: no allocation, no wait. `bias` may be nullptr. Throws Error
  // device_failed.
  virtual void run(cudaStream_t stream, const void* x, const void* w, const void* bias, void* y,
                   void* workspace) const = 0;
};

// nullptr where the library is missing or does not do this problem. No size is 0.
std::unique_ptr<ConvPlan> make_library_conv(const ConvProblem& problem, int device);
// float32, float64, float16, bfloat16, and windows of at most 3 axes.
std::unique_ptr<ConvPlan> make_plain_conv(const ConvProblem& problem);

// Why the library is not there, "" when it is.
std::string missing_dnn();

}  // namespace ferry::cuda
