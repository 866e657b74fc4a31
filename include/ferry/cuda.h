#pragma once

#include <string>

#include "ferry/export.h"

// What this machine has of CUDA.
namespace ferry::cuda {

// Whether cuda:0 can be used: a driver, a GPU and Ferry's CUDA backend. Never throws.
FERRY_API bool is_available();
FERRY_API int device_count();
// Why there is none: "" when is_available().
FERRY_API std::string why_unavailable();

struct DeviceProperties {
  std::string name;
  int major = 0, minor = 0;  // compute capability
  size_t total_memory = 0;   // bytes
  int multi_processor_count = 0;
};
// Throws Error device_missing.
FERRY_API DeviceProperties device_properties(int index = 0);

// Blocks until all work on cuda:`index` is done. Throws Error device_missing, device_failed.
FERRY_API void synchronize(int index = 0);

}  // namespace ferry::cuda
