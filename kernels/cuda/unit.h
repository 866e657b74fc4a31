#pragma once

#include <utility>

#include "kernels/unit.h"

namespace ferry::cuda {

// 16 bytes that a thread moves at once.
struct alignas(16) Unit16 {
  uint64_t low, high;
};

// f.template operator()<T>() for a T as large as an element of `dtype` (kernels/unit.h).
template <typename F>
auto visit_unit(DType dtype, F&& f) {
  return visit_bytes<Unit16>(dtype, std::forward<F>(f));
}

}  // namespace ferry::cuda
