#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "graph/attributes.h"

// The activation that Conv, ConvTranspose, Gemm or MatMul (OpRule::takes_activation) applies to
// every element of its result.
//
// In the IR it is two attributes of that node, named as com.microsoft's fused operators name them:
// `activation`, one of the names below, and `activation_params`, its numbers in order. Only the
// rewrite `activation` writes them: in a model these operators have no such attributes, so the
// importer refuses them.
namespace ferry {

enum class ActivationKind : uint8_t {
  none,
  relu,
  leaky_relu,  // alpha
  clip,        // min, max; infinite where there is no limit
  sigmoid,
  tanh,
  gelu,          // by erf
  fast_gelu,     // by tanh
  hard_sigmoid,  // alpha, beta
  hard_swish,
  swish,  // x * sigmoid(alpha * x)
};

// A plain aggregate: it is an argument of GPU kernels.
struct Activation {
  ActivationKind kind = ActivationKind::none;
  float parameters[2] = {};

  friend bool operator==(const Activation&, const Activation&) = default;
};

struct ActivationForm {
  std::string_view name;  // the operator's, "FastGelu" for Gelu by tanh
  ActivationKind kind;
  int parameters;  // how many
};
std::span<const ActivationForm> activation_forms();

// What the attributes say: kind none without an activation, nullopt for a name or a number of
// parameters that is not one of the forms.
std::optional<Activation> find_activation(const Attributes& attributes);
// The same where inference has checked the node: throws Error internal instead.
Activation activation_of(const Attributes& attributes);
void set_activation(Attributes& attributes, const Activation& activation);

}  // namespace ferry
