#include "devices/cuda/fault_record.h"

#include <cuda_runtime.h>

#include <new>
#include <string>
#include <utility>

#include "devices/cuda/error.h"
#include "ferry/error.h"

namespace ferry::cuda {
namespace {

// The sentences of the CPU's kernels, by KernelFault: "<start> value <middle> limit".
struct Sentence {
  const char *start, *middle;
};
constexpr Sentence kSentences[] = {
    {nullptr, nullptr},
    {"an integer is divided by zero", nullptr},
    {"0 is raised to a negative power", nullptr},
    {"the index ", " is outside an axis of size "},
    {"sequence_lens holds ", ", expected 0 to "},
};

std::string text_of(const Fault& fault) {
  const auto& [start, middle] = kSentences[fault.kind];
  if (middle == nullptr) return start;
  return start + std::to_string(fault.value) + middle + std::to_string(fault.limit);
}

}  // namespace

FaultRecord::FaultRecord() {
  void* memory = nullptr;
  cuda::check(cudaHostAlloc(&memory, sizeof(Fault), cudaHostAllocMapped),
              "allocate pinned host memory");
  fault_ = new (memory) Fault;
}

FaultRecord::~FaultRecord() { cudaFreeHost(fault_); }

void FaultRecord::check() {
  if (*static_cast<volatile int*>(&fault_->kind) == 0) return;
  const Fault fault = std::exchange(*fault_, Fault{});
  const Error error(ErrorCode::runtime, text_of(fault));
  throw fault.site == nullptr ? error : error.with_node(fault.site->node, fault.site->op);
}

}  // namespace ferry::cuda
