#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>

#include "core/file_map.h"
#include "ferry/device.h"

namespace ferry {

// A block of memory on one device. Freed when the last Tensor that sees it goes; `owner` is what
// frees it (an allocation of a device, a mapped file, a caller's object). Memory of a model file is
// read-only: mutable_span() of a tensor of it throws.
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

  // The bytes of a weight in a model file, kept by `owner`; `mapped` says that they are pages of a
  // mapping. Where they do not lie at a multiple of `alignment`, they are copied when data() is
  // first called, once, whichever thread asks first: a weight that nobody reads costs neither time
  // nor memory.
  static std::shared_ptr<Storage> of_file(Bytes bytes, size_t alignment,
                                          std::shared_ptr<const void> owner, bool mapped);

  // Throws Error out_of_memory where the memory is yet to be filled.
  void* data() const {
    void* data = data_.load(std::memory_order_acquire);
    return data != nullptr || source_.empty() ? data : filled();
  }
  // The bytes where they lie now, at any alignment: for who copies or packs them with memcpy.
  const void* unaligned() const {
    const void* data = data_.load(std::memory_order_acquire);
    return data != nullptr || source_.empty() ? data : source_.data();
  }
  // Says that the pages of a mapped file are not needed for now, so that they stop counting as
  // memory of this process; reading them again costs time, nothing else. Does nothing for other
  // memory.
  void release_pages() const {
    if (mapped_) ferry::release_pages(source_);
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
  Bytes source_;  // in a model file
  bool mapped_ = false;
  mutable std::mutex fill_mutex_;
  mutable std::shared_ptr<Storage> memory_;  // what was copied
};

// Host memory, 64-byte aligned, of large pages where it is large; `count` default-constructed
// std::string for string tensors. Throws Error out_of_memory.
std::shared_ptr<Storage> allocate_host(size_t bytes);
std::shared_ptr<Storage> allocate_host_strings(size_t count);

}  // namespace ferry
