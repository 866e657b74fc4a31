#include "devices/emulation/memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace ferry::emulation {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kLargestSpan = size_t{1} << 37;  // tried first, halved until the system agrees
constexpr size_t kSmallestSpan = size_t{1} << 28;
constexpr size_t kFreesBeforeReuse = 16;
constexpr int kFill = 0xff;

size_t round_up(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }

bool is_filled(const char* bytes, size_t count) {
  return std::all_of(bytes, bytes + count, [](char c) { return c == static_cast<char>(kFill); });
}

// AddressSanitizer then stops a kernel at the first byte outside, with its source line.
void guard_slack([[maybe_unused]] const char* begin, [[maybe_unused]] size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
  __asan_poison_memory_region(begin, bytes);
#endif
}
void unguard([[maybe_unused]] const char* begin, [[maybe_unused]] size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
  __asan_unpoison_memory_region(begin, bytes);
#endif
}

}  // namespace

DeviceMemory::DeviceMemory() : top_(kPage) {
  const int file = memfd_create("ferry-emulated-device", MFD_CLOEXEC);
  if (file < 0) throw std::bad_alloc();
  // The system picks the addresses: fixed ones collide with ThreadSanitizer's shadow.
  const auto map = [&](size_t bytes) {
    void* view = mmap(nullptr, bytes, PROT_NONE, MAP_SHARED | MAP_NORESERVE, file, 0);
    return view == MAP_FAILED ? nullptr : static_cast<char*>(view);
  };
  for (size_t bytes = kLargestSpan; bytes >= kSmallestSpan && !span_; bytes /= 2) {
    if (ftruncate(file, static_cast<off_t>(bytes)) != 0) continue;
    device_view_ = map(bytes);
    kernel_view_ = device_view_ ? map(bytes) : nullptr;
    if (kernel_view_) {
      span_ = bytes;
    } else if (device_view_) {
      munmap(device_view_, bytes);
    }
  }
  close(file);
  if (!span_) throw std::bad_alloc();
}

void DeviceMemory::shift_addresses(void* data, size_t bytes) const {
  auto* at = static_cast<char*>(data);
  const size_t top = top_;
  for (size_t i = 0; i + sizeof(void*) <= bytes; i += sizeof(void*)) {
    void* word;
    std::memcpy(&word, at + i, sizeof word);
    if (!in_device_view(word) || offset_of(word) >= top) continue;
    word = kernel_view(word);
    std::memcpy(at + i, &word, sizeof word);
  }
}

std::optional<Allocation> DeviceMemory::allocate(size_t bytes, size_t alignment, size_t limit) {
  if (bytes > limit || used_ > limit - bytes) return std::nullopt;
  const size_t aligned = round_up(bytes, alignment);
  const size_t length = round_up(aligned, kPage);
  size_t first = top_;
  if (const auto spare = spare_.find(length); spare != spare_.end()) {
    first = spare->second;
    spare_.erase(spare);
  } else {
    if (length + kPage > span_ - top_) return std::nullopt;
    top_ += length + kPage;
  }
  if (mprotect(kernel_view_ + first, length, PROT_READ | PROT_WRITE) != 0) {
    spare_.emplace(length, first);  // the system allows no more mappings
    return std::nullopt;
  }
  const Allocation result{first + length - aligned, bytes, first, length, next_id_++, true};
  allocations_[first] = result;
  used_ += bytes;
  ++live_;
  char* begin = kernel_view_ + result.offset;
  char* pages = kernel_view_ + first;
  unguard(pages, length);
  std::memset(pages, kFill, length - aligned);
  std::memset(begin + bytes, kFill, aligned - bytes);
  guard_slack(pages, length - aligned);
  guard_slack(begin + bytes, aligned - bytes);
  return result;
}

void DeviceMemory::fill_fresh(const Allocation& allocation) {
  std::memset(kernel_view_ + allocation.offset, kFill, allocation.bytes);
}

std::string DeviceMemory::release(const Allocation& allocation) {
  const char* pages = kernel_view_ + allocation.first;
  const char* begin = kernel_view_ + allocation.offset;
  const char* end = begin + allocation.bytes;
  unguard(pages, allocation.length);
  const bool before = !is_filled(pages, static_cast<size_t>(begin - pages));
  const bool after = !is_filled(end, static_cast<size_t>(pages + allocation.length - end));
  mprotect(kernel_view_ + allocation.first, allocation.length, PROT_NONE);
  allocations_[allocation.first].live = false;
  used_ -= allocation.bytes;
  --live_;
  rest_.emplace_back(allocation.length, allocation.first);
  if (rest_.size() > kFreesBeforeReuse) {
    spare_.insert(rest_.front());
    rest_.pop_front();
  }
  if (!before && !after) return "";
  return "bytes just " + std::string(before ? "before" : "after") + " allocation #" +
         std::to_string(allocation.id) + " of " + std::to_string(allocation.bytes) +
         " bytes were overwritten while it was live";
}

const Allocation* DeviceMemory::containing(size_t offset) const {
  const auto above = allocations_.upper_bound(offset);
  return above == allocations_.begin() ? nullptr : &std::prev(above)->second;
}

size_t DeviceMemory::offset_of(const void* address) const {
  const char* view = in_device_view(address) ? device_view_ : kernel_view_;
  return static_cast<size_t>(static_cast<const char*>(address) - view);
}

const Allocation* DeviceMemory::allocation_at(const void* address) const {
  if (!in_device_view(address)) return nullptr;
  const Allocation* found = containing(offset_of(address));
  return found && found->live && found->offset == offset_of(address) ? found : nullptr;
}

bool DeviceMemory::is_live(const void* address, size_t bytes) const {
  if (!in_device_view(address)) return false;
  const size_t offset = offset_of(address);
  const Allocation* found = containing(offset);
  return found && found->live && offset >= found->offset &&
         offset - found->offset <= found->bytes && bytes <= found->bytes - (offset - found->offset);
}

std::string DeviceMemory::describe(const void* address) const {
  const size_t offset = offset_of(address);
  const Allocation* near = containing(offset);
  if (!near) return "at an address that no allocation is near";
  const auto byte = static_cast<int64_t>(offset) - static_cast<int64_t>(near->offset);
  const bool outside = byte < 0 || byte >= static_cast<int64_t>(near->bytes);
  return "at byte " + std::to_string(byte) + " of allocation #" + std::to_string(near->id) +
         " of " + std::to_string(near->bytes) + " bytes" +
         (outside ? (byte < 0 ? " (before its start)" : " (past its end)") : "");
}

bool DeviceMemory::is_freed(const void* address) const {
  const size_t offset = offset_of(address);
  const Allocation* near = containing(offset);
  return near && !near->live && offset < near->first + near->length;
}

}  // namespace ferry::emulation
