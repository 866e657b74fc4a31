#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "ferry/dtype.h"
#include "graph/activation.h"

namespace ferry::cuda {

// Queues data[i] = activation(data[i]) for `count` elements of a floating dtype, behind a library
// that has written them; nothing for ActivationKind::none.
void queue_activation(cudaStream_t stream, const Activation& activation, DType dtype, void* data,
                      int64_t count);

}  // namespace ferry::cuda
