#include "kernels/sample.h"

#include "ferry/error.h"

namespace ferry {
namespace {

SampleMode mode_of(const std::string& name) {
  if (name == "nearest") return SampleMode::nearest;
  return name == "cubic" ? SampleMode::cubic : SampleMode::linear;
}

SamplePadding padding_of(const std::string& name) {
  if (name == "border") return SamplePadding::border;
  return name == "reflection" ? SamplePadding::reflection : SamplePadding::zeros;
}

}  // namespace

Sampler Sampler::of(const NodeFacts& node) {
  const Shape& input = node.input(0).shape;
  const Shape& output = node.output(0).shape;
  Sampler sampler;
  sampler.mode = mode_of(node.attributes->get_string("mode"));
  sampler.padding = padding_of(node.attributes->get_string("padding_mode"));
  sampler.align_corners = node.attributes->get_int("align_corners") != 0;
  sampler.axes = static_cast<int32_t>(input.size()) - 2;
  for (int axis = 0; axis < sampler.axes; ++axis) {
    sampler.sizes[axis] = input[input.size() - 1 - axis];
  }
  sampler.input = numel_of(std::span(input).subspan(2));
  sampler.output = numel_of(std::span(output).subspan(2));
  sampler.batches = input[0];
  sampler.channels = input[1];
  if (sampler.input == 0 && numel_of(output) > 0) {
    throw Error(ErrorCode::runtime, "an input without elements cannot be sampled");
  }
  return sampler;
}

Support Sampler::fits(const NodeFacts& node) {
  const TensorFacts& input = node.input(0);
  if (!input.has_shape || input.rank() <= kMaxAxes + 2) return Support::yes();
  return Support::no(ReasonCode::rank_or_layout, "the input has " + std::to_string(input.rank()) +
                                                     " axes, and the kernel samples along up to " +
                                                     std::to_string(kMaxAxes) +
                                                     " beside the batch and the channels");
}

}  // namespace ferry
