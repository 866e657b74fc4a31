#include "devices/copy.h"

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

}  // namespace

std::shared_ptr<Storage> allocate_on(Device device, size_t bytes) {
  if (device.is_cpu()) return allocate_host(bytes);
  DeviceBackend& target = backend(device);
  void* data = target.allocate(bytes);
  std::shared_ptr<const void> owner(
      data, [&target](const void* p) { target.free(const_cast<void*>(p)); });
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
