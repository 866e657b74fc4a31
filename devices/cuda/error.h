#pragma once

#include <cuda_runtime.h>

#include <string_view>

namespace ferry::cuda {

// Throws ferry::Error unless `error` is cudaSuccess: out_of_memory for a failed allocation,
// device_missing where there is no device or driver, else device_failed. `action` completes the
// sentence "CUDA could not ...".
void check(cudaError_t error, std::string_view action);

// Makes a device current on this thread for a scope.
class DeviceScope {
 public:
  explicit DeviceScope(int device);
  ~DeviceScope();
  DeviceScope(const DeviceScope&) = delete;
  DeviceScope& operator=(const DeviceScope&) = delete;

 private:
  int previous_ = 0;
  bool changed_ = false;
};

}  // namespace ferry::cuda
