// Operators that move elements: Transpose, Concat, Split, Slice, Expand, Tile.
#include <algorithm>
#include <vector>

#include "kernels/axis.h"
#include "kernels/cuda/families.h"
#include "kernels/cuda/strided_copy.h"
#include "kernels/host_input.h"

namespace ferry::cuda {
namespace {

// Copies that together write the outputs.
struct Move {
  int input, output;
  int64_t from_offset, to_offset;
  Walk<2> walk;
};
struct MoveState : KernelState {
  DType dtype = DType::undefined;
  std::vector<Move> moves;
};

void run_moves(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const MoveState*>(kernel_state);
  for (const Move& move : state.moves) {
    strided_copy(context, state.dtype, move.walk, context.outputs[move.output], move.to_offset,
                 context.inputs[move.input], move.from_offset);
  }
}

// Writes all of the output from input 0.
std::unique_ptr<MoveState> single_move(DType dtype, const Shape& output, const Shape& from_strides,
                                       int64_t from_offset = 0) {
  auto state = std::make_unique<MoveState>();
  state->dtype = dtype;
  state->moves.push_back(
      {0, 0, from_offset, 0, make_walk<2>(output, {dense_strides(output), from_strides})});
  return state;
}

// ---- Transpose, Expand, Tile
// ---------------------------------------------------------------------

std::unique_ptr<KernelState> prepare_transpose(const NodeFacts& node, Prepare&) {
  const Shape& output = node.output(0).shape;
  const Shape from = dense_strides(node.input(0).shape);
  const auto& perm = node.attributes->get_ints("perm");
  const auto rank = static_cast<int64_t>(output.size());
  Shape strides(output.size());
  for (int64_t i = 0; i < rank; ++i) {
    strides[i] = from[perm.empty() ? rank - 1 - i : axis_of(perm[i], rank)];
  }
  return single_move(node.input(0).dtype, output, strides);
}

std::unique_ptr<KernelState> prepare_expand(const NodeFacts& node, Prepare&) {
  const Shape& output = node.output(0).shape;
  return single_move(node.input(0).dtype, output, broadcast_strides(node.input(0).shape, output));
}

// Each axis is [repeats, size]: the first repeats, so its stride in the input is 0.
std::unique_ptr<KernelState> prepare_tile(const NodeFacts& node, Prepare&) {
  const Shape& input = node.input(0).shape;
  const Shape& output = node.output(0).shape;
  const Shape from = dense_strides(input);
  Shape sizes, strides;
  for (size_t i = 0; i < input.size(); ++i) {
    sizes.push_back(input[i] == 0 ? 0 : output[i] / input[i]);
    strides.push_back(0);
    sizes.push_back(input[i]);
    strides.push_back(from[i]);
  }
  return single_move(node.input(0).dtype, sizes, strides);
}

// ---- Concat, Split: each part is a run of every line of the whole
// ---------------------------------

Walk<2> part_walk(const AxisView& whole, int64_t size, bool to_whole) {
  const int64_t run = size * whole.inner;
  const Shape in_whole{whole.size * whole.inner, 1}, in_part{run, 1};
  return make_walk<2>({whole.outer, run},
                      {to_whole ? in_whole : in_part, to_whole ? in_part : in_whole});
}

std::unique_ptr<KernelState> prepare_concat(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<MoveState>();
  state->dtype = node.input(0).dtype;
  const Shape& output = node.output(0).shape;
  const int64_t axis =
      axis_of(node.attributes->get_int("axis"), static_cast<int64_t>(output.size()));
  const AxisView whole(output, axis);
  int64_t position = 0;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const int64_t size = node.inputs[i].shape[axis];
    state->moves.push_back(
        {static_cast<int>(i), 0, 0, position * whole.inner, part_walk(whole, size, true)});
    position += size;
  }
  return state;
}

std::unique_ptr<KernelState> prepare_split(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<MoveState>();
  state->dtype = node.input(0).dtype;
  const Shape& input = node.input(0).shape;
  const int64_t axis =
      axis_of(node.attributes->get_int("axis"), static_cast<int64_t>(input.size()));
  const AxisView whole(input, axis);
  int64_t position = 0;
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    const int64_t size = node.outputs[i].shape[axis];
    if (node.outputs[i].present) {
      state->moves.push_back(
          {0, static_cast<int>(i), position * whole.inner, 0, part_walk(whole, size, false)});
    }
    position += size;
  }
  return state;
}

// ---- Slice: starts, axes and steps are read in run() where they are not constants
// ------------------

struct SliceState : KernelState {
  DType dtype = DType::undefined;
  Shape input, output;
  HostInts starts, axes, steps;
  std::unique_ptr<MoveState> fixed;
};

std::unique_ptr<MoveState> plan_slice(const SliceState& state, const RunContext* context) {
  const std::vector<int64_t> starts = state.starts.read(context);
  const std::vector<int64_t> axes = state.axes.read(context);
  const std::vector<int64_t> steps = state.steps.read(context);
  const auto rank = static_cast<int64_t>(state.input.size());
  const Shape from = dense_strides(state.input);
  Shape strides = from;
  int64_t offset = 0;
  for (size_t i = 0; i < starts.size(); ++i) {
    const int64_t axis = axis_of(state.axes.present() ? axes[i] : static_cast<int64_t>(i), rank);
    if (axis < 0 || axis >= rank) {
      throw Error(ErrorCode::runtime,
                  "an axis of the slice is outside the input's " + std::to_string(rank) + " axes");
    }
    const int64_t size = state.input[axis];
    const int64_t step = state.steps.present() ? steps[i] : 1;
    const int64_t count = state.output[axis];
    if (count == 0) continue;
    int64_t first = starts[i] < 0 ? starts[i] + size : starts[i];
    first = std::clamp<int64_t>(first, 0, step < 0 ? size - 1 : size);
    const int64_t last = count == 1 ? first : first + (count - 1) * step;
    if (first >= size || last < 0 || last >= size) {
      throw Error(ErrorCode::runtime, "the slice of axis " + std::to_string(axis) + " reads " +
                                          std::to_string(last) + ", outside its size " +
                                          std::to_string(size));
    }
    offset += first * from[axis];
    strides[axis] = count == 1 ? 0 : from[axis] * step;
  }
  return single_move(state.dtype, state.output, strides, offset);
}

std::unique_ptr<KernelState> prepare_slice(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<SliceState>();
  state->dtype = node.input(0).dtype;
  state->input = node.input(0).shape;
  state->output = node.output(0).shape;
  state->starts = HostInts(node, 1);
  state->axes = HostInts(node, 3);
  state->steps = HostInts(node, 4);
  if (state->starts.constant() && state->axes.constant() && state->steps.constant()) {
    state->fixed = plan_slice(*state, nullptr);
  }
  return state;
}

void run_slice(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const SliceState*>(kernel_state);
  if (state.fixed) return run_moves(state.fixed.get(), context);
  run_moves(plan_slice(state, &context).get(), context);
}

constexpr Kernel kKernels[] = {
    {.op = "Concat", .types = kByteTypes, .prepare = prepare_concat, .run = run_moves},
    {.op = "Expand",
     .types = kByteTypes,
     .prepare = prepare_expand,
     .run = run_moves,
     .host_inputs = {1}},
    {.op = "Slice",
     .types = kByteTypes,
     .prepare = prepare_slice,
     .run = run_slice,
     .host_inputs = {1, 2, 3, 4}},
    {.op = "Split",
     .types = kByteTypes,
     .prepare = prepare_split,
     .run = run_moves,
     .host_inputs = {1}},
    {.op = "Tile",
     .types = kByteTypes,
     .prepare = prepare_tile,
     .run = run_moves,
     .host_inputs = {1}},
    {.op = "Transpose", .types = kByteTypes, .prepare = prepare_transpose, .run = run_moves},
};

}  // namespace

KernelFamily tensor_move_kernels() { return kKernels; }

}  // namespace ferry::cuda
