#include "kernels/late_output.h"

#include <algorithm>

#include "ferry/error.h"

namespace ferry {

LateOutput::LateOutput(const NodeFacts& node, int output)
    : output_(output), present_(node.has_output(output)) {
  if (!present_) return;
  declared_ = node.output(output).concrete();
  shape_ = node.output(output).shape;
}

void* LateOutput::memory(const RunContext& context, std::span<const int64_t> shape) const {
  if (!declared_) return context.allocator->allocate(output_, shape);
  if (std::ranges::equal(shape, shape_)) return context.outputs[output_];
  throw Error(ErrorCode::runtime, "output " + std::to_string(output_) + " has the shape " +
                                      to_string(shape) + ", the model declares " +
                                      to_string(std::span<const int64_t>(shape_)));
}

}  // namespace ferry
