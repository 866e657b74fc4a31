#include "kernels/host_input.h"

#include "core/convert.h"

namespace ferry {
namespace {

std::vector<int64_t> read_ints(DType dtype, const void* data, int64_t count) {
  std::vector<int64_t> values(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) values[i] = load_as_int64(dtype, data, i);
  return values;
}

}  // namespace

HostInts::HostInts(const NodeFacts& node, int input)
    : input_(input), present_(node.has_input(input)) {
  if (!present_) return;
  const TensorFacts& facts = node.input(input);
  dtype_ = facts.dtype;
  count_ = numel_of(facts.shape);
  if (facts.constant != nullptr) values_ = read_ints(dtype_, facts.constant->data(), count_);
}

std::vector<int64_t> HostInts::read(const RunContext* context) const {
  if (values_) return *values_;
  if (!present_) return {};
  return read_ints(dtype_, context->inputs[input_], count_);
}

}  // namespace ferry
