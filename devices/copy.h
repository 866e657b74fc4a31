#pragma once

#include <cstddef>
#include <memory>

#include "core/storage.h"
#include "ferry/device.h"

namespace ferry {

// Memory of `device` as Storage that frees itself. Throws Error out_of_memory, device_missing.
std::shared_ptr<Storage> allocate_on(Device device, size_t bytes);

// Page-locked host memory of `device`'s driver.
std::shared_ptr<Storage> allocate_pinned_for(Device device, size_t bytes);

// Copies between any two devices and returns when the bytes are there. Two devices that cannot
// reach each other go through the host. Thread-safe.
void copy_now(void* destination, Device to, const void* source, Device from, size_t bytes);

}  // namespace ferry
