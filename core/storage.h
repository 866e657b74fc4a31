#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>

#include "ferry/device.h"

namespace ferry {

// A block of memory on one device. Freed when the last Tensor that sees it goes; `owner` is what
// frees it (an allocation of a device, a mapped file, a caller's object). Memory of a file mapping
// is read-only: mutable_span() of a tensor of it throws.
class Storage {
 public:
  Storage(void* data, size_t bytes, Device device, std::shared_ptr<const void> owner,
          bool read_only = false, bool pinned = false)
      : data_(data),
        bytes_(bytes),
        device_(device),
        owner_(std::move(owner)),
        read_only_(read_only),
        pinned_(pinned) {}

  // Read-only host memory that `fill` writes when data() is first called, once, whichever thread
  // asks first. A weight that nobody reads then costs neither time nor memory. `owner` keeps what
  // `fill` reads.
  Storage(size_t bytes, std::function<void(void*)> fill, std::shared_ptr<const void> owner)
      : data_(nullptr),
        bytes_(bytes),
        owner_(std::move(owner)),
        read_only_(true),
        pinned_(false),
        fill_(std::move(fill)) {}

  // Throws Error out_of_memory where the memory is yet to be filled.
  void* data() const {
    void* data = data_.load(std::memory_order_acquire);
    return data != nullptr || fill_ == nullptr ? data : filled();
  }
  size_t bytes() const { return bytes_; }
  Device device() const { return device_; }
  bool read_only() const { return read_only_; }
  bool pinned() const { return pinned_; }
  const std::shared_ptr<const void>& owner() const { return owner_; }

 private:
  void* filled() const;

  mutable std::atomic<void*> data_;
  size_t bytes_;
  Device device_;
  std::shared_ptr<const void> owner_;
  bool read_only_, pinned_;
  std::function<void(void*)> fill_;  // of memory that is filled on demand
  mutable std::mutex fill_mutex_;
  mutable std::shared_ptr<Storage> memory_;  // what was filled
};

// 64-byte aligned host memory; `count` default-constructed std::string for string tensors. Throws
// Error out_of_memory.
std::shared_ptr<Storage> allocate_host(size_t bytes);
std::shared_ptr<Storage> allocate_host_strings(size_t count);

}  // namespace ferry
