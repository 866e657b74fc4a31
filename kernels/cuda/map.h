#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "devices/cuda/error.h"
#include "devices/cuda/kernel_fault.h"
#include "devices/cuda/launch.h"
#include "devices/cuda/stream.h"
#include "kernels/cuda/walk.h"
#include "kernels/kernel.h"

// Kernels that do the same for every element of an index space: a functor, called once per index.
namespace ferry::cuda {

// The stream of a call, ready for launches from this thread.
inline CudaStream& stream_of(const RunContext& context) {
  return *static_cast<CudaStream*>(context.stream);
}

// What the kernels of a call report faults with.
inline FaultReporter reporter_of(const RunContext& context) {
  return {stream_of(context).fault(), context.site};
}

inline constexpr unsigned kMapThreads = 256;
inline constexpr unsigned kMapItems = 4;  // indices a thread, so that loads overlap

template <typename F>
__global__ void map_kernel(uint32_t count, F f) {
  const uint32_t first = blockIdx.x * (kMapThreads * kMapItems) + threadIdx.x;
  for (unsigned k = 0; k < kMapItems; ++k) {
    const uint32_t index = first + k * kMapThreads;
    if (index < count) f(index);
  }
}

// Queues f(0), ..., f(count - 1) in no particular order. F is trivially copyable, holds its device
// pointers as plain members, and has `__device__ void operator()(uint32_t index) const`.
template <typename F>
void launch_map(cudaStream_t stream, uint32_t count, const F& f) {
  if (count == 0) return;
  constexpr unsigned kPerBlock = kMapThreads * kMapItems;
  const unsigned blocks = (count + kPerBlock - 1) / kPerBlock;
  check(launch<map_kernel<F>>(blocks, kMapThreads, 0, stream, count, f), "launch a kernel");
}
template <typename F>
void launch_map(const RunContext& context, uint32_t count, const F& f) {
  launch_map(stream_of(context).activate(), count, f);
}

}  // namespace ferry::cuda
