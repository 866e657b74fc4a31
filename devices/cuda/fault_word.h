#pragma once

namespace ferry::cuda {

// The word in which kernels of one stream report faults (kernel_fault.h), in pinned host memory.
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
