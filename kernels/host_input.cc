#include "kernels/host_input.h"

#include "core/convert.h"
#include "ferry/error.h"
#include "kernels/axis.h"

namespace ferry {

std::vector<int64_t> host_ints(const NodeFacts& node, int input) {
  if (!node.has_input(input)) return {};
  const TensorFacts& facts = node.input(input);
  if (facts.constant == nullptr) {
    throw Error(ErrorCode::internal, "the elements of the host input " + std::to_string(input) +
                                         " are not known when the kernel is prepared.");
  }
  std::vector<int64_t> values(static_cast<size_t>(numel_of(facts.shape)));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = load_as_int64(facts.dtype, facts.constant->data(), static_cast<int64_t>(i));
  }
  return values;
}

int64_t host_axis(int64_t axis, int64_t rank) {
  if (axis >= -rank && axis < rank) return axis_of(axis, rank);
  throw Error(ErrorCode::runtime, "axis " + std::to_string(axis) + " is outside the input's " +
                                      std::to_string(rank) + " axes");
}

}  // namespace ferry
