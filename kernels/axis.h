#pragma once

#include <cstdint>
#include <span>

#include "ferry/tensor.h"

namespace ferry {

// An axis attribute that inference has checked.
inline int64_t axis_of(int64_t axis, int64_t rank) { return axis < 0 ? axis + rank : axis; }

// [outer, axis, inner]: what an operator along one axis sees of a shape. Throws where they
// overflow.
struct AxisView {
  int64_t outer, size, inner;
  AxisView(const Shape& shape, int64_t axis)
      : outer(numel_of(std::span(shape).first(axis))),
        size(shape[axis]),
        inner(numel_of(std::span(shape).subspan(axis + 1))) {}
};

}  // namespace ferry
