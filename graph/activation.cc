#include "graph/activation.h"

#include <algorithm>

#include "ferry/error.h"

namespace ferry {
namespace {

constexpr ActivationForm kForms[] = {
    {"Relu", ActivationKind::relu, 0},
    {"LeakyRelu", ActivationKind::leaky_relu, 1},
    {"Clip", ActivationKind::clip, 2},
    {"Sigmoid", ActivationKind::sigmoid, 0},
    {"Tanh", ActivationKind::tanh, 0},
    {"Gelu", ActivationKind::gelu, 0},
    {"FastGelu", ActivationKind::fast_gelu, 0},
    {"HardSigmoid", ActivationKind::hard_sigmoid, 2},
    {"HardSwish", ActivationKind::hard_swish, 0},
    {"Swish", ActivationKind::swish, 1},
};

}  // namespace

std::span<const ActivationForm> activation_forms() { return kForms; }

std::optional<Activation> find_activation(const Attributes& attributes) {
  const auto* name = attributes.find<std::string>("activation");
  const auto* numbers = attributes.find<std::vector<float>>("activation_params");
  if (name == nullptr && numbers == nullptr) return Activation{};
  if (name == nullptr || numbers == nullptr) return std::nullopt;
  const auto* form = std::ranges::find(kForms, std::string_view(*name), &ActivationForm::name);
  if (form == std::end(kForms) || static_cast<int>(numbers->size()) != form->parameters) {
    return std::nullopt;
  }
  Activation activation{form->kind};
  std::ranges::copy(*numbers, activation.parameters);
  return activation;
}

Activation activation_of(const Attributes& attributes) {
  const std::optional<Activation> activation = find_activation(attributes);
  if (!activation) throw Error(ErrorCode::internal, "a node has an activation that is none.");
  return *activation;
}

void set_activation(Attributes& attributes, const Activation& activation) {
  const auto* form = std::ranges::find(kForms, activation.kind, &ActivationForm::kind);
  if (form == std::end(kForms)) throw Error(ErrorCode::internal, "no activation can be written.");
  attributes.set("activation", std::string(form->name));
  attributes.set("activation_params", std::vector<float>(activation.parameters,
                                                         activation.parameters + form->parameters));
}

}  // namespace ferry
