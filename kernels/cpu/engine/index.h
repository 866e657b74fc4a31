#pragma once

#include <cstdint>
#include <string>

#include "ferry/error.h"

namespace ferry::cpu {

// Index i of an input of int32 or (`wide`) int64, counted from the back where it is negative.
// Throws Error runtime where it is outside an axis of `size`.
inline int64_t index_at(const void* indices, bool wide, int64_t i, int64_t size) {
  const int64_t given =
      wide ? static_cast<const int64_t*>(indices)[i] : static_cast<const int32_t*>(indices)[i];
  if (given < -size || given >= size) {
    throw Error(ErrorCode::runtime, "the index " + std::to_string(given) +
                                        " is outside an axis of size " + std::to_string(size));
  }
  return given < 0 ? given + size : given;
}

}  // namespace ferry::cpu
