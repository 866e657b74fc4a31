#include "kernels/window.h"

#include <algorithm>
#include <limits>

#include "core/checked.h"
#include "ferry/error.h"

namespace ferry {
namespace {

// A quarter of what an int64 holds, so that sums of a few positions are positions.
constexpr int64_t kFarthest = std::numeric_limits<int64_t>::max() / 4;

[[noreturn]] void too_far(size_t axis, const std::string& what, int64_t value) {
  throw Error(ErrorCode::unsupported, "the window of spatial axis " + std::to_string(axis) +
                                          " has " + what + " " + std::to_string(value) +
                                          ", which leaves the range of positions");
}

int64_t at(const std::vector<int64_t>& values, size_t i, int64_t otherwise) {
  if (values.empty()) return otherwise;
  if (i < values.size()) return values[i];
  throw Error(ErrorCode::runtime, "an attribute of the window has " +
                                      std::to_string(values.size()) + " numbers, expected more");
}

// From the first position of a window to behind the last of all of them.
int64_t span_of(const Window::Axis& axis, int64_t reach) {
  const auto first = checked_mul(std::max<int64_t>(axis.output - 1, 0), axis.stride);
  const auto span = first ? checked_add(*first, reach) : std::nullopt;
  return span ? *span : kFarthest + 1;
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
    if (axis.stride < 1 || axis.stride > kFarthest) too_far(i, "the stride", axis.stride);
    if (axis.dilation < 1 || axis.dilation > kFarthest) too_far(i, "the dilation", axis.dilation);
    const auto taps = checked_mul(std::max<int64_t>(axis.kernel - 1, 0), axis.dilation);
    if (axis.kernel < 0 || !taps || *taps >= kFarthest) too_far(i, "the kernel", axis.kernel);
    const int64_t reach = *taps + 1;
    const int64_t span = span_of(axis, reach);
    if (span > kFarthest || axis.input > kFarthest) too_far(i, "the input", axis.input);
    const bool same = auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER";
    if (output_shape || same) {
      // What is missing for the sizes at both ends, split in half.
      const int64_t extra = at(output_padding, i, 0);
      if (extra < 0 || extra > kFarthest) too_far(i, "the output padding", extra);
      const int64_t total = axis.output == 0 ? 0 : std::max<int64_t>(0, span + extra - axis.input);
      const bool more_first =
          transposed && output_shape && !same ? auto_pad != "SAME_UPPER" : auto_pad == "SAME_LOWER";
      axis.pad = more_first ? total - total / 2 : total / 2;
      axis.pad_end = total - axis.pad;
    } else if (auto_pad == "NOTSET") {
      axis.pad = at(pads, i, 0);
      axis.pad_end = at(pads, i + rank, 0);
    }
    for (const int64_t pad : {axis.pad, axis.pad_end}) {
      if (pad < -kFarthest || pad > kFarthest) too_far(i, "the padding", pad);
    }
    window.axes.push_back(axis);
  }
  for (int64_t Window::Axis::*size :
       {&Window::Axis::input, &Window::Axis::output, &Window::Axis::kernel}) {
    std::optional<int64_t> product = 1;
    for (const Window::Axis& axis : window.axes) {
      product = checked_mul(*product, axis.*size);
      if (product) continue;
      throw Error(ErrorCode::unsupported, "the sizes of a window have a product of 2^63 or more, " +
                                              std::to_string(axis.*size) + " among them");
    }
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
