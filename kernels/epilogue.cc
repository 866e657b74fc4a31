#include "kernels/epilogue.h"

namespace ferry {

Support supports_activation(const NodeFacts& node) {
  const std::optional<Activation> activation = find_activation(*node.attributes);
  if (!activation) return Support::no(ReasonCode::attribute, "its activation is not known");
  if (activation->kind != ActivationKind::none && !is_floating(node.input(0).dtype)) {
    return Support::no(
        ReasonCode::dtype,
        "an activation of " + std::string(to_string(node.input(0).dtype)) + " is not defined");
  }
  return Support::yes();
}

Support supports_matmul_epilogue(const NodeFacts& node) {
  if (!node.has_input(2)) return supports_activation(node);
  if (!node.input(1).has_shape || node.input(1).rank() != 2) {
    return Support::no(ReasonCode::rank_or_layout, "a bias needs a matrix B");
  }
  if (!is_floating(node.input(0).dtype)) {
    return Support::no(
        ReasonCode::dtype,
        "a bias of " + std::string(to_string(node.input(0).dtype)) + " is not defined");
  }
  return supports_activation(node);
}

}  // namespace ferry
