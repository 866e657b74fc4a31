#include "devices/cuda/fault_word.h"

#include <cuda_runtime.h>

#include "devices/cuda/error.h"
#include "ferry/error.h"

namespace ferry::cuda {
namespace {

constexpr const char* kMessages[] = {
    "",
    "an integer is divided by zero",
    "0 is raised to a negative power",
    "an index is out of range",
    "a sequence length is below 0 or beyond the sequence",
};

}  // namespace

FaultWord::FaultWord() {
  void* memory = nullptr;
  cuda::check(cudaHostAlloc(&memory, sizeof(int), cudaHostAllocMapped),
              "allocate pinned host memory");
  word_ = static_cast<int*>(memory);
  *word_ = 0;
}

FaultWord::~FaultWord() { cudaFreeHost(word_); }

void FaultWord::check() {
  const int fault = *static_cast<volatile int*>(word_);
  if (fault == 0) return;
  *word_ = 0;
  throw Error(ErrorCode::runtime, kMessages[fault]);
}

}  // namespace ferry::cuda
