#include "kernels/cpu/engine/row.h"

#include "kernels/cpu/element.h"
#include "kernels/cpu/engine/loop.h"

namespace ferry::cpu {

std::unique_ptr<RowState> make_row_state(const TensorFacts& output, DType input_dtype,
                                         const Shape& a, const Shape& b, RowFunction function,
                                         int64_t cost) {
  auto state = std::make_unique<RowState>();
  state->function = function;
  state->count = numel_of(output.shape);
  state->cost = cost;
  state->a_bytes = state->b_bytes = static_cast<int>(element_size(input_dtype));
  // An operator that works in a wider type than its output's writes that type.
  state->output_bytes = output.dtype == boolean ? 1 : state->a_bytes;
  if (state->count > 0) state->walk = Broadcast<2>(output.shape, {&a, &b});
  state->single_row = state->walk.row_count() == 1;
  return state;
}

void run_row(const RowState& state, const RunContext& context, const void* a_data,
             const void* b_data, void* output) {
  if (state.count == 0) return;
  const auto* a = static_cast<const std::byte*>(a_data);
  const auto* b = static_cast<const std::byte*>(b_data);
  auto* out = static_cast<std::byte*>(output);
  const auto [a_step, b_step] = state.walk.steps();
  if (state.single_row) {
    if (state.count * state.cost <= kSmall) {
      return state.function(a, b, out, state.count, a_step, b_step);
    }
    return for_range(context, state.count, state.cost, [&](int64_t begin, int64_t end) {
      state.function(a + begin * a_step * state.a_bytes, b + begin * b_step * state.b_bytes,
                     out + begin * state.output_bytes, end - begin, a_step, b_step);
    });
  }
  const int64_t size = state.walk.row_size();
  for_range(context, state.walk.row_count(), size * state.cost, [&](int64_t begin, int64_t end) {
    state.walk.for_rows(begin, end, [&](int64_t row, const Broadcast<2>::Offsets& offsets) {
      state.function(a + offsets[0] * state.a_bytes, b + offsets[1] * state.b_bytes,
                     out + row * size * state.output_bytes, size, a_step, b_step);
    });
  });
}

std::unique_ptr<KernelState> prepare_row(const NodeFacts& node, RowFunction function) {
  return make_row_state(node.output(0), node.input(0).dtype, node.input(0).shape,
                        node.input(1).shape, function);
}

void run_row_kernel(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const RowState*>(kernel_state);
  run_row(state, context, context.inputs[0], context.inputs[1], context.outputs[0]);
}

}  // namespace ferry::cpu
