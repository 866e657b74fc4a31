#pragma once

#include <array>

#include "kernels/cpu/element.h"
#include "kernels/cpu/engine/simd_map.h"
#include "kernels/cpu/engine/through_float.h"
#include "kernels/kernel.h"

// The template of elementwise operators of one input.
namespace ferry::cpu {

using Parameters = std::array<float, 4>;

struct UnaryState : KernelState {
  MapFunction map = nullptr;
  int64_t count = 0;
  int64_t element_bytes = 0;
  int64_t cost = 1;  // nanoseconds an element, roughly
  Parameters parameters{};
};

void run_unary(const KernelState* state, const RunContext& context);

template <typename Op, typename T>
void scalar_map(const void* input, void* output, int64_t count, const float* parameters) {
  const T* in = static_cast<const T*>(input);
  T* out = static_cast<T*>(output);
  for (int64_t i = 0; i < count; ++i) out[i] = Op::apply(in[i], parameters);
}

// An operator is a struct with T apply(T, const float* parameters) for each T of its Types. It may
// also say: kSimd, a vector version of float32; parameters(attributes); kCost, nanoseconds an
// element.
struct Unary {
  using Types = RealTypes;
  static constexpr int64_t kCost = 1;
};
template <typename Op>
concept HasSimd = requires {
  Op::kSimd;
};
template <typename Op>
concept HasParameters = requires(const Attributes& attributes) {
  Op::parameters(attributes);
};

template <typename Op>
MapFunction map_function(DType dtype) {
  if constexpr (HasSimd<Op>) {
    if (dtype == float32) return simd_map(Op::kSimd);
  }
  return visit(dtype, typename Op::Types(),
               []<typename T>() -> MapFunction { return scalar_map<Op, T>; });
}

template <typename Op>
std::unique_ptr<KernelState> prepare_unary(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<UnaryState>();
  const DType dtype = node.input(0).dtype;
  state->count = numel_of(node.input(0).shape);
  state->element_bytes = static_cast<int64_t>(element_size(dtype));
  state->cost = Op::kCost;
  if constexpr (HasParameters<Op>) state->parameters = Op::parameters(*node.attributes);
  state->map = map_function<Op>(dtype);
  return state;
}

template <typename... Ts>
constexpr TypeSet type_set(TypeList<Ts...>) {
  return TypeSet{kDTypeOf<Ts>...};
}

template <typename Op>
constexpr std::array<Kernel, 2> unary(std::string_view op) {
  Kernel direct{.op = op,
                .types = type_set(typename Op::Types()),
                .prepare = prepare_unary<Op>,
                .run = run_unary,
                .in_place = {0}};
  Kernel low = low_float_row<prepare_unary<Op>, run_unary>(op);
  low.in_place = {0};
  return {direct, low};
}

}  // namespace ferry::cpu
