#include "kernels/scratch.h"

#include <limits>
#include <string>

#include "core/checked.h"
#include "ferry/error.h"

namespace ferry {

size_t ScratchLayout::take_bytes(size_t bytes) {
  constexpr size_t kMost = std::numeric_limits<int64_t>::max();
  const auto padded = checked_add(bytes, alignment_ - 1);
  const auto end = padded ? checked_add(bytes_, *padded / alignment_ * alignment_) : std::nullopt;
  if (!end || *end > kMost) {
    throw Error(ErrorCode::out_of_memory, "a workspace of " + std::to_string(bytes_) + " and " +
                                              std::to_string(bytes) +
                                              " bytes more does not fit in memory");
  }
  const size_t begin = bytes_;
  bytes_ = *end;
  return begin;
}

}  // namespace ferry
