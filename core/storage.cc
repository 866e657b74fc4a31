#include "core/storage.h"

#include <cstdlib>
#include <new>
#include <string>

#include "core/checked.h"
#include "ferry/error.h"

namespace ferry {
namespace {

constexpr size_t kAlignment = 64;

[[noreturn]] void out_of_memory(size_t bytes) {
  throw Error(ErrorCode::out_of_memory,
              "the host has no memory left for a tensor of " + std::to_string(bytes) + " bytes.");
}

}  // namespace

void* Storage::filled() const {
  std::lock_guard lock(fill_mutex_);
  if (memory_ == nullptr) {
    std::shared_ptr<Storage> memory = allocate_host(bytes_);
    fill_(memory->data());
    memory_ = std::move(memory);
    data_.store(memory_->data(), std::memory_order_release);
  }
  return memory_->data();
}

std::shared_ptr<Storage> allocate_host(size_t bytes) {
  const auto padded = checked_add<size_t>(bytes, kAlignment - 1);
  void* data =
      padded ? std::aligned_alloc(kAlignment, std::max(kAlignment, *padded & ~(kAlignment - 1)))
             : nullptr;
  if (data == nullptr) out_of_memory(bytes);
  std::shared_ptr<const void> owner(data, [](void* p) { std::free(p); });
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
