#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "ferry/tensor.h"
#include "kernels/limits.h"

namespace ferry::cpu {

// The walk over an output with inputs that broadcast to it. Adjacent axes that every input walks
// alike are merged, so that what remains are rows: the innermost axis, where each input's step is 0
// or 1, and outer axes.
template <size_t kInputs>
class Broadcast {
 public:
  using Offsets = std::array<int64_t, kInputs>;
  static constexpr size_t kMaxAxes = 32;  // outer axes that merging may leave

  Broadcast() = default;
  // Throws Error unsupported where more than kMaxAxes axes are left, runtime where an input does
  // not broadcast.
  Broadcast(const Shape& output, const std::array<const Shape*, kInputs>& inputs);

  int64_t row_size() const { return row_size_; }
  int64_t row_count() const { return row_count_; }
  // Elements from one element of a row to the next, per input: 0 or 1.
  const std::array<int, kInputs>& steps() const { return steps_; }

  // f(row, offsets) for the rows [begin, end), where input i's row begins at offsets[i].
  template <typename F>
  void for_rows(int64_t begin, int64_t end, F&& f) const {
    Offsets offsets{};
    std::array<int64_t, kMaxAxes> index;
    int64_t rest = begin;
    for (size_t axis = sizes_.size(); axis-- > 0;) {
      index[axis] = rest % sizes_[axis];
      rest /= sizes_[axis];
      for (size_t i = 0; i < kInputs; ++i) offsets[i] += index[axis] * strides_[axis][i];
    }
    for (int64_t row = begin; row < end; ++row) {
      f(row, offsets);
      for (size_t axis = sizes_.size(); axis-- > 0;) {
        for (size_t i = 0; i < kInputs; ++i) offsets[i] += strides_[axis][i];
        if (++index[axis] < sizes_[axis]) break;
        for (size_t i = 0; i < kInputs; ++i) offsets[i] -= sizes_[axis] * strides_[axis][i];
        index[axis] = 0;
      }
    }
  }

 private:
  std::vector<int64_t> sizes_;  // outer axes
  std::vector<Offsets> strides_;
  int64_t row_size_ = 1, row_count_ = 1;
  std::array<int, kInputs> steps_{};
};

extern template class Broadcast<1>;
extern template class Broadcast<2>;
extern template class Broadcast<3>;

// For supports() of what walks output 0 with its first kInputs inputs.
template <size_t kInputs>
Support broadcastable(const NodeFacts& node) {
  return within_axes(node, Broadcast<kInputs>::kMaxAxes, [&] {
    std::array<const Shape*, kInputs> inputs;
    for (size_t i = 0; i < kInputs; ++i) inputs[i] = &node.input(static_cast<int>(i)).shape;
    Broadcast<kInputs>(node.output(0).shape, inputs);
  });
}

}  // namespace ferry::cpu
