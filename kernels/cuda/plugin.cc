#include "devices/plugin.h"

#include <cuda_runtime.h>

#include <memory>
#include <mutex>

#include "devices/cuda/backend.h"
#include "devices/cuda/error.h"
#include "ferry/error.h"
#include "kernels/cuda/table.h"

namespace ferry {
namespace {

#ifdef FERRY_EMULATED_CUDA
constexpr DeviceKind kKind = DeviceKind::sim;
#else
constexpr DeviceKind kKind = DeviceKind::cuda;
#endif

constexpr int kMaxDevices = 64;

int count_devices(std::string* why) {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaSuccess && count > 0) return count < kMaxDevices ? count : kMaxDevices;
  if (why) {
    *why = std::string("the CUDA runtime finds no device: ") + cudaGetErrorString(error) + " (" +
           cudaGetErrorName(error) + ")";
  }
  cudaGetLastError();
  return 0;
}

DeviceBackend& open_device(int index) {
  static std::mutex mutex;
  // Never destroyed: tensors with static lifetime may free their memory later.
  static auto* const backends = new std::unique_ptr<cuda::CudaBackend>[kMaxDevices];
  std::string why;
  const int count = count_devices(&why);
  if (index < 0 || index >= count) {
    if (why.empty()) why = "there are " + std::to_string(count) + ", numbered from 0";
    throw Error(ErrorCode::device_missing,
                "there is no device " + Device(kKind, index).str() + ": " + why + ".");
  }
  const std::lock_guard lock(mutex);
  if (!backends[index]) backends[index] = std::make_unique<cuda::CudaBackend>(kKind, index);
  return *backends[index];
}

constexpr DevicePlugin kPlugin{.abi = kPluginAbi,
                               .version = kPluginVersion,
                               .device_count = &count_devices,
                               .backend = &open_device,
                               .kernels = &cuda::cuda_kernels,
                               .missing_libraries = &cuda::missing_libraries};

}  // namespace

#ifdef FERRY_EMULATED_CUDA
const DevicePlugin& sim_plugin() { return kPlugin; }
#else
extern "C" FERRY_API const DevicePlugin* ferry_cuda_plugin() { return &kPlugin; }
#endif

}  // namespace ferry
