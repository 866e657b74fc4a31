// Operators that move elements: those of kernels/move.h, and Pad.
#include <algorithm>

#include "kernels/axis.h"
#include "kernels/cpu/element.h"
#include "kernels/cpu/engine/loop.h"
#include "kernels/cpu/engine/strided_copy.h"
#include "kernels/cpu/families.h"
#include "kernels/cpu/tables.h"
#include "kernels/pad.h"
#include "kernels/strides.h"

namespace ferry::cpu {
namespace {

struct MoveState : KernelState {
  struct Part {
    Move move;
    StridedCopy copy;
  };
  std::vector<Part> parts;
};

std::unique_ptr<KernelState> make_moves(DType dtype, std::vector<Move> moves) {
  auto state = std::make_unique<MoveState>();
  for (Move& move : moves) {
    StridedCopy copy(dtype, move.axes);
    state->parts.push_back({std::move(move), std::move(copy)});
  }
  return state;
}

void run_moves(const KernelState* kernel_state, const RunContext& context) {
  for (const auto& [move, copy] : static_cast<const MoveState*>(kernel_state)->parts) {
    copy.run(context, context.inputs[move.input], context.outputs[move.output], move.from_offset,
             move.to_offset);
  }
}

Support any_size(const NodeFacts&) { return Support::yes(); }

// ---- Pad ----------------------------------------------------------------------------------------

struct PadState : KernelState {
  explicit PadState(const NodeFacts& node) : form(node) {}
  PadForm form;
  void (*run)(const PadForm&, const RunContext&) = nullptr;
};

// A table of sources per axis, then rows of the output from rows of the input.
template <typename T>
void run_pad(const PadForm& form, const RunContext& context) {
  const size_t rank = form.input.size();
  const std::vector<int64_t>& before = form.before;
  const T* in = context.input<T>(0);
  T* out = context.output<T>(0);
  const T value = form.value.value(context, T());
  const Shape strides = contiguous_strides(form.input);
  const bool empty = numel_of(form.input) == 0;
  if (rank == 0) {
    *out = *in;
    return;
  }
  const int64_t width = form.output.back();
  const int64_t rows = width == 0 ? 0 : numel_of(form.output) / width;
  // The run of the last axis that is the input itself.
  const int64_t shift = before[rank - 1];
  const int64_t first = std::clamp<int64_t>(shift, 0, width);
  const int64_t last = std::clamp<int64_t>(shift + form.input.back(), first, width);
  for_range(context, rows, width, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      int64_t rest = row;
      int64_t base = 0;
      bool outside = empty;
      for (size_t i = rank - 1; i-- > 0;) {
        const int64_t source =
            pad_source(form.mode, rest % form.output[i], before[i], form.input[i]);
        rest /= form.output[i];
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
          const int64_t source = pad_source(form.mode, k, shift, form.input.back());
          to[k] = source < 0 ? value : in[base + source];
        }
      };
      edge(0, first);
      if (first < last) std::copy_n(in + base + (first - shift), last - first, to + first);
      edge(last, width);
    }
  });
}

std::unique_ptr<KernelState> prepare_pad(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<PadState>(node);
  state->run = visit_unit(node.input(0).dtype, []<typename T>() { return run_pad<T>; });
  return state;
}

void run_pad_kernel(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const PadState*>(kernel_state);
  state.run(state.form, context);
}

constexpr std::array<Kernel, 1> kPad{Kernel{.op = "Pad",
                                            .types = kMovable,
                                            .prepare = prepare_pad,
                                            .run = run_pad_kernel,
                                            .host_inputs = {1, 3}}};

constexpr auto kKernels =
    join(move_kernels<make_moves, run_moves, StridedCopy::kMaxAxes, any_size>(kMovable), kPad);

}  // namespace

KernelFamily tensor_move_kernels() { return kKernels; }

}  // namespace ferry::cpu
