#include "devices/copy.h"

#include <atomic>
#include <cstring>
#include <map>
#include <mutex>

#include "devices/device.h"
#include "ferry/error.h"

namespace ferry {
namespace {

// One stream per device for copies that somebody waits for.
struct CopyStream {
  std::mutex mutex;
  std::unique_ptr<Stream> stream;
};

CopyStream& copy_stream(Device device) {
  static std::mutex mutex;
  // Never destroyed: backends outlive static destruction, and tensors may too.
  static auto& streams = *new std::map<Device, CopyStream>();
  const std::lock_guard lock(mutex);
  CopyStream& entry = streams[device];
  if (!entry.stream) entry.stream = backend(device).create_stream();
  return entry;
}

void copy_on(Device device, void* destination, const void* source, size_t bytes,
             CopyDirection direction) {
  CopyStream& entry = copy_stream(device);
  const std::lock_guard lock(entry.mutex);
  entry.stream->copy(destination, source, bytes, direction);
  entry.stream->synchronize();
}

// What allocate_on() gave out.
struct Held {
  std::atomic<int64_t> now = 0, most = 0;

  void add(int64_t bytes) {
    const int64_t after = now.fetch_add(bytes, std::memory_order_relaxed) + bytes;
    int64_t before = most.load(std::memory_order_relaxed);
    while (before < after &&
           !most.compare_exchange_weak(before, after, std::memory_order_relaxed)) {
    }
  }
};

Held& held_on(Device device) {
  static std::mutex mutex;
  static auto& all = *new std::map<Device, Held>();  // as copy_stream()'s
  const std::lock_guard lock(mutex);
  return all[device];
}

}  // namespace

HeldBytes held_bytes(Device device) {
  const Held& held = held_on(device);
  return {held.now.load(std::memory_order_relaxed), held.most.load(std::memory_order_relaxed)};
}

void reset_most_held(Device device) {
  Held& held = held_on(device);
  held.most.store(held.now.load(std::memory_order_relaxed), std::memory_order_relaxed);
}

std::shared_ptr<Storage> allocate_on(Device device, size_t bytes) {
  if (device.is_cpu()) return allocate_host(bytes);
  DeviceBackend& target = backend(device);
  void* data = target.allocate(bytes);
  Held& held = held_on(device);
  held.add(static_cast<int64_t>(bytes));
  std::shared_ptr<const void> owner(data, [&target, &held, bytes](const void* p) {
    held.add(-static_cast<int64_t>(bytes));
    target.free(const_cast<void*>(p));
  });
  return std::make_shared<Storage>(data, bytes, device, std::move(owner));
}

std::shared_ptr<Storage> allocate_pinned_for(Device device, size_t bytes) {
  if (device.is_cpu()) return allocate_host(bytes);
  DeviceBackend& target = backend(device);
  void* data = target.allocate_pinned(bytes);
  std::shared_ptr<const void> owner(
      data, [&target](const void* p) { target.free_pinned(const_cast<void*>(p)); });
  return std::make_shared<Storage>(data, bytes, Device::cpu(), std::move(owner), false, true);
}

void copy_now(void* destination, Device to, const void* source, Device from, size_t bytes) {
  if (bytes == 0) return;
  if (to.is_cpu() && from.is_cpu()) {
    std::memcpy(destination, source, bytes);
  } else if (to.is_cpu()) {
    copy_on(from, destination, source, bytes, CopyDirection::device_to_host);
  } else if (from.is_cpu()) {
    copy_on(to, destination, source, bytes, CopyDirection::host_to_device);
  } else if (to == from) {
    copy_on(to, destination, source, bytes, CopyDirection::device_to_device);
  } else {
    const std::shared_ptr<Storage> host = allocate_host(bytes);
    copy_now(host->data(), Device::cpu(), source, from, bytes);
    copy_now(destination, to, host->data(), Device::cpu(), bytes);
  }
}

}  // namespace ferry
