#pragma once

#include <cstdint>
#include <span>

#include "ferry/tensor.h"

namespace ferry {

// An axis attribute that inference has checked.
inline int64_t axis_of(int64_t axis, int64_t rank) { return axis < 0 ? axis + rank : axis; }

inline int64_t product(std::span<const int64_t> sizes) {
  int64_t result = 1;
  for (int64_t size : sizes) result *= size;
  return result;
}

// [outer, axis, inner]: what an operator along one axis sees of a shape.
struct AxisView {
  int64_t outer, size, inner;
  AxisView(const Shape& shape, int64_t axis)
      : outer(product(std::span(shape).first(axis))),
        size(shape[axis]),
        inner(product(std::span(shape).subspan(axis + 1))) {}
};

}  // namespace ferry
