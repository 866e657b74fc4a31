#pragma once

#include <cuda_runtime.h>

// How a kernel reports data that its operator forbids. A kernel cannot throw: it stores a code in a
// word of pinned host memory that belongs to its stream, and goes on with some harmless value; the
// next wait on the stream, or on an event recorded in it, throws Error runtime.
namespace ferry::cuda {

enum class KernelFault : int {
  none,
  division_by_zero,
  negative_power_of_zero,
  index_out_of_range,
  length_out_of_range,
};

// The last report wins; all are reports of the same run.
__device__ inline void report_fault(int* word, KernelFault fault) {
  atomicExch(word, static_cast<int>(fault));
}

}  // namespace ferry::cuda
