#pragma once

#include <map>
#include <mutex>
#include <string>

#include "devices/device.h"

namespace ferry::cuda {

// One GPU, or one emulated one: the same code either way. `index` is CUDA's ordinal.
class CudaBackend final : public DeviceBackend {
 public:
  // Throws Error device_missing or device_failed.
  CudaBackend(DeviceKind kind, int index);

  Device device() const override { return {kind_, index_}; }
  int index() const { return index_; }
  const DeviceProperties& properties() const override { return properties_; }
  size_t free_bytes() override;

  void* allocate(size_t bytes) override;
  void free(void* pointer) noexcept override;
  void* allocate_pinned(size_t bytes) override;
  void free_pinned(void* pointer) noexcept override;
  // Whether [pointer, pointer + bytes) lies in memory of allocate_pinned of any device of this
  // kind.
  bool is_pinned(const void* pointer, size_t bytes) const;

  std::unique_ptr<Stream> create_stream() override;
  std::unique_ptr<Event> create_event(bool timing) override;
  void synchronize() override;

 private:
  DeviceKind kind_;
  int index_;
  DeviceProperties properties_;
};

}  // namespace ferry::cuda
