#include "kernels/range.h"

#include <string>

namespace ferry {

RangeForm::RangeForm(const NodeFacts& node)
    : start(node, 0, "start"), limit(node, 1, "limit"), delta(node, 2, "delta") {
  if (node.output(0).concrete()) declared = numel_of(node.output(0).shape);
}

void* RangeForm::output(const RunContext& context, int64_t count) const {
  if (declared < 0) return context.allocator->allocate(0, {&count, 1});
  if (declared == count) return context.outputs[0];
  throw Error(ErrorCode::runtime, "the range has " + std::to_string(count) +
                                      " elements, the model declares " + std::to_string(declared));
}

const Tensor& fill_value(const NodeFacts& node) {
  const Tensor& value = node.attributes->get<Tensor>("value");
  if (value.numel() == 1) return value;
  throw Error(ErrorCode::runtime, "the attribute 'value' has " + std::to_string(value.numel()) +
                                      " elements, expected exactly one");
}

}  // namespace ferry
