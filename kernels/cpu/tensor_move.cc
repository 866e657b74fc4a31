// Operators that move elements: Transpose, Concat, Split, Slice, Expand, Tile, Pad.
#include <algorithm>

#include "kernels/cpu/element.h"
#include "kernels/cpu/families.h"
#include "kernels/cpu/loop.h"
#include "kernels/cpu/strided_copy.h"
#include "kernels/host_input.h"

namespace ferry::cpu {
namespace {

// Several copies that together write the outputs: (input, output, offsets, how).
struct Move {
  int input, output;
  int64_t from_offset, to_offset;
  StridedCopy copy;
};
struct MoveState : KernelState {
  std::vector<Move> moves;
};

void run_moves(const KernelState* kernel_state, const RunContext& context) {
  for (const Move& move : static_cast<const MoveState*>(kernel_state)->moves) {
    move.copy.run(context, context.inputs[move.input], context.outputs[move.output],
                  move.from_offset, move.to_offset);
  }
}

std::unique_ptr<KernelState> single_move(DType dtype, std::vector<CopyAxis> axes,
                                         int64_t from_offset = 0) {
  auto state = std::make_unique<MoveState>();
  state->moves.push_back({0, 0, from_offset, 0, StridedCopy(dtype, std::move(axes))});
  return state;
}

// ---- Transpose ----------------------------------------------------------------------------------

std::unique_ptr<KernelState> prepare_transpose(const NodeFacts& node, Prepare&) {
  const Shape& output = node.output(0).shape;
  const Shape from = contiguous_strides(node.input(0).shape);
  const Shape to = contiguous_strides(output);
  const auto& perm = node.attributes->get_ints("perm");
  const int64_t rank = static_cast<int64_t>(output.size());
  std::vector<CopyAxis> axes;
  for (int64_t i = 0; i < rank; ++i) {
    const int64_t source = perm.empty() ? rank - 1 - i : axis_of(perm[i], rank);
    axes.push_back({output[i], to[i], from[source]});
  }
  return single_move(node.input(0).dtype, std::move(axes));
}

// ---- Concat, Split ------------------------------------------------------------------------------

// The whole of input i goes to a run of output 0's axis, or the reverse.
std::unique_ptr<KernelState> prepare_concat(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<MoveState>();
  const Shape& output = node.output(0).shape;
  const int64_t axis =
      axis_of(node.attributes->get_int("axis"), static_cast<int64_t>(output.size()));
  const AxisView whole(output, axis);
  int64_t position = 0;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const int64_t size = node.inputs[i].shape[axis];
    const int64_t run = size * whole.inner;
    state->moves.push_back(
        {static_cast<int>(i), 0, 0, position * whole.inner,
         StridedCopy(node.input(0).dtype,
                     {{whole.outer, whole.size * whole.inner, run}, {run, 1, 1}})});
    position += size;
  }
  return state;
}

std::unique_ptr<KernelState> prepare_split(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<MoveState>();
  const Shape& input = node.input(0).shape;
  const int64_t axis =
      axis_of(node.attributes->get_int("axis"), static_cast<int64_t>(input.size()));
  const AxisView whole(input, axis);
  int64_t position = 0;
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    const int64_t size = node.outputs[i].shape[axis];
    const int64_t run = size * whole.inner;
    if (node.outputs[i].present) {
      state->moves.push_back(
          {0, static_cast<int>(i), position * whole.inner, 0,
           StridedCopy(node.input(0).dtype,
                       {{whole.outer, run, whole.size * whole.inner}, {run, 1, 1}})});
    }
    position += size;
  }
  return state;
}

// ---- Expand, Tile -------------------------------------------------------------------------------

std::unique_ptr<KernelState> prepare_expand(const NodeFacts& node, Prepare&) {
  const Shape& input = node.input(0).shape;
  const Shape& output = node.output(0).shape;
  const Shape from = contiguous_strides(input);
  const Shape to = contiguous_strides(output);
  std::vector<CopyAxis> axes;
  const size_t added = output.size() - input.size();
  for (size_t i = 0; i < output.size(); ++i) {
    const bool repeats = i < added || input[i - added] == 1;
    axes.push_back({output[i], to[i], repeats ? 0 : from[i - added]});
  }
  return single_move(node.input(0).dtype, std::move(axes));
}

std::unique_ptr<KernelState> prepare_tile(const NodeFacts& node, Prepare&) {
  const Shape& input = node.input(0).shape;
  const Shape& output = node.output(0).shape;
  const Shape from = contiguous_strides(input);
  const Shape to = contiguous_strides(output);
  std::vector<CopyAxis> axes;
  for (size_t i = 0; i < input.size(); ++i) {
    const int64_t repeats = input[i] == 0 ? 0 : output[i] / input[i];
    axes.push_back({repeats, to[i] * input[i], 0});
    axes.push_back({input[i], to[i], from[i]});
  }
  return single_move(node.input(0).dtype, std::move(axes));
}

// ---- Slice --------------------------------------------------------------------------------------

// Inputs starts, ends, axes? and steps? are read in run() where they are not constants; the
// output's shape says how many elements each axis gives.
struct SliceState : KernelState {
  DType dtype = DType::undefined;
  Shape input, output;
  HostInts starts, axes, steps;
  std::unique_ptr<KernelState> fixed;  // made in prepare where everything is constant
};

std::unique_ptr<KernelState> plan_slice(const SliceState& state, const RunContext* context) {
  const std::vector<int64_t> starts = state.starts.read(context);
  const std::vector<int64_t> given_axes = state.axes.read(context);
  const std::vector<int64_t> steps = state.steps.read(context);
  const int64_t rank = static_cast<int64_t>(state.input.size());
  const Shape from = contiguous_strides(state.input);
  const Shape to = contiguous_strides(state.output);
  std::vector<CopyAxis> axes;
  for (int64_t i = 0; i < rank; ++i) axes.push_back({state.output[i], to[i], from[i]});
  int64_t offset = 0;
  for (size_t i = 0; i < starts.size(); ++i) {
    const int64_t axis =
        axis_of(state.axes.present() ? given_axes[i] : static_cast<int64_t>(i), rank);
    if (axis < 0 || axis >= rank) {
      throw Error(ErrorCode::runtime,
                  "an axis of the slice is outside the input's " + std::to_string(rank) + " axes");
    }
    const int64_t size = state.input[axis];
    const int64_t step = state.steps.present() ? steps[i] : 1;
    if (state.output[axis] == 0) continue;
    int64_t first = starts[i] < 0 ? starts[i] + size : starts[i];
    first = std::clamp<int64_t>(first, 0, step < 0 ? size - 1 : size);
    const int64_t last = first + (state.output[axis] - 1) * step;
    if (first >= size || last < 0 || last >= size) {
      throw Error(ErrorCode::runtime, "the slice of axis " + std::to_string(axis) + " reads " +
                                          std::to_string(last) + ", outside its size " +
                                          std::to_string(size));
    }
    offset += first * from[axis];
    // One element needs no step, which may be as large as 2^63 - 1.
    axes[axis].from_stride = state.output[axis] == 1 ? 0 : from[axis] * step;
  }
  return single_move(state.dtype, std::move(axes), offset);
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
  if (state.fixed != nullptr) return run_moves(state.fixed.get(), context);
  run_moves(plan_slice(state, &context).get(), context);
}

// ---- Pad ----------------------------------------------------------------------------------------

enum class PadMode : uint8_t { constant, reflect, edge, wrap };

struct PadState : KernelState {
  DType dtype = DType::undefined;
  PadMode mode = PadMode::constant;
  Shape input, output;
  HostInts pads, axes;
  bool has_value = false;
  void (*run)(const PadState&, const RunContext&) = nullptr;
};

// Where position `at` of an axis lies in the input of `size` elements, before which `before` were
// put; -1 for the constant.
int64_t pad_source(PadMode mode, int64_t at, int64_t before, int64_t size) {
  int64_t source = at - before;
  if (source >= 0 && source < size) return source;
  switch (mode) {
    case PadMode::constant:
      return -1;
    case PadMode::edge:
      return source < 0 ? 0 : size - 1;
    case PadMode::wrap:
      return (source % size + size) % size;
    case PadMode::reflect: {
      if (size == 1) return 0;
      const int64_t period = 2 * (size - 1);
      source = (source % period + period) % period;
      return source < size ? source : period - source;
    }
  }
  return -1;
}

// A table of sources per axis, then rows of the output from rows of the input.
template <typename T>
void run_pad(const PadState& state, const RunContext& context) {
  const size_t rank = state.input.size();
  const std::vector<int64_t> pads = state.pads.read(&context);
  const std::vector<int64_t> axes = state.axes.read(&context);
  std::vector<int64_t> before(rank, 0);
  const size_t count = pads.size() / 2;
  for (size_t i = 0; i < count; ++i) {
    const int64_t axis = state.axes.present() ? axis_of(axes[i], static_cast<int64_t>(rank))
                                              : static_cast<int64_t>(i);
    if (axis < 0 || axis >= static_cast<int64_t>(rank)) {
      throw Error(ErrorCode::runtime, "an axis of the padding is outside the input's " +
                                          std::to_string(rank) + " axes");
    }
    before[axis] = pads[i];
  }
  const T* in = context.input<T>(0);
  T* out = context.output<T>(0);
  const T value = state.has_value ? *context.input<T>(2) : T();
  const Shape strides = contiguous_strides(state.input);
  const bool empty = product(state.input) == 0;
  if (empty && state.mode != PadMode::constant) {
    throw Error(ErrorCode::runtime, "an input without elements can only be padded by a constant");
  }
  if (rank == 0) {
    *out = *in;
    return;
  }
  const int64_t width = state.output.back();
  const int64_t rows = width == 0 ? 0 : product(state.output) / width;
  // The run of the last axis that is the input itself.
  const int64_t shift = before[rank - 1];
  const int64_t first = std::clamp<int64_t>(shift, 0, width);
  const int64_t last = std::clamp<int64_t>(shift + state.input.back(), first, width);
  for_range(context, rows, width, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      int64_t rest = row;
      int64_t base = 0;
      bool outside = empty;
      for (size_t i = rank - 1; i-- > 0;) {
        const int64_t source =
            pad_source(state.mode, rest % state.output[i], before[i], state.input[i]);
        rest /= state.output[i];
        outside = outside || source < 0;
        base += source * strides[i];
      }
      T* to = out + row * width;
      if (outside) {
        std::fill_n(to, width, value);
        continue;
      }
      const auto edge = [&](int64_t from, int64_t until) {
        for (int64_t k = from; k < until; ++k) {
          const int64_t source = pad_source(state.mode, k, shift, state.input.back());
          to[k] = source < 0 ? value : in[base + source];
        }
      };
      edge(0, first);
      std::copy(in + base + first - shift, in + base + last - shift, to + first);
      edge(last, width);
    }
  });
}

std::unique_ptr<KernelState> prepare_pad(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<PadState>();
  state->dtype = node.input(0).dtype;
  state->input = node.input(0).shape;
  state->output = node.output(0).shape;
  state->pads = HostInts(node, 1);
  state->axes = HostInts(node, 3);
  state->has_value = node.has_input(2);
  const std::string& mode = node.attributes->get_string("mode");
  state->mode =
      mode == "reflect"
          ? PadMode::reflect
          : (mode == "edge" ? PadMode::edge : (mode == "wrap" ? PadMode::wrap : PadMode::constant));
  state->run = visit_unit(state->dtype, []<typename T>() { return run_pad<T>; });
  return state;
}

void run_pad_kernel(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const PadState*>(kernel_state);
  state.run(state, context);
}

constexpr Kernel kKernels[] = {
    {.op = "Concat", .types = kMovable, .prepare = prepare_concat, .run = run_moves},
    {.op = "Expand",
     .types = kMovable,
     .prepare = prepare_expand,
     .run = run_moves,
     .host_inputs = {1}},
    {.op = "Pad",
     .types = kMovable,
     .prepare = prepare_pad,
     .run = run_pad_kernel,
     .host_inputs = {1, 3}},
    {.op = "Slice",
     .types = kMovable,
     .prepare = prepare_slice,
     .run = run_slice,
     .host_inputs = {1, 2, 3, 4}},
    {.op = "Split",
     .types = kMovable,
     .prepare = prepare_split,
     .run = run_moves,
     .host_inputs = {1}},
    {.op = "Tile",
     .types = kMovable,
     .prepare = prepare_tile,
     .run = run_moves,
     .host_inputs = {1}},
    {.op = "Transpose", .types = kMovable, .prepare = prepare_transpose, .run = run_moves},
};

}  // namespace

KernelFamily tensor_move_kernels() { return kKernels; }

}  // namespace ferry::cpu
