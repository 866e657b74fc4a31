#pragma once

#include <cuda_runtime.h>

#include <type_traits>

#include "kernels/cuda/arithmetic.h"

namespace ferry::cuda {

// Reductions over the threads of a block, whose size is a multiple of the warp size and at most
// 1024. Every thread calls them and every thread gets the result. The order of the terms depends on
// the block size alone.

template <typename Op, typename T>
__device__ T warp_reduce(T value) {
  for (int offset = warpSize / 2; offset > 0; offset /= 2) {
    // The cast: small integers are exchanged as int.
    value = Op::apply(value, static_cast<T>(__shfl_xor_sync(~0u, value, offset)));
  }
  return value;
}

template <typename Op, typename T>
__device__ T block_reduce(T value, T identity) {
  __shared__ T partial[32];
  value = warp_reduce<Op>(value);
  const unsigned warps = blockDim.x / warpSize;
  if (warps == 1) return value;
  __syncthreads();  // an earlier call may still be read
  if (threadIdx.x % warpSize == 0) partial[threadIdx.x / warpSize] = value;
  __syncthreads();
  const unsigned lane = threadIdx.x % warpSize;
  return warp_reduce<Op>(lane < warps ? partial[lane] : identity);
}

// Threads for a block that walks `size` elements: one warp for short rows, so that it needs no
// barrier.
inline unsigned reduce_threads(int64_t size) { return size <= 1024 ? 32 : 256; }

}  // namespace ferry::cuda
