#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <tuple>
#include <type_traits>

#include "devices/emulation/thread_block.h"

// The part of the CUDA runtime API that Ferry uses, on threads of this machine. Names, signatures,
// numbers and meaning are those of the CUDA Runtime API reference; where a GPU would give undefined
// behaviour or wrong data, an error with a diagnosis (emulation.h) comes instead. Stricter than a
// GPU in these points:
//   - The null stream is refused (cudaErrorInvalidResourceHandle): work belongs to a named stream.
//   - Kernels and event records need the stream's device to be current.
//   - Copies check that device ranges lie inside one live allocation.
//   - Device memory must not be allocated or freed while the calling thread captures.
//   - A launch may use at most 48 KiB of dynamic shared memory.
//   - Device addresses reach a kernel only through its arguments (by value, structs of pointers
//     included), and only addresses of the stream's own device are accessible.
// All functions may be called from any host thread; an event, a stream or a graph is not to be
// destroyed while another thread uses it.

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorInvalidMemcpyDirection = 21,
  cudaErrorNoDevice = 100,
  cudaErrorInvalidDevice = 101,
  cudaErrorInvalidResourceHandle = 400,
  cudaErrorIllegalState = 401,
  cudaErrorNotReady = 600,
  cudaErrorIllegalAddress = 700,
  cudaErrorLaunchFailure = 719,
  cudaErrorStreamCaptureUnsupported = 900,
  cudaErrorStreamCaptureInvalidated = 901,
  cudaErrorStreamCaptureMerge = 902,
  cudaErrorStreamCaptureUnmatched = 903,
  cudaErrorStreamCaptureUnjoined = 904,
  cudaErrorStreamCaptureIsolation = 905,
  cudaErrorCapturedEvent = 907,
  cudaErrorUnknown = 999,
};
enum cudaMemcpyKind {
  cudaMemcpyHostToHost,
  cudaMemcpyHostToDevice,
  cudaMemcpyDeviceToHost,
  cudaMemcpyDeviceToDevice,
  cudaMemcpyDefault,
};
enum cudaStreamCaptureMode {
  cudaStreamCaptureModeGlobal,
  cudaStreamCaptureModeThreadLocal,
  cudaStreamCaptureModeRelaxed,
};
enum cudaMemPoolAttr { cudaMemPoolAttrReleaseThreshold = 4 };

constexpr unsigned cudaStreamNonBlocking = 1;
constexpr unsigned cudaEventDefault = 0;
constexpr unsigned cudaEventDisableTiming = 2;
constexpr unsigned cudaHostAllocDefault = 0;
constexpr unsigned cudaHostAllocPortable = 1;
constexpr unsigned cudaHostAllocMapped = 2;

namespace ferry::emulation {
struct Stream;
struct Event;
struct Graph;
struct GraphExec;
struct MemoryPool;
}  // namespace ferry::emulation

using cudaStream_t = ferry::emulation::Stream*;
using cudaEvent_t = ferry::emulation::Event*;
using cudaGraph_t = ferry::emulation::Graph*;
using cudaGraphExec_t = ferry::emulation::GraphExec*;
using cudaMemPool_t = ferry::emulation::MemoryPool*;

struct cudaDeviceProp {
  char name[256];
  size_t totalGlobalMem;
  size_t sharedMemPerBlock;
  int major, minor;
  int multiProcessorCount;
  int maxThreadsPerBlock;
  int warpSize;
};

// ---- errors -----------------------------------------------------------------------------------
const char* cudaGetErrorName(cudaError_t error);
const char* cudaGetErrorString(cudaError_t error);
cudaError_t cudaGetLastError();
cudaError_t cudaPeekAtLastError();

// ---- devices ----------------------------------------------------------------------------------
cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDevice(int* device);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
cudaError_t cudaDeviceSynchronize();
cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total_bytes);

// ---- memory -----------------------------------------------------------------------------------
cudaError_t cudaMalloc(void** pointer, size_t bytes);
cudaError_t cudaFree(void* pointer);
cudaError_t cudaMallocAsync(void** pointer, size_t bytes, cudaStream_t stream);
cudaError_t cudaFreeAsync(void* pointer, cudaStream_t stream);
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int device);
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void* value);
cudaError_t cudaMemPoolTrimTo(cudaMemPool_t pool, size_t bytes_to_keep);
cudaError_t cudaHostAlloc(void** pointer, size_t bytes, unsigned flags);
cudaError_t cudaFreeHost(void* pointer);
cudaError_t cudaMemcpyAsync(void* destination, const void* source, size_t bytes,
                            cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaMemcpyPeerAsync(void* destination, int destination_device, const void* source,
                                int source_device, size_t bytes, cudaStream_t stream);
cudaError_t cudaMemsetAsync(void* pointer, int value, size_t bytes, cudaStream_t stream);

template <typename T>
cudaError_t cudaMalloc(T** pointer, size_t bytes) {
  return cudaMalloc(reinterpret_cast<void**>(pointer), bytes);
}
template <typename T>
cudaError_t cudaMallocAsync(T** pointer, size_t bytes, cudaStream_t stream) {
  return cudaMallocAsync(reinterpret_cast<void**>(pointer), bytes, stream);
}
template <typename T>
cudaError_t cudaHostAlloc(T** pointer, size_t bytes, unsigned flags) {
  return cudaHostAlloc(reinterpret_cast<void**>(pointer), bytes, flags);
}

// ---- streams and events -----------------------------------------------------------------------
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);  // waits for the work on it
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamQuery(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags = 0);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventQuery(cudaEvent_t event);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end);

// ---- capture and graphs -----------------------------------------------------------------------
// A replay runs the captured nodes in a random order that respects the captured dependencies.
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph,
                                 unsigned long long flags = 0);
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable);

// ---- launch (devices/cuda/launch.h wraps it) ----------------------------------------------------
namespace ferry::emulation {

// Queues `body`, which runs one fiber of the launch (run_device_threads over the kernel).
cudaError_t queue_kernel(const char* name, dim3 grid, dim3 block, size_t shared_bytes,
                         cudaStream_t stream, std::function<void()> body);

// Rewrites every aligned 8-byte word that is an address of the stream's device into the address at
// which kernels may touch it.
void shift_device_addresses(void* argument, size_t bytes, cudaStream_t stream);

template <typename T>
T kernel_argument(T value, cudaStream_t stream) {
  static_assert(std::is_trivially_copyable_v<T>, "kernel parameters are copied bytewise");
  if constexpr (sizeof(T) >= sizeof(void*) && alignof(T) >= alignof(void*) &&
                !std::is_floating_point_v<T>) {
    shift_device_addresses(&value, sizeof value, stream);
  }
  return value;
}

template <auto kKernel, typename... Parameters>
cudaError_t launch_kernel(void (*)(Parameters...), const char* name, dim3 grid, dim3 block,
                          size_t shared_bytes, cudaStream_t stream,
                          std::type_identity_t<Parameters>... arguments) {
  return queue_kernel(
      name, grid, block, shared_bytes, stream,
      [parameters = std::tuple<Parameters...>(kernel_argument(arguments, stream)...)] {
        run_device_threads([&] { std::apply(kKernel, parameters); });
      });
}

}  // namespace ferry::emulation
