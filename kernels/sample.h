#pragma once

#include <math.h>

#include <cstdint>

#include "kernels/cubic.h"
#include "kernels/host_device.h"
#include "kernels/kernel.h"

namespace ferry {

enum class SampleMode : uint8_t { nearest, linear, cubic };  // 1, 2 or 4 positions an axis
enum class SamplePadding : uint8_t { zeros, border, reflection };

// GridSample (ONNX 22): which elements of a channel a point of the grid reads, and their weights.
// Coordinates are computed in T. A coordinate that is no number lies before the first position.
struct Sampler {
  static constexpr int kMaxAxes = 3;
  static constexpr int kMaxTaps = 64;  // that one point reads

  SampleMode mode = SampleMode::linear;
  SamplePadding padding = SamplePadding::zeros;
  bool align_corners = false;
  int32_t axes = 0;               // that the grid has coordinates of
  int64_t sizes[kMaxAxes] = {};   // of the input, in the grid's order: innermost first
  int64_t input = 0, output = 0;  // elements of one channel
  int64_t batches = 0, channels = 0;

  // Needs concrete sizes that fit together. Throws Error runtime for an input without elements of
  // which something is read.
  static Sampler of(const NodeFacts& node);
  // For supports(): whether there are so few axes.
  static Support fits(const NodeFacts& node);

  // tap(offset, weight) for each element that the point reads; coordinate(axis) is the grid's.
  template <typename T, typename Coordinate, typename Tap>
  FERRY_HOST_DEVICE void sample(const Coordinate& coordinate, const Tap& tap) const {
    const int bits = static_cast<int>(mode);  // of the number of a position on an axis
    int64_t offsets[kMaxAxes][4];
    T weights[kMaxAxes][4];
    int64_t stride = 1;
    for (int axis = 0; axis < axes; ++axis) {
      const T at = position(static_cast<T>(coordinate(axis)), sizes[axis]);
      const T base = mode == SampleMode::nearest ? ::rint(at) : ::floor(at);
      const int64_t first = static_cast<int64_t>(base) - (mode == SampleMode::cubic ? 1 : 0);
      for (int k = 0; k < 1 << bits; ++k) {
        const int64_t from = source(first + k, sizes[axis]);
        offsets[axis][k] = from < 0 ? -1 : from * stride;
        weights[axis][k] = weight(at - base, k);
      }
      stride *= sizes[axis];
    }
    for (int i = 0; i < 1 << bits * axes; ++i) {
      int64_t offset = 0;
      T product = 1;
      bool inside = true;
      for (int axis = 0; axis < axes; ++axis) {
        const int k = i >> bits * axis & ((1 << bits) - 1);
        inside = inside && offsets[axis][k] >= 0;
        offset += offsets[axis][k];
        product *= weights[axis][k];
      }
      if (inside) tap(offset, product);
    }
  }

 private:
  // Where a coordinate of -1 to 1 lies on an axis of `size` positions, brought back by the padding.
  template <typename T>
  FERRY_HOST_DEVICE T position(T coordinate, int64_t size) const {
    const T count = static_cast<T>(size);
    T x = align_corners ? (coordinate + 1) / 2 * (count - 1) : ((coordinate + 1) * count - 1) / 2;
    if (mode == SampleMode::nearest) x = ::rint(x);  // halves go to even positions
    const T low = align_corners ? T(0) : T(-0.5);
    const T high = count - 1 - low;
    if (x >= low && x <= high) return x;
    switch (padding) {
      case SamplePadding::border:
        return x > low ? count - 1 : T(0);
      case SamplePadding::reflection: {
        const T range = high - low;
        T past = x - low;
        past -= ::floor(past / (2 * range)) * (2 * range);
        if (past > range) past = 2 * range - past;
        return past >= 0 && past <= range ? low + past : low;
      }
      default:
        return x > -4 && x < count + 4 ? x : T(-4);  // farther away nothing is read
    }
  }

  // The position that is read for `at`, or -1 for a zero.
  FERRY_HOST_DEVICE int64_t source(int64_t at, int64_t size) const {
    if (at >= 0 && at < size) return at;
    if (padding == SamplePadding::zeros) return -1;
    if (padding == SamplePadding::border) return at < 0 ? 0 : size - 1;
    if (size == 1) return 0;
    // Mirrored at the centres of the outer positions, or at their outer edges.
    const int64_t period = align_corners ? 2 * (size - 1) : 2 * size;
    at %= period;
    if (at < 0) at += period;
    if (at < size) return at;
    return (align_corners ? period : period - 1) - at;
  }

  // Of position k, where the point lies `fraction` behind position 0, or 1 where there are four.
  template <typename T>
  FERRY_HOST_DEVICE T weight(T fraction, int k) const {
    if (mode == SampleMode::nearest) return 1;
    if (mode == SampleMode::linear) return k == 0 ? 1 - fraction : fraction;
    return cubic_weight(::fabs(fraction + static_cast<T>(1 - k)), T(-0.75));
  }
};

}  // namespace ferry
