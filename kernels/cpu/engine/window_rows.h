#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "kernels/window.h"

// The walk of a sliding window row by row: an output row is the run along the last axis, and each
// tap of the window adds one strided run of the input to a part of it.
namespace ferry::cpu {

// The spatial axes that a window may have.
inline constexpr int64_t kMaxSpatialRank = 8;
using Position = std::array<int64_t, kMaxSpatialRank>;

// The output positions o of an axis whose input position o * stride + offset lies in the input:
// [first, last) within [begin, end).
struct Range {
  int64_t first, last;
};
inline Range inside(const Window::Axis& axis, int64_t offset, int64_t begin, int64_t end) {
  const int64_t low = offset < 0 ? (-offset + axis.stride - 1) / axis.stride : 0;
  const int64_t room = axis.input - offset;  // o * stride must be below it
  const int64_t high = room <= 0 ? 0 : (room + axis.stride - 1) / axis.stride;
  const int64_t first = std::clamp(low, begin, end);
  return {first, std::clamp(high, first, end)};
}

// Output rows of one channel.
inline int64_t row_count(const Window& window) {
  const int64_t width = window.axes.back().output;
  return width == 0 ? 0 : window.output_size() / width;
}

// f(tap, offset, range) for every tap of the window that reaches the input from output row `row`:
// the output positions [range.first, range.last) of the row read the channel's elements offset + o
// * stride of the last axis.
template <typename F>
void for_row_taps(const Window& window, int64_t row, F&& f) {
  const size_t rank = window.axes.size();
  const Window::Axis& last = window.axes[rank - 1];
  const int64_t outer_taps = window.kernel_size() / last.kernel;
  Position outer;
  for (size_t i = rank - 1; i-- > 0;) {
    outer[i] = row % window.axes[i].output;
    row /= window.axes[i].output;
  }
  for (int64_t tap = 0; tap < outer_taps; ++tap) {
    int64_t base = 0;
    int64_t rest = tap;
    int64_t stride = last.input;
    bool outside = false;
    for (size_t i = rank - 1; i-- > 0;) {
      const Window::Axis& axis = window.axes[i];
      const int64_t at = outer[i] * axis.stride - axis.pad + rest % axis.kernel * axis.dilation;
      rest /= axis.kernel;
      outside = at < 0 || at >= axis.input;
      if (outside) break;
      base += at * stride;
      stride *= axis.input;
    }
    if (outside) continue;
    for (int64_t i = 0; i < last.kernel; ++i) {
      const int64_t offset = i * last.dilation - last.pad;
      const Range range = inside(last, offset, 0, last.output);
      if (range.first < range.last) f(tap * last.kernel + i, base + offset, range);
    }
  }
}

}  // namespace ferry::cpu
