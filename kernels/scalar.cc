#include "kernels/scalar.h"

#include "ferry/error.h"
#include "kernels/host_input.h"

namespace ferry {

void expect_one_element(const NodeFacts& node, int input, std::string_view name) {
  const Shape& shape = node.input(input).shape;
  if (numel_of(shape) == 1) return;
  throw Error(ErrorCode::runtime, "input " + std::to_string(input) + " (" + std::string(name) +
                                      ") has the shape " + to_string(std::span(shape)) +
                                      ", expected exactly one element");
}

ScalarInput::ScalarInput(const NodeFacts& node, int input, std::string_view name) {
  if (!node.has_input(input)) return;
  expect_one_element(node, input, name);
  input_ = input;
  dtype_ = node.input(input).dtype;
}

std::optional<int64_t> host_scalar(const NodeFacts& node, int input, std::string_view name) {
  if (!node.has_input(input)) return std::nullopt;
  expect_one_element(node, input, name);
  return host_ints(node, input).front();
}

}  // namespace ferry
