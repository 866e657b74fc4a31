#include "devices/cuda/fault_record.h"

#include <cuda_runtime.h>

#include <new>
#include <string>
#include <utility>

#include "devices/cuda/error.h"
#include "ferry/error.h"

namespace ferry::cuda {
namespace {

// The sentences of the CPU's kernels.
std::string sentence(const Fault& fault) {
  const std::string value = std::to_string(fault.value), limit = std::to_string(fault.limit);
  switch (static_cast<KernelFault>(fault.kind)) {
    case KernelFault::division_by_zero:
      return "an integer is divided by zero";
    case KernelFault::negative_power_of_zero:
      return "0 is raised to a negative power";
    case KernelFault::index_out_of_range:
      return "the index " + value + " is outside an axis of size " + limit;
    case KernelFault::length_out_of_range:
      return "sequence_lens holds " + value + ", expected 0 to " + limit;
    case KernelFault::none:
      break;
  }
  return "a kernel reported fault " + std::to_string(fault.kind);
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
  const Error error(ErrorCode::runtime, sentence(fault));
  throw fault.site == nullptr ? error : error.with_node(fault.site->node, fault.site->op);
}

}  // namespace ferry::cuda
