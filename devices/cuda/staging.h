#pragma once

#include <cuda_runtime.h>

#include <array>
#include <cstddef>

namespace ferry::cuda {

// A few pinned buffers in a ring, through which pageable host memory is copied in chunks while the
// device works on the chunks before. Belongs to one stream and is used by one thread at a time.
class StagingRing {
 public:
  explicit StagingRing(cudaStream_t stream);
  ~StagingRing();
  StagingRing(const StagingRing&) = delete;
  StagingRing& operator=(const StagingRing&) = delete;

  // Returns when `host` has been read; the bytes arrive in stream order.
  void upload(void* device, const void* host, size_t bytes);
  // Returns when `host` holds the bytes.
  void download(void* host, const void* device, size_t bytes);

  static constexpr size_t kSlotBytes = size_t{1} << 20;

 private:
  struct Slot {
    char* data = nullptr;
    cudaEvent_t free = nullptr;  // recorded after the last copy out of or into the slot
  };
  Slot& next();
  void release() noexcept;

  cudaStream_t stream_;
  std::array<Slot, 4> slots_;
  size_t turn_ = 0;
};

}  // namespace ferry::cuda
