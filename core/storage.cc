#include "core/storage.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

#include "core/checked.h"
#include "ferry/error.h"

namespace ferry {
namespace {

constexpr size_t kAlignment = 64;
// The least that is allocated. Under AddressSanitizer every size is exact, so that a read past the
// end of a small tensor is seen.
#if defined(__SANITIZE_ADDRESS__)
constexpr size_t kLeastBytes = 0;
#else
constexpr size_t kLeastBytes = kAlignment;
#endif
// x86-64's and AArch64's huge pages: fewer page faults and TLB misses for weights and arenas.
constexpr size_t kHugePage = size_t{2} << 20;

[[noreturn]] void out_of_memory(size_t bytes) {
  throw Error(ErrorCode::out_of_memory,
              "the host has no memory left for a tensor of " + std::to_string(bytes) + " bytes.");
}

}  // namespace

std::shared_ptr<Storage> Storage::of_file(Bytes bytes, size_t alignment,
                                          std::shared_ptr<const void> owner, bool mapped) {
  const bool aligned = reinterpret_cast<uintptr_t>(bytes.data()) % alignment == 0;
  // Storage has one pointer type for all memory; read_only keeps this from being written.
  auto storage =
      std::make_shared<Storage>(aligned ? const_cast<uint8_t*>(bytes.data()) : nullptr,
                                bytes.size(), Device::cpu(), std::move(owner), /*read_only=*/true);
  storage->source_ = bytes;
  storage->mapped_ = mapped;
  return storage;
}

void* Storage::filled() const {
  std::lock_guard lock(fill_mutex_);
  if (memory_ == nullptr) {
    memory_ = allocate_host(bytes_);
    std::memcpy(memory_->data(), source_.data(), bytes_);
    release_pages();
    data_.store(memory_->data(), std::memory_order_release);
  }
  return memory_->data();
}

std::shared_ptr<Storage> allocate_host(size_t bytes) {
  const size_t alignment = bytes >= 2 * kHugePage ? kHugePage : kAlignment;
  void* data = nullptr;
  if (posix_memalign(&data, alignment, std::max(kLeastBytes, bytes)) != 0) out_of_memory(bytes);
  std::shared_ptr<const void> owner(data, [](void* p) { std::free(p); });
  // Advice: without it the pages are small ones.
  if (alignment == kHugePage) madvise(data, bytes, MADV_HUGEPAGE);
  return std::make_shared<Storage>(data, bytes, Device::cpu(), std::move(owner));
}

std::shared_ptr<Storage> allocate_host_strings(size_t count) {
  const auto bytes = checked_mul<size_t>(count, sizeof(std::string));
  if (!bytes) out_of_memory(SIZE_MAX);
  try {
    std::shared_ptr<std::string[]> strings(new std::string[count]);
    void* data = strings.get();
    return std::make_shared<Storage>(data, *bytes, Device::cpu(), std::move(strings));
  } catch (const std::bad_alloc&) {
    out_of_memory(*bytes);
  }
}

}  // namespace ferry
