// Operators that move elements (kernels/move.h).
#include <vector>

#include "kernels/cuda/families.h"
#include "kernels/cuda/strided_copy.h"
#include "kernels/move.h"

namespace ferry::cuda {
namespace {

struct MoveState : KernelState {
  struct Part {
    Move move;
    Walk<2> walk;
  };
  DType dtype = DType::undefined;
  std::vector<Part> parts;
};

std::unique_ptr<KernelState> make_moves(DType dtype, std::vector<Move> moves) {
  auto state = std::make_unique<MoveState>();
  state->dtype = dtype;
  for (Move& move : moves) {
    Shape sizes, to, from;
    for (const CopyAxis& axis : move.axes) {
      sizes.push_back(axis.size);
      to.push_back(axis.to_stride);
      from.push_back(axis.from_stride);
    }
    state->parts.push_back({std::move(move), make_walk<2>(sizes, {to, from})});
  }
  return state;
}

void run_moves(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const MoveState*>(kernel_state);
  for (const auto& [move, walk] : state.parts) {
    strided_copy(context, state.dtype, walk, context.outputs[move.output], move.to_offset,
                 context.inputs[move.input], move.from_offset);
  }
}

constexpr auto kKernels = move_kernels<make_moves, run_moves, kMaxAxes, countable>(kByteTypes);

}  // namespace

KernelFamily tensor_move_kernels() { return kKernels; }

}  // namespace ferry::cuda
