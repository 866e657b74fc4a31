#pragma once

#include <cstdint>
#include <string>

#include "ferry/dtype.h"
#include "ferry/error.h"

namespace ferry {

// What movement sees of an element: so many bytes. f.template operator()<T>() for a T as large as
// an element of `dtype`, which must be of whole bytes (kByteTypes); T16 is the one of 16 bytes.
template <typename T16, typename F>
auto visit_bytes(DType dtype, F&& f) {
  static_assert(sizeof(T16) == 16);
  switch (dtype_bits(dtype)) {
    case 8:
      return f.template operator()<uint8_t>();
    case 16:
      return f.template operator()<uint16_t>();
    case 32:
      return f.template operator()<uint32_t>();
    case 64:
      return f.template operator()<uint64_t>();
    case 128:
      return f.template operator()<T16>();
    default:
      throw Error(ErrorCode::internal, "elements of " + std::string(to_string(dtype)) +
                                           " have no address of their own.");
  }
}

}  // namespace ferry
