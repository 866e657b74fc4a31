#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "ferry/tensor.h"

// Strides in elements, and walks over an index space with several operands.
namespace ferry {

// Of a dense row-major tensor; 0 where it has no element to step to. Throws where its size
// overflows.
Shape contiguous_strides(const Shape& shape);
// Of a dense tensor of `shape` that is broadcast to `output`: 0 where it repeats. Throws Error
// runtime where it does not broadcast.
Shape broadcast_strides(const Shape& shape, const Shape& output);

// One axis of a walk: how many positions, and each operand's stride.
template <size_t kOperands>
struct WalkAxis {
  int64_t size = 1;
  std::array<int64_t, kOperands> strides{};
};

// `axes` come outermost first. The same walk in as few axes as it takes, innermost first: those of
// size 1 go, and neighbours that every operand walks alike become one.
template <size_t kOperands>
std::vector<WalkAxis<kOperands>> merge_axes(const std::vector<WalkAxis<kOperands>>& axes) {
  std::vector<WalkAxis<kOperands>> merged;
  for (size_t i = axes.size(); i-- > 0;) {
    const WalkAxis<kOperands>& axis = axes[i];
    if (axis.size == 1) continue;
    bool merges = !merged.empty();
    for (size_t k = 0; merges && k < kOperands; ++k) {
      merges = axis.strides[k] == merged.back().strides[k] * merged.back().size;
    }
    if (merges) {
      merged.back().size *= axis.size;
    } else {
      merged.push_back(axis);
    }
  }
  return merged;
}

}  // namespace ferry
