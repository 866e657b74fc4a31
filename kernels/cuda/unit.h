#pragma once

#include <cstdint>
#include <string>

#include "core/type_set.h"
#include "ferry/error.h"

// What movement sees of an element: so many bytes.
namespace ferry::cuda {

struct alignas(16) Unit16 {
  uint64_t low, high;
};

// f.template operator()<T>() for a T as large as an element of `dtype`, which must be of whole
// bytes (kByteTypes).
template <typename F>
auto visit_unit(DType dtype, F&& f) {
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
      return f.template operator()<Unit16>();
    default:
      throw Error(ErrorCode::internal, "elements of " + std::string(to_string(dtype)) +
                                           " have no address of their own.");
  }
}

}  // namespace ferry::cuda
