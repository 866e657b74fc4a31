#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/storage.h"
#include "ferry/device.h"

namespace ferry {

// Memory of `device` as Storage that frees itself. Throws Error out_of_memory, device_missing.
std::shared_ptr<Storage> allocate_on(Device device, size_t bytes);

// Bytes on `device` that Storage holds in this process, now and at most since the last reset.
struct HeldBytes {
  int64_t now = 0, most = 0;
};
HeldBytes held_bytes(Device device);
void reset_most_held(Device device);

// Page-locked host memory of `device`'s driver.
std::shared_ptr<Storage> allocate_pinned_for(Device device, size_t bytes);

// Copies between any two devices and returns when the bytes are there. Two devices that cannot
// reach each other go through the host. Thread-safe.
void copy_now(void* destination, Device to, const void* source, Device from, size_t bytes);

}  // namespace ferry
