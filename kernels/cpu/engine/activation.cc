#include "kernels/cpu/engine/activation.h"

#include <algorithm>
#include <iterator>

#include "kernels/cpu/unary_operators.h"

namespace ferry::cpu {
namespace {

// By ActivationKind, from relu on.
constexpr MapFunction (*kMaps[])(DType) = {
    map_function<Relu>,     map_function<LeakyRelu>,   map_function<Clip>,
    map_function<Sigmoid>,  map_function<Tanh>,        map_function<Gelu>,
    map_function<GeluTanh>, map_function<HardSigmoid>, map_function<HardSwish>,
    map_function<Swish>,
};
static_assert(std::size(kMaps) == static_cast<size_t>(ActivationKind::swish));

}  // namespace

ActivationFunction activation_function(const Activation& activation, DType dtype) {
  if (activation.kind == ActivationKind::none) return {};
  ActivationFunction function{kMaps[static_cast<size_t>(activation.kind) - 1](dtype)};
  std::ranges::copy(activation.parameters, function.parameters);
  return function;
}

}  // namespace ferry::cpu
