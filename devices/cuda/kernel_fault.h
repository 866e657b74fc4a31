#pragma once

#include <cuda_runtime.h>

#include "devices/cuda/fault_record.h"

namespace ferry::cuda {

// What a kernel gets, by value, to report a fault with (fault_record.h).
struct FaultReporter {
  Fault* fault = nullptr;
  const WorkSite* site = nullptr;  // the host's: only handed on

  __device__ void report(KernelFault kind, int64_t value = 0, int64_t limit = 0) const {
    if (atomicCAS(&fault->kind, 0, static_cast<int>(kind)) != 0) return;
    fault->site = site;
    fault->value = value;
    fault->limit = limit;
  }
};

}  // namespace ferry::cuda
