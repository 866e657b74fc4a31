#include "kernels/strides.h"

#include "kernels/sizes.h"

namespace ferry {

Shape contiguous_strides(const Shape& shape) {
  Shape strides(shape.size(), 0);
  if (numel_of(shape) == 0) return strides;
  int64_t stride = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= shape[i];
  }
  return strides;
}

Shape broadcast_strides(const Shape& shape, const Shape& output) {
  expect_broadcast(shape, output);
  const Shape dense = contiguous_strides(shape);
  Shape strides(output.size(), 0);
  const size_t missing = output.size() - shape.size();
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] != 1) strides[missing + i] = dense[i];
  }
  return strides;
}

}  // namespace ferry
