#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

namespace ferry::emulation {

struct Allocation {
  size_t offset = 0;  // of its first byte in the address space
  size_t bytes = 0;
  size_t first = 0;  // its pages: [first, first + length)
  size_t length = 0;
  uint64_t id = 0;  // 1, 2, ... on its device
  bool live = true;
};

// The memory of one emulated device: a file in memory mapped twice.
//
//   device view  never accessible; its addresses are what cudaMalloc hands out, so a host access
//                faults at once
//   kernel view  accessible where an allocation is live; what kernels and copies use
//
// Each allocation has pages of its own and ends at a page that is never accessible, up to the
// alignment; the slack between holds canaries. Fresh memory is filled with 0xff (NaN in every
// floating type). Freed pages become inaccessible and are not used again before 16 more frees.
//
// in_device_view, in_kernel_view, kernel_view and shift_addresses may be called at any time; all
// else needs the runtime's lock.
class DeviceMemory {
 public:
  DeviceMemory();
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  bool in_device_view(const void* address) const { return inside(device_view_, address); }
  bool in_kernel_view(const void* address) const { return inside(kernel_view_, address); }
  // The kernel view of an address in the device view.
  char* kernel_view(const void* address) const {
    return kernel_view_ + (static_cast<const char*>(address) - device_view_);
  }
  // Rewrites the aligned words of `bytes` at `data` that are device-view addresses. Only addresses
  // below the highest that was ever handed out count: a word may also be other data, or padding,
  // that happens to look like an address of the wide view.
  void shift_addresses(void* data, size_t bytes) const;

  // nullopt when `limit` bytes or the address space would be exceeded. The contents are not yet
  // filled: fill_fresh() does that, in stream order for cudaMallocAsync.
  std::optional<Allocation> allocate(size_t bytes, size_t alignment, size_t limit);
  char* address(const Allocation& allocation) const { return device_view_ + allocation.offset; }
  void fill_fresh(const Allocation& allocation);
  // Returns what is wrong with the bytes around the allocation, "" if nothing.
  std::string release(const Allocation& allocation);

  // The live allocation that starts at `address`, else nullptr.
  const Allocation* allocation_at(const void* address) const;
  // Whether [address, address + bytes) of the device view lies in one live allocation.
  bool is_live(const void* address, size_t bytes) const;
  // "at byte 400 of allocation #3 of 400 bytes (past its end)": an address in either view.
  std::string describe(const void* address) const;
  // Whether an address in either view lies in pages of an allocation that was freed.
  bool is_freed(const void* address) const;

  size_t used_bytes() const { return used_; }
  size_t live_count() const { return live_; }

 private:
  bool inside(const char* view, const void* address) const {
    return view && reinterpret_cast<uintptr_t>(address) - reinterpret_cast<uintptr_t>(view) < span_;
  }
  const Allocation* containing(size_t offset) const;
  size_t offset_of(const void* address) const;

  size_t span_ = 0;
  char* device_view_ = nullptr;
  char* kernel_view_ = nullptr;
  std::atomic<size_t> top_ = 0;  // pages from here on were never used
  size_t used_ = 0, live_ = 0;
  uint64_t next_id_ = 1;
  std::map<size_t, Allocation> allocations_;    // by first page; freed ones stay until reused
  std::multimap<size_t, size_t> spare_;         // length -> first page
  std::deque<std::pair<size_t, size_t>> rest_;  // freed lately: {length, first page}
};

}  // namespace ferry::emulation
