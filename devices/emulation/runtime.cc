#include "devices/emulation/runtime.h"

#include <algorithm>
#include <cstring>

#include "devices/emulation/fault.h"

namespace ferry::emulation {
namespace {

thread_local int selected_device = 0;
thread_local cudaError_t last_error = cudaSuccess;
thread_local std::string last_diagnosis;

struct ErrorName {
  cudaError_t error;
  const char* name;
  const char* text;
};

constexpr ErrorName kErrorNames[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration",
     "invalid configuration argument"},
    {cudaErrorInvalidMemcpyDirection, "cudaErrorInvalidMemcpyDirection",
     "invalid copy direction for memcpy"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorIllegalState, "cudaErrorIllegalState",
     "the operation cannot be performed in the present state"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress",
     "an illegal memory access was encountered"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
    {cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported",
     "operation not permitted when stream is capturing"},
    {cudaErrorStreamCaptureInvalidated, "cudaErrorStreamCaptureInvalidated",
     "operation failed due to a previous error during capture"},
    {cudaErrorStreamCaptureMerge, "cudaErrorStreamCaptureMerge",
     "operation would result in a merge of separate capture sequences"},
    {cudaErrorStreamCaptureUnmatched, "cudaErrorStreamCaptureUnmatched",
     "capture was not ended in the same stream as it began"},
    {cudaErrorStreamCaptureUnjoined, "cudaErrorStreamCaptureUnjoined",
     "capturing stream has unjoined work"},
    {cudaErrorStreamCaptureIsolation, "cudaErrorStreamCaptureIsolation",
     "dependency created on uncaptured work in another stream"},
    {cudaErrorCapturedEvent, "cudaErrorCapturedEvent",
     "operation not permitted on an event last recorded in a capturing stream"},
    {cudaErrorUnknown, "cudaErrorUnknown", "unknown error"},
};

const ErrorName& name_of(cudaError_t error) {
  for (const ErrorName& row : kErrorNames) {
    if (row.error == error) return row;
  }
  return kErrorNames[std::size(kErrorNames) - 1];
}

}  // namespace

Runtime& runtime() {
  static Runtime* const instance = new Runtime;
  return *instance;
}

DeviceState& Runtime::device(int index) {
  auto& slot = devices[index];
  if (!slot) {
    install_fault_handler();
    slot = std::make_unique<DeviceState>();
  }
  return *slot;
}

int Runtime::owner(const void* address) const {
  for (int i = 0; i < kMaxDevices; ++i) {
    if (devices[i] && devices[i]->memory.in_device_view(address)) return i;
  }
  return -1;
}

int current_device() { return selected_device; }

cudaError_t remember(cudaError_t error, std::string diagnosis) {
  if (error != cudaSuccess && error != cudaErrorNotReady) {
    last_error = error;
    last_diagnosis = std::move(diagnosis);
  }
  return error;
}

void lose_device(int device, cudaError_t error, std::string diagnosis) {
  DeviceState& state = runtime().device(device);
  if (state.sticky != cudaSuccess) return;  // the first failure is the cause
  state.sticky = error;
  state.diagnosis = std::move(diagnosis);
}

ApiCall::ApiCall(int device) : lock_(runtime().mutex) {
  Runtime& state = runtime();
  if (device >= state.config.devices) {
    error_ = remember(state.config.devices == 0 ? cudaErrorNoDevice : cudaErrorInvalidDevice);
    return;
  }
  if (const cudaError_t sticky = state.device(device).sticky; sticky != cudaSuccess) {
    error_ = remember(sticky, state.device(device).diagnosis);
    return;
  }
  const InjectedFailure& failure = state.config.failure;
  if (++state.api_calls == failure.at_call) {
    error_ = remember(failure.error, "injected failure");
    if (failure.sticky) lose_device(device, failure.error, "injected failure");
  }
}

void configure(const Config& config) {
  const IgnoreSync ignore;
  Runtime& state = runtime();
  std::unique_lock lock(state.mutex);
  wait_until(lock, [&] {
    return std::all_of(state.streams.begin(), state.streams.end(),
                       [](const Stream* stream) { return stream->idle(); });
  });
  state.config = config;
  state.random.seed(config.seed);
  for (size_t i = 0; i < state.streams.size(); ++i) {
    state.streams[i]->random.seed(config.seed * 1000003 + i);
  }
  for (auto& device : state.devices) {
    if (!device) continue;
    device->sticky = cudaSuccess;
    device->diagnosis.clear();
  }
  state.api_calls = 0;
  last_error = cudaSuccess;
  last_diagnosis.clear();
}

const Config& config() { return runtime().config; }

int64_t api_calls() {
  const std::lock_guard lock(runtime().mutex);
  return runtime().api_calls;
}

std::string diagnosis() {
  const IgnoreSync ignore;
  const std::lock_guard lock(runtime().mutex);
  const auto& device = runtime().devices[selected_device];
  return device && device->sticky != cudaSuccess ? device->diagnosis : last_diagnosis;
}

Counters counters() {
  const IgnoreSync ignore;
  const std::lock_guard lock(runtime().mutex);
  Counters result = runtime().counters;
  for (const auto& device : runtime().devices) {
    if (device) result.allocations += device->memory.live_count();
  }
  result.pinned_allocations = runtime().pinned.size();
  return result;
}

}  // namespace ferry::emulation

using namespace ferry::emulation;

const char* cudaGetErrorName(cudaError_t error) { return name_of(error).name; }
const char* cudaGetErrorString(cudaError_t error) { return name_of(error).text; }

cudaError_t cudaPeekAtLastError() {
  const IgnoreSync ignore;
  const std::lock_guard lock(runtime().mutex);
  const auto& device = runtime().devices[selected_device];
  return device && device->sticky != cudaSuccess ? device->sticky : last_error;
}

cudaError_t cudaGetLastError() {
  const cudaError_t error = cudaPeekAtLastError();
  last_error = cudaSuccess;
  return error;
}

cudaError_t cudaGetDeviceCount(int* count) {
  const IgnoreSync ignore;
  const std::lock_guard lock(runtime().mutex);
  *count = runtime().config.devices;
  return *count == 0 ? remember(cudaErrorNoDevice) : cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  {
    const IgnoreSync ignore;
    const std::lock_guard lock(runtime().mutex);
    if (device < 0 || device >= runtime().config.devices) return remember(cudaErrorInvalidDevice);
  }
  selected_device = device;
  return cudaSuccess;
}

cudaError_t cudaGetDevice(int* device) {
  *device = selected_device;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  ApiCall call;
  FERRY_API_CALL(call);
  if (device < 0 || device >= runtime().config.devices) return remember(cudaErrorInvalidDevice);
  *properties = {};
  std::strcpy(properties->name, "emulated sm_90");
  properties->totalGlobalMem = runtime().config.memory_limit;
  properties->sharedMemPerBlock = kMaxSharedBytes;
  properties->major = 9;
  properties->minor = 0;
  properties->multiProcessorCount = 2;
  properties->maxThreadsPerBlock = kMaxThreadsPerBlock;
  properties->warpSize = kWarpSize;
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total_bytes) {
  ApiCall call;
  FERRY_API_CALL(call);
  const size_t limit = runtime().config.memory_limit;
  *total_bytes = limit;
  *free_bytes = limit - std::min(limit, runtime().device(current_device()).memory.used_bytes());
  return cudaSuccess;
}
