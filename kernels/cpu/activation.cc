#include "kernels/cpu/activation.h"

#include <algorithm>

#include "kernels/cpu/unary_operators.h"

namespace ferry::cpu {
namespace {

MapFunction map_of(ActivationKind kind, DType dtype) {
  switch (kind) {
    case ActivationKind::none:
      return nullptr;
    case ActivationKind::relu:
      return map_function<Relu>(dtype);
    case ActivationKind::leaky_relu:
      return map_function<LeakyRelu>(dtype);
    case ActivationKind::clip:
      return map_function<Clip>(dtype);
    case ActivationKind::sigmoid:
      return map_function<Sigmoid>(dtype);
    case ActivationKind::tanh:
      return map_function<Tanh>(dtype);
    case ActivationKind::gelu:
      return map_function<Gelu>(dtype);
    case ActivationKind::fast_gelu:
      return map_function<GeluTanh>(dtype);
    case ActivationKind::hard_sigmoid:
      return map_function<HardSigmoid>(dtype);
    case ActivationKind::hard_swish:
      return map_function<HardSwish>(dtype);
    case ActivationKind::swish:
      return map_function<Swish>(dtype);
  }
  return nullptr;
}

}  // namespace

ActivationFunction activation_function(const Activation& activation, DType dtype) {
  ActivationFunction function{map_of(activation.kind, dtype)};
  std::ranges::copy(activation.parameters, function.parameters);
  return function;
}

}  // namespace ferry::cpu
