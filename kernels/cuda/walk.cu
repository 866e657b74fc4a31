#include <string>
#include <vector>

#include "ferry/error.h"
#include "kernels/cuda/walk.h"

namespace ferry::cuda {

FastDivide::FastDivide(int64_t divisor_) : divisor(static_cast<uint32_t>(divisor_)) {
  if (divisor_ < 1 || divisor_ > INT32_MAX) {
    throw Error(ErrorCode::unsupported, "a CUDA kernel was given an axis of " +
                                            std::to_string(divisor_) +
                                            " positions, expected 1 to 2147483647");
  }
  while (shift < 32 && (uint64_t{1} << shift) < divisor) ++shift;
  multiplier = static_cast<uint32_t>(
      ((uint64_t{1} << 32) * ((uint64_t{1} << shift) - divisor)) / divisor + 1);
}

uint32_t map_count(const Shape& shape) {
  const int64_t count = numel_of(shape);
  if (count > INT32_MAX) {
    throw Error(ErrorCode::unsupported, "a CUDA kernel was given " + std::to_string(count) +
                                            " elements, expected at most 2147483647");
  }
  return static_cast<uint32_t>(count);
}

Support countable(const NodeFacts& node) { return within_elements(node, INT32_MAX); }

template <int kOperands>
Walk<kOperands> make_walk(const Shape& sizes, const std::array<Shape, kOperands>& strides) {
  Walk<kOperands> walk;
  walk.count = map_count(sizes);
  if (walk.count == 0) return walk;
  std::vector<WalkAxis<kOperands>> axes(sizes.size());
  for (size_t i = 0; i < sizes.size(); ++i) {
    axes[i].size = sizes[i];
    for (int k = 0; k < kOperands; ++k) axes[i].strides[k] = strides[k][i];
  }
  const auto merged = merge_axes(axes);  // innermost first
  if (merged.size() > kMaxAxes) {
    throw Error(ErrorCode::unsupported, "a CUDA kernel was given " + std::to_string(merged.size()) +
                                            " axes that do not merge, expected at most " +
                                            std::to_string(kMaxAxes));
  }
  walk.axes = static_cast<int32_t>(merged.size());
  for (size_t i = 0; i < merged.size(); ++i) {
    walk.sizes[i] = FastDivide(merged[i].size);
    for (int k = 0; k < kOperands; ++k) walk.strides[i][k] = merged[i].strides[k];
  }
  return walk;
}

template Walk<1> make_walk<1>(const Shape&, const std::array<Shape, 1>&);
template Walk<2> make_walk<2>(const Shape&, const std::array<Shape, 2>&);
template Walk<3> make_walk<3>(const Shape&, const std::array<Shape, 3>&);

}  // namespace ferry::cuda
