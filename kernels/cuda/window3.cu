#include <algorithm>
#include <string>

#include "kernels/cuda/window3.h"

namespace ferry::cuda {

Window3::Window3(const Window& window) {
  for (size_t i = 0; i < 3; ++i) {
    axes[i] = {1, 1, 1, 1, 1, 0, 1};
    const size_t missing = 3 - window.axes.size();
    if (i >= missing) {
      const Window::Axis& axis = window.axes[i - missing];
      axes[i] = {axis.input,
                 axis.output,
                 axis.kernel,
                 axis.stride,
                 axis.dilation,
                 axis.pad,
                 axis.input + axis.pad_end};
    }
    outputs[i] = FastDivide(std::max<int64_t>(axes[i].output, 1));
    inputs[i] = FastDivide(std::max<int64_t>(axes[i].input, 1));
  }
}

Support within_three_axes(const NodeFacts& node) {
  const TensorFacts& x = node.input(0);
  if (!x.has_shape || x.rank() - 2 <= kMaxSpatialRank) return Support::yes();
  return Support::no(ReasonCode::rank_or_layout,
                     "the input has " + std::to_string(x.rank() - 2) + " spatial axes");
}

}  // namespace ferry::cuda
