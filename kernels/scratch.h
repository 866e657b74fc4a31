#pragma once

#include <cstddef>
#include <cstdint>

#include "ferry/dtype.h"

namespace ferry {

// Lays out the parts of a workspace one after the other, for Prepare::set_workspace. Throws Error
// where the sizes overflow.
class ScratchLayout {
 public:
  // Every part begins at a multiple of `alignment` bytes.
  explicit ScratchLayout(size_t alignment = 64) : alignment_(alignment) {}

  // Where the next part lies, in bytes from the workspace's beginning.
  size_t take(DType dtype, int64_t count) { return take_bytes(dtype_bytes(dtype, count)); }
  size_t take_bytes(size_t bytes);
  size_t bytes() const { return bytes_; }

 private:
  size_t alignment_, bytes_ = 0;
};

}  // namespace ferry
