#include <string>
#include <vector>

#include "ferry/error.h"
#include "kernels/cuda/walk.h"

namespace ferry::cuda {

FastDivide::FastDivide(uint32_t divisor_) : divisor(divisor_) {
  while (shift < 32 && (uint64_t{1} << shift) < divisor) ++shift;
  multiplier = static_cast<uint32_t>(
      ((uint64_t{1} << 32) * ((uint64_t{1} << shift) - divisor)) / divisor + 1);
}

uint32_t map_count(const Shape& shape) {
  const int64_t count = numel_of(shape);
  if (count > INT32_MAX) {
    throw Error(ErrorCode::unsupported, "a CUDA kernel was given " + std::to_string(count) +
                                            " elements, expected at most 2147483647.");
  }
  return static_cast<uint32_t>(count);
}

template <int kOperands>
Walk<kOperands> make_walk(const Shape& sizes, const std::array<Shape, kOperands>& strides) {
  struct Axis {
    int64_t size;
    std::array<int64_t, kOperands> strides;
  };
  std::vector<Axis> merged;  // innermost first
  for (size_t i = sizes.size(); i-- > 0;) {
    if (sizes[i] == 1) continue;
    Axis axis{sizes[i], {}};
    bool merges = !merged.empty();
    for (int k = 0; k < kOperands; ++k) {
      axis.strides[k] = strides[k][i];
      merges = merges && strides[k][i] == merged.back().strides[k] * merged.back().size;
    }
    if (merges) {
      merged.back().size *= axis.size;
    } else {
      merged.push_back(axis);
    }
  }
  if (merged.size() > kMaxAxes) {
    throw Error(ErrorCode::unsupported, "a CUDA kernel was given " + std::to_string(merged.size()) +
                                            " axes that do not merge, expected at most " +
                                            std::to_string(kMaxAxes) + ".");
  }
  Walk<kOperands> walk;
  walk.count = map_count(sizes);
  if (walk.count == 0) return walk;
  walk.axes = static_cast<int32_t>(merged.size());
  for (size_t i = 0; i < merged.size(); ++i) {
    walk.sizes[i] = FastDivide(static_cast<uint32_t>(merged[i].size));
    for (int k = 0; k < kOperands; ++k) walk.strides[i][k] = merged[i].strides[k];
  }
  return walk;
}

template Walk<1> make_walk<1>(const Shape&, const std::array<Shape, 1>&);
template Walk<2> make_walk<2>(const Shape&, const std::array<Shape, 2>&);
template Walk<3> make_walk<3>(const Shape&, const std::array<Shape, 3>&);

Shape dense_strides(const Shape& shape) {
  Shape strides(shape.size());
  int64_t stride = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= shape[i];
  }
  return strides;
}

Shape broadcast_strides(const Shape& shape, const Shape& output) {
  const Shape dense = dense_strides(shape);
  Shape strides(output.size(), 0);
  const size_t missing = output.size() - shape.size();
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] != 1) strides[missing + i] = dense[i];
  }
  return strides;
}

}  // namespace ferry::cuda
