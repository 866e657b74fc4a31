#pragma once

#include <cuda_runtime.h>

#include <cstdint>

// How a kernel reports data that its operator forbids. A kernel cannot throw: it stores a code in a
// word of pinned host memory that belongs to its stream, and goes on with some harmless value; the
// next wait on the stream, or on an event recorded in it, throws Error runtime.
namespace ferry::cuda {

enum class KernelFault : int {
  none,
  division_by_zero,
  negative_power_of_zero,
  index_out_of_range,
};

// The last report wins; all are reports of the same run.
__device__ inline void report_fault(int* word, KernelFault fault) {
  atomicExch(word, static_cast<int>(fault));
}

// Host side: the word of one stream.
class FaultWord {
 public:
  FaultWord();
  ~FaultWord();
  FaultWord(const FaultWord&) = delete;
  FaultWord& operator=(const FaultWord&) = delete;

  int* device_address() const { return word_; }
  // Throws Error runtime when a kernel has reported a fault, and forgets it. The work that may
  // report must have been waited for.
  void check();

 private:
  int* word_ = nullptr;
};

}  // namespace ferry::cuda
