#include "devices/cuda/backend.h"

#include <cuda_runtime.h>

#include <cstdint>
#include <iterator>

#include "devices/cuda/error.h"
#include "devices/cuda/stream.h"

namespace ferry::cuda {
namespace {

// Pinned memory serves every device, so there is one list.
struct PinnedRanges {
  std::mutex mutex;
  std::map<const char*, size_t> bytes_at;
};

PinnedRanges& pinned_ranges() {
  static auto& ranges = *new PinnedRanges;  // outlives static destruction, as tensors may
  return ranges;
}

std::string bytes_text(size_t bytes) { return std::to_string(bytes) + " bytes"; }

}  // namespace

CudaBackend::CudaBackend(DeviceKind kind, int index) : kind_(kind), index_(index) {
  const DeviceScope scope(index_);
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, index_), "read the properties of " + device().str());
  properties_.name = properties.name;
  properties_.simulated = kind_ == DeviceKind::sim;
  properties_.memory_bytes = properties.totalGlobalMem;
  properties_.compute_major = properties.major;
  properties_.compute_minor = properties.minor;
  properties_.multiprocessors = properties.multiProcessorCount;
}

size_t CudaBackend::free_bytes() {
  const DeviceScope scope(index_);
  size_t free_now = 0, total = 0;
  check(cudaMemGetInfo(&free_now, &total), "read the free memory of " + device().str());
  return free_now;
}

void* CudaBackend::allocate(size_t bytes) {
  if (bytes == 0) return nullptr;
  const DeviceScope scope(index_);
  void* pointer = nullptr;
  check(cudaMalloc(&pointer, bytes), "allocate " + bytes_text(bytes) + " on " + device().str());
  return pointer;
}

void CudaBackend::free(void* pointer) noexcept { cudaFree(pointer); }

void* CudaBackend::allocate_pinned(size_t bytes) {
  if (bytes == 0) return nullptr;
  const DeviceScope scope(index_);
  void* pointer = nullptr;
  check(cudaHostAlloc(&pointer, bytes, cudaHostAllocPortable),
        "allocate " + bytes_text(bytes) + " of pinned host memory");
  const std::lock_guard lock(pinned_ranges().mutex);
  pinned_ranges().bytes_at[static_cast<const char*>(pointer)] = bytes;
  return pointer;
}

void CudaBackend::free_pinned(void* pointer) noexcept {
  {
    const std::lock_guard lock(pinned_ranges().mutex);
    pinned_ranges().bytes_at.erase(static_cast<const char*>(pointer));
  }
  cudaFreeHost(pointer);
}

bool CudaBackend::is_pinned(const void* pointer, size_t bytes) const {
  const auto* begin = static_cast<const char*>(pointer);
  const std::lock_guard lock(pinned_ranges().mutex);
  const auto& ranges = pinned_ranges().bytes_at;
  const auto above = ranges.upper_bound(begin);
  if (above == ranges.begin()) return false;
  const auto& [start, size] = *std::prev(above);
  const auto offset = static_cast<size_t>(begin - start);
  return offset <= size && bytes <= size - offset;
}

std::unique_ptr<Stream> CudaBackend::create_stream() { return std::make_unique<CudaStream>(*this); }

std::unique_ptr<Event> CudaBackend::create_event(bool timing) {
  return std::make_unique<CudaEvent>(index_, timing);
}

void CudaBackend::synchronize() {
  const DeviceScope scope(index_);
  check(cudaDeviceSynchronize(), "finish the work on " + device().str());
}

}  // namespace ferry::cuda
