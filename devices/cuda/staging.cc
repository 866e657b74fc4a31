#include "devices/cuda/staging.h"

#include <algorithm>
#include <cstring>

#include "devices/cuda/error.h"

namespace ferry::cuda {

StagingRing::StagingRing(cudaStream_t stream) : stream_(stream) {
  try {
    for (Slot& slot : slots_) {
      void* data = nullptr;
      check(cudaHostAlloc(&data, kSlotBytes, cudaHostAllocDefault), "allocate a staging buffer");
      slot.data = static_cast<char*>(data);
      check(cudaEventCreateWithFlags(&slot.free, cudaEventDisableTiming), "create an event");
    }
  } catch (...) {
    release();
    throw;
  }
}

StagingRing::~StagingRing() { release(); }

void StagingRing::release() noexcept {
  // cudaFreeHost waits for the copies that still use a buffer.
  for (Slot& slot : slots_) {
    if (slot.free) cudaEventDestroy(slot.free);
    cudaFreeHost(slot.data);
  }
}

StagingRing::Slot& StagingRing::next() {
  Slot& slot = slots_[turn_++ % slots_.size()];
  check(cudaEventSynchronize(slot.free), "wait for a staging buffer");
  return slot;
}

void StagingRing::upload(void* device, const void* host, size_t bytes) {
  for (size_t done = 0; done < bytes; done += kSlotBytes) {
    const size_t chunk = std::min(kSlotBytes, bytes - done);
    Slot& slot = next();
    std::memcpy(slot.data, static_cast<const char*>(host) + done, chunk);
    check(cudaMemcpyAsync(static_cast<char*>(device) + done, slot.data, chunk,
                          cudaMemcpyHostToDevice, stream_),
          "copy to the device");
    check(cudaEventRecord(slot.free, stream_), "record an event");
  }
}

void StagingRing::download(void* host, const void* device, size_t bytes) {
  struct Pending {
    Slot* slot;
    size_t at, chunk;
  };
  std::array<Pending, std::tuple_size_v<decltype(slots_)>> pending;
  size_t queued = 0, finished = 0;
  const auto finish_one = [&] {
    const Pending& oldest = pending[finished++ % pending.size()];
    check(cudaEventSynchronize(oldest.slot->free), "wait for a copy from the device");
    std::memcpy(static_cast<char*>(host) + oldest.at, oldest.slot->data, oldest.chunk);
  };
  for (size_t at = 0; at < bytes; at += kSlotBytes) {
    if (queued - finished == pending.size()) finish_one();
    const size_t chunk = std::min(kSlotBytes, bytes - at);
    Slot& slot = next();
    check(cudaMemcpyAsync(slot.data, static_cast<const char*>(device) + at, chunk,
                          cudaMemcpyDeviceToHost, stream_),
          "copy from the device");
    check(cudaEventRecord(slot.free, stream_), "record an event");
    pending[queued++ % pending.size()] = {&slot, at, chunk};
  }
  while (finished < queued) finish_one();
}

}  // namespace ferry::cuda
