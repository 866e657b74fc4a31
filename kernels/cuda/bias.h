#pragma once

#include <cuda_runtime.h>

#include "ferry/dtype.h"

namespace ferry::cuda {

// Queues y[image][channel][position] = bias[channel], or 0 without a bias.
void spread_bias(cudaStream_t stream, DType dtype, const void* bias, void* y, int64_t images,
                 int64_t channels, int64_t positions);

}  // namespace ferry::cuda
