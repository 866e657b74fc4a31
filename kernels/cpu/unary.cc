#include "kernels/cpu/unary.h"

#include "kernels/cpu/engine/loop.h"

namespace ferry::cpu {

void run_unary(const KernelState* kernel_state, const RunContext& context) {
  const UnaryState& state = *static_cast<const UnaryState*>(kernel_state);
  const auto* in = context.input<std::byte>(0);
  auto* out = context.output<std::byte>(0);
  if (state.count * state.cost <= kSmall) {
    return state.map(in, out, state.count, state.parameters.data());
  }
  for_range(context, state.count, state.cost, [&](int64_t begin, int64_t end) {
    state.map(in + begin * state.element_bytes, out + begin * state.element_bytes, end - begin,
              state.parameters.data());
  });
}

}  // namespace ferry::cpu
