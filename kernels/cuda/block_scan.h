#pragma once

#include <cuda_runtime.h>

#include "kernels/cuda/arithmetic.h"

namespace ferry::cuda {

// The sum of the values of the threads before this one, and with this one.
template <typename C>
struct Scan {
  C before, through;
};

// Called by every thread of a block of kThreads. Between two calls the threads must have met at a
// barrier.
template <unsigned kThreads, typename C>
__device__ Scan<C> block_scan(C value) {
  __shared__ C sums[kThreads];
  const unsigned t = threadIdx.x;
  sums[t] = value;
  __syncthreads();
  for (unsigned step = 1; step < kThreads; step *= 2) {
    const C before = t >= step ? sums[t - step] : C(0);
    __syncthreads();
    sums[t] = Add::apply(sums[t], before);
    __syncthreads();
  }
  return {t > 0 ? sums[t - 1] : C(0), sums[t]};
}

}  // namespace ferry::cuda
