#include "kernels/window.h"

#include <algorithm>

namespace ferry {
namespace {

int64_t at(const std::vector<int64_t>& values, size_t i, int64_t otherwise) {
  return values.empty() ? otherwise : values[i];
}

// `small` and `large` are the sizes of the two ends of the window.
Window make(const NodeFacts& node, const std::vector<int64_t>& kernel, const Shape& large,
            const Shape& small, bool transposed) {
  const Attributes& attributes = *node.attributes;
  const std::string& auto_pad = attributes.get_string("auto_pad");
  const auto& strides = attributes.get_ints("strides");
  const auto* dilations = attributes.find<std::vector<int64_t>>("dilations");
  const auto& pads = attributes.get_ints("pads");
  static const std::vector<int64_t> kNone;
  const auto& output_padding = transposed ? attributes.get_ints("output_padding") : kNone;
  const bool output_shape = transposed && !attributes.get_ints("output_shape").empty();
  const size_t rank = kernel.size();
  Window window;
  for (size_t i = 0; i < rank; ++i) {
    Window::Axis axis{};
    axis.input = large[i + 2];
    axis.output = small[i + 2];
    axis.kernel = kernel[i];
    axis.stride = at(strides, i, 1);
    axis.dilation = dilations != nullptr ? at(*dilations, i, 1) : 1;
    const int64_t reach = (axis.kernel - 1) * axis.dilation + 1;
    const bool same = auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER";
    if (output_shape || same) {
      // What is missing for the sizes at both ends, split in half.
      const int64_t extra = at(output_padding, i, 0);
      const int64_t total =
          std::max<int64_t>(0, (axis.output - 1) * axis.stride + reach + extra - axis.input);
      const bool more_first =
          transposed && output_shape && !same ? auto_pad != "SAME_UPPER" : auto_pad == "SAME_LOWER";
      axis.pad = more_first ? total - total / 2 : total / 2;
      axis.pad_end = total - axis.pad;
    } else if (auto_pad == "NOTSET") {
      axis.pad = at(pads, i, 0);
      axis.pad_end = at(pads, i + rank, 0);
    }
    window.axes.push_back(axis);
  }
  return window;
}

}  // namespace

Window Window::forward(const NodeFacts& node, std::vector<int64_t> kernel) {
  return make(node, kernel, node.input(0).shape, node.output(0).shape, false);
}

Window Window::transposed(const NodeFacts& node, std::vector<int64_t> kernel) {
  return make(node, kernel, node.output(0).shape, node.input(0).shape, true);
}

int64_t Window::input_size() const {
  int64_t size = 1;
  for (const Axis& axis : axes) size *= axis.input;
  return size;
}

int64_t Window::output_size() const {
  int64_t size = 1;
  for (const Axis& axis : axes) size *= axis.output;
  return size;
}

int64_t Window::kernel_size() const {
  int64_t size = 1;
  for (const Axis& axis : axes) size *= axis.kernel;
  return size;
}

bool Window::is_pointwise() const {
  return std::all_of(axes.begin(), axes.end(), [](const Axis& axis) {
    return axis.kernel == 1 && axis.stride == 1 && axis.pad == 0 && axis.input == axis.output;
  });
}

}  // namespace ferry
