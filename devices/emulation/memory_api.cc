#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iterator>

#include "devices/emulation/runtime.h"

// Allocation, copies and fills.

namespace ferry::emulation {
namespace {

constexpr size_t kPage = 4096;

// Allocates without filling. Needs the lock.
cudaError_t allocate(int device, void** pointer, size_t bytes, Allocation* result) {
  *pointer = nullptr;
  if (bytes == 0) return cudaSuccess;
  DeviceMemory& memory = runtime().device(device).memory;
  const Config& settings = runtime().config;
  const auto allocation = memory.allocate(bytes, settings.alignment, settings.memory_limit);
  if (!allocation) {
    return remember(cudaErrorMemoryAllocation, std::to_string(bytes) + " bytes were asked for, " +
                                                   std::to_string(memory.used_bytes()) + " of " +
                                                   std::to_string(settings.memory_limit) +
                                                   " are in use");
  }
  order_after(&memory);
  *pointer = memory.address(*allocation);
  *result = *allocation;
  return cudaSuccess;
}

// Gives the allocation back; overwritten canaries lose the device. Needs the lock.
void release(int device, const Allocation& allocation) {
  DeviceMemory& memory = runtime().device(device).memory;
  order_before(&memory);
  const std::string damage = memory.release(allocation);
  if (!damage.empty()) lose_device(device, cudaErrorIllegalAddress, damage);
}

cudaError_t not_an_allocation() {
  return remember(cudaErrorInvalidValue,
                  "a pointer was freed that is not the start of live device memory");
}

bool is_pinned(const void* address, size_t bytes) {
  const auto& pinned = runtime().pinned;
  const char* begin = static_cast<const char*>(address);
  const auto above = pinned.upper_bound(begin);
  if (above == pinned.begin()) return false;
  const auto& [start, size] = *std::prev(above);
  const auto offset = static_cast<size_t>(begin - start);
  return offset <= size && bytes <= size - offset;
}

// Whether [address, +bytes) lies in one live allocation of the device that owns it.
bool is_live_on_device(const void* address, size_t bytes) {
  const int owner = runtime().owner(address);
  return owner >= 0 && runtime().device(owner).memory.is_live(address, bytes);
}

bool lost(int device) {
  const IgnoreSync ignore;
  const std::lock_guard lock(runtime().mutex);
  return runtime().device(device).sticky != cudaSuccess;
}

cudaError_t outside(const char* what) {
  return remember(cudaErrorInvalidValue,
                  std::string(what) + " does not lie in one live device allocation");
}

}  // namespace

void* kernel_view(const void* pointer) {
  const int owner = runtime().owner(pointer);
  return owner < 0 ? const_cast<void*>(pointer)
                   : runtime().device(owner).memory.kernel_view(pointer);
}

}  // namespace ferry::emulation

using namespace ferry::emulation;

cudaError_t cudaMalloc(void** pointer, size_t bytes) {
  ApiCall call;
  FERRY_API_CALL(call);
  if (forbidden_by_capture()) {
    return remember(cudaErrorStreamCaptureUnsupported, "memory was allocated while capturing");
  }
  Allocation allocation;
  const cudaError_t error = allocate(current_device(), pointer, bytes, &allocation);
  if (*pointer) runtime().device(current_device()).memory.fill_fresh(allocation);
  return error;
}

cudaError_t cudaFree(void* pointer) {
  if (!pointer) return cudaSuccess;
  const IgnoreSync ignore;
  std::unique_lock lock(runtime().mutex);
  if (forbidden_by_capture()) {
    return remember(cudaErrorStreamCaptureUnsupported, "memory was freed while capturing");
  }
  const int device = runtime().owner(pointer);
  const auto find = [&] {
    return device < 0 ? nullptr : runtime().device(device).memory.allocation_at(pointer);
  };
  if (!find()) return not_an_allocation();
  wait_until(lock, [&] {  // as on a GPU: work that may still use the memory ends first
    for (const Stream* stream : runtime().streams) {
      if (stream->device == device && !stream->idle()) return false;
    }
    return true;
  });
  for (const Stream* stream : runtime().streams) {
    if (stream->device == device) order_after(stream);
  }
  const Allocation* allocation = find();
  if (!allocation) return not_an_allocation();
  release(device, *allocation);
  return remember(runtime().device(device).sticky, runtime().device(device).diagnosis);
}

cudaError_t cudaMallocAsync(void** pointer, size_t bytes, cudaStream_t stream) {
  ApiCall call;
  FERRY_API_CALL(call);
  if (!stream) return remember(cudaErrorInvalidResourceHandle, "cudaMallocAsync needs a stream");
  if (stream->capture) {
    stream->capture->invalidated = true;
    return remember(cudaErrorStreamCaptureUnsupported, "memory was allocated while capturing");
  }
  Allocation allocation;
  const int device = stream->device;
  const cudaError_t error = allocate(device, pointer, bytes, &allocation);
  if (!*pointer) return error;
  return enqueue(stream,
                 [device, allocation] { runtime().device(device).memory.fill_fresh(allocation); });
}

cudaError_t cudaFreeAsync(void* pointer, cudaStream_t stream) {
  if (!pointer) return cudaSuccess;
  const IgnoreSync ignore;
  const std::lock_guard lock(runtime().mutex);
  if (!stream) return remember(cudaErrorInvalidResourceHandle, "cudaFreeAsync needs a stream");
  if (stream->capture) {
    stream->capture->invalidated = true;
    return remember(cudaErrorStreamCaptureUnsupported, "memory was freed while capturing");
  }
  const int device = runtime().owner(pointer);
  if (device < 0 || !runtime().device(device).memory.allocation_at(pointer)) {
    return not_an_allocation();
  }
  return enqueue(stream, [device, pointer] {
    const IgnoreSync ignore_in_worker;
    const std::lock_guard lock_in_worker(runtime().mutex);
    const Allocation* allocation = runtime().device(device).memory.allocation_at(pointer);
    if (allocation) {
      release(device, *allocation);
    } else {
      lose_device(device, cudaErrorIllegalAddress, "an allocation was freed twice");
    }
  });
}

cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int device) {
  ApiCall call;
  FERRY_API_CALL(call);
  if (device < 0 || device >= runtime().config.devices) return remember(cudaErrorInvalidDevice);
  *pool = &runtime().device(device).pool;
  return cudaSuccess;
}

cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void* value) {
  ApiCall call;
  FERRY_API_CALL(call);
  if (!pool || attribute != cudaMemPoolAttrReleaseThreshold) return remember(cudaErrorInvalidValue);
  std::memcpy(&pool->release_threshold, value, sizeof pool->release_threshold);
  return cudaSuccess;
}

cudaError_t cudaMemPoolTrimTo(cudaMemPool_t pool, size_t) {
  ApiCall call;
  FERRY_API_CALL(call);
  return pool ? cudaSuccess : remember(cudaErrorInvalidValue);  // the pool keeps nothing
}

cudaError_t cudaHostAlloc(void** pointer, size_t bytes, unsigned flags) {
  ApiCall call;
  FERRY_API_CALL(call);
  *pointer = nullptr;
  if ((flags & ~(cudaHostAllocPortable | cudaHostAllocMapped)) != 0)
    return remember(cudaErrorInvalidValue);
  if (bytes == 0) return cudaSuccess;
  if (forbidden_by_capture()) {
    return remember(cudaErrorStreamCaptureUnsupported, "memory was allocated while capturing");
  }
  void* memory = bytes > SIZE_MAX - kPage
                     ? nullptr
                     : std::aligned_alloc(kPage, (bytes + kPage - 1) / kPage * kPage);
  if (!memory) return remember(cudaErrorMemoryAllocation);
  std::memset(memory, 0xff, bytes);
  runtime().pinned[static_cast<char*>(memory)] = bytes;
  *pointer = memory;
  return cudaSuccess;
}

cudaError_t cudaFreeHost(void* pointer) {
  if (!pointer) return cudaSuccess;
  const IgnoreSync ignore;
  {
    std::unique_lock lock(runtime().mutex);
    wait_until(lock, [] {  // as on a GPU: copies that may still use the memory end first
      return std::all_of(runtime().streams.begin(), runtime().streams.end(),
                         [](const Stream* stream) { return stream->idle(); });
    });
    for (const Stream* stream : runtime().streams) order_after(stream);
    if (runtime().pinned.erase(static_cast<char*>(pointer)) == 0) {
      return remember(cudaErrorInvalidValue, "a pointer was freed that is not pinned memory");
    }
  }
  std::free(pointer);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* destination, const void* source, size_t bytes,
                            cudaMemcpyKind kind, cudaStream_t stream) {
  ApiCall call;
  FERRY_API_CALL(call);
  if (bytes == 0) return cudaSuccess;
  const bool to_device = runtime().owner(destination) >= 0;
  const bool from_device = runtime().owner(source) >= 0;
  const cudaMemcpyKind real =
      to_device ? (from_device ? cudaMemcpyDeviceToDevice : cudaMemcpyHostToDevice)
                : (from_device ? cudaMemcpyDeviceToHost : cudaMemcpyHostToHost);
  if (kind != real && kind != cudaMemcpyDefault) {
    return remember(cudaErrorInvalidMemcpyDirection,
                    "the direction of a copy is not that of its pointers");
  }
  if (to_device && !is_live_on_device(destination, bytes)) return outside("a copy's destination");
  if (from_device && !is_live_on_device(source, bytes)) return outside("a copy's source");
  // Pageable memory goes through the driver's buffer on a GPU, and the call waits.
  const bool pageable =
      (!to_device && !is_pinned(destination, bytes)) || (!from_device && !is_pinned(source, bytes));
  const cudaError_t error = enqueue(stream, [=] {
    if (!lost(stream->device)) std::memcpy(kernel_view(destination), kernel_view(source), bytes);
  });
  if (error != cudaSuccess || !pageable || stream->capture) return error;
  wait_until(call.lock(), [&] { return stream->idle(); });
  order_after(stream);
  const DeviceState& device = runtime().device(stream->device);
  return remember(device.sticky, device.diagnosis);
}

cudaError_t cudaMemcpyPeerAsync(void* destination, int destination_device, const void* source,
                                int source_device, size_t bytes, cudaStream_t stream) {
  ApiCall call;
  FERRY_API_CALL(call);
  if (bytes == 0) return cudaSuccess;
  if (runtime().owner(destination) != destination_device ||
      runtime().owner(source) != source_device) {
    return remember(cudaErrorInvalidValue,
                    "a peer copy's pointers do not belong to the devices that it names");
  }
  if (!is_live_on_device(destination, bytes)) return outside("a peer copy's destination");
  if (!is_live_on_device(source, bytes)) return outside("a peer copy's source");
  return enqueue(stream, [=] {
    if (!lost(stream->device)) std::memcpy(kernel_view(destination), kernel_view(source), bytes);
  });
}

cudaError_t cudaMemsetAsync(void* pointer, int value, size_t bytes, cudaStream_t stream) {
  ApiCall call;
  FERRY_API_CALL(call);
  if (bytes == 0) return cudaSuccess;
  if (!is_live_on_device(pointer, bytes)) return outside("a fill's range");
  return enqueue(stream, [=] {
    if (!lost(stream->device)) std::memset(kernel_view(pointer), value, bytes);
  });
}
