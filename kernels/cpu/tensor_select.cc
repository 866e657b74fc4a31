// Operators that choose elements or places for them: TopK, OneHot, Compress, Trilu, EyeLike,
// DepthToSpace, SpaceToDepth, ReverseSequence.
#include <algorithm>
#include <array>
#include <numeric>

#include "core/convert.h"
#include "kernels/cpu/bool_byte.h"
#include "kernels/cpu/element.h"
#include "kernels/cpu/engine/index.h"
#include "kernels/cpu/engine/loop.h"
#include "kernels/cpu/engine/strided_copy.h"
#include "kernels/cpu/engine/through_float.h"
#include "kernels/cpu/families.h"
#include "kernels/host_input.h"
#include "kernels/late_output.h"
#include "kernels/scalar.h"
#include "kernels/strides.h"

namespace ferry::cpu {
namespace {

// Kernels of this file whose run() is one function of their own state.
template <typename State>
void run_state(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const State*>(kernel_state);
  state.run(state, context);
}

// ---- TopK ---------------------------------------------------------------------------------------

struct TopKState : KernelState {
  AxisView view{Shape{1}, 0};
  int64_t k = 0;
  bool largest = true, sorted = true;
  void (*run)(const TopKState&, const RunContext&) = nullptr;
};

// Of equal elements the one with the lower index comes first; NaN counts as the largest.
template <typename T>
void run_top_k(const TopKState& state, const RunContext& context) {
  const auto [outer, size, inner] = state.view;
  const T* in = context.input<T>(0);
  T* values = context.output<T>(0);
  int64_t* indices = context.output<int64_t>(1);
  int64_t* order = static_cast<int64_t*>(context.workspace);
  for (int64_t i = 0; i < outer * inner; ++i) {
    const T* column = in + i / inner * size * inner + i % inner;
    const auto before = [&, n = inner](int64_t a, int64_t b) {
      const T x = column[a * n];
      const T y = column[b * n];
      if (x != x || y != y) {
        if ((x != x) != (y != y)) return (x != x) == state.largest;
        return a < b;
      }
      if (x == y) return a < b;
      return state.largest ? x > y : x < y;
    };
    std::iota(order, order + size, int64_t{0});
    std::partial_sort(order, order + state.k, order + size, before);
    for (int64_t k = 0; k < state.k; ++k) {
      const int64_t to = (i / inner * state.k + k) * inner + i % inner;
      if (values != nullptr) values[to] = column[order[k] * inner];
      if (indices != nullptr) indices[to] = order[k];
    }
  }
}

std::unique_ptr<KernelState> prepare_top_k(const NodeFacts& node, Prepare& prepare) {
  auto state = std::make_unique<TopKState>();
  const Shape& x = node.input(0).shape;
  const int64_t axis = axis_of(node.attributes->get_int("axis"), static_cast<int64_t>(x.size()));
  state->view = AxisView(x, axis);
  state->k = *host_scalar(node, 1, "k");
  Shape expected = x;
  expected[axis] = state->k;
  if (state->k < 0 || state->k > state->view.size ||
      node.output(node.has_output(0) ? 0 : 1).shape != expected) {
    throw Error(ErrorCode::runtime, "k is " + std::to_string(state->k) + ", expected 0 to " +
                                        std::to_string(state->view.size) +
                                        ", and as many elements of the output");
  }
  state->largest = node.attributes->get_int("largest") != 0;
  state->run =
      visit(node.input(0).dtype, NumericTypes(), []<typename T>() { return run_top_k<T>; });
  prepare.set_workspace(dtype_bytes(int64, state->view.size));
  return state;
}

// ---- OneHot -------------------------------------------------------------------------------------

struct OneHotState : KernelState {
  AxisView view{Shape{1}, 0};  // of the output
  DType indices = DType::undefined;
  void (*run)(const OneHotState&, const RunContext&) = nullptr;
};

// An index outside [-depth, depth) marks nothing.
template <typename T>
void run_one_hot(const OneHotState& state, const RunContext& context) {
  const auto [outer, depth, inner] = state.view;
  const T off = context.input<T>(2)[0];
  const T on = context.input<T>(2)[1];
  T* out = context.output<T>(0);
  std::fill_n(out, outer * depth * inner, off);
  for (int64_t i = 0; i < outer * inner; ++i) {
    int64_t index = from_double<int64_t>(load_as_double(state.indices, context.inputs[0], i));
    if (index < 0) index += depth;
    if (index < 0 || index >= depth) continue;
    out[(i / inner * depth + index) * inner + i % inner] = on;
  }
}

std::unique_ptr<KernelState> prepare_one_hot(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<OneHotState>();
  const Shape& output = node.output(0).shape;
  state->view = AxisView(
      output, axis_of(node.attributes->get_int("axis"), static_cast<int64_t>(output.size())));
  const int64_t depth = *host_scalar(node, 1, "depth");
  if (depth != state->view.size) {
    throw Error(ErrorCode::runtime, "the depth is " + std::to_string(depth) + ", the output has " +
                                        std::to_string(state->view.size) + " along its axis");
  }
  state->indices = node.input(0).dtype;
  state->run = visit_unit(node.input(2).dtype, []<typename T>() { return run_one_hot<T>; });
  return state;
}

Support movable_values(const NodeFacts& node) {
  const DType dtype = node.input(2).dtype;
  if (kMovable.contains(dtype)) return Support::yes();
  return Support::no(ReasonCode::dtype, "input 2 is " + std::string(to_string(dtype)));
}

// ---- Compress -----------------------------------------------------------------------------------

struct CompressState : KernelState {
  Shape input;
  bool flat = false;
  int64_t axis = 0, conditions = 0;
  LateOutput output;
  void (*run)(const CompressState&, const RunContext&) = nullptr;
};

template <typename T>
void run_compress(const CompressState& state, const RunContext& context) {
  const AxisView view =
      state.flat ? AxisView(Shape{numel_of(state.input)}, 0) : AxisView(state.input, state.axis);
  const BoolByte* condition = context.input<BoolByte>(1);
  const int64_t considered = std::min(state.conditions, view.size);
  const int64_t kept =
      std::count_if(condition, condition + considered, [](bool chosen) { return chosen; });
  Shape shape = state.flat ? Shape{kept} : state.input;
  if (!state.flat) shape[state.axis] = kept;
  T* out = static_cast<T*>(state.output.memory(context, shape));
  const T* in = context.input<T>(0);
  for (int64_t o = 0; o < view.outer; ++o) {
    for (int64_t i = 0; i < considered; ++i) {
      if (!condition[i]) continue;
      out = std::copy_n(in + (o * view.size + i) * view.inner, view.inner, out);
    }
  }
}

std::unique_ptr<KernelState> prepare_compress(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<CompressState>();
  state->input = node.input(0).shape;
  const int64_t* axis = node.attributes->find<int64_t>("axis");
  state->flat = axis == nullptr;
  if (axis != nullptr) state->axis = axis_of(*axis, static_cast<int64_t>(state->input.size()));
  state->conditions = numel_of(node.input(1).shape);
  state->run = visit_unit(node.input(0).dtype, []<typename T>() { return run_compress<T>; });
  state->output = LateOutput(node, 0);
  return state;
}

// ---- Trilu, EyeLike -----------------------------------------------------------------------------

struct TriangleState : KernelState {
  int64_t matrices = 0, rows = 0, columns = 0, k = 0;
  bool upper = true;
  void (*run)(const TriangleState&, const RunContext&) = nullptr;
};

template <typename T>
void run_triangle(const TriangleState& state, const RunContext& context) {
  const T* in = context.input<T>(0);
  T* out = context.output<T>(0);
  for_range(context, state.matrices * state.rows, state.columns, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      // Kept: column - row >= k above, <= k below.
      const int64_t diagonal = i % state.rows + state.k;
      const int64_t first = state.upper ? diagonal : diagonal + 1;
      const int64_t cut = std::clamp<int64_t>(first, 0, state.columns);
      const T* from = in + i * state.columns;
      T* to = out + i * state.columns;
      if (state.upper) {
        std::fill_n(to, cut, T());
        std::copy(from + cut, from + state.columns, to + cut);
      } else {
        std::copy(from, from + cut, to);
        std::fill(to + cut, to + state.columns, T());
      }
    }
  });
}

std::unique_ptr<KernelState> prepare_trilu(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<TriangleState>();
  const Shape& x = node.input(0).shape;
  state->rows = x[x.size() - 2];
  state->columns = x.back();
  state->matrices = numel_of(std::span(x).first(x.size() - 2));
  // Beyond the matrix every offset is alike.
  const int64_t k = host_scalar(node, 1, "k").value_or(0);
  state->k = std::clamp<int64_t>(k, -state->rows, state->columns);
  state->upper = node.attributes->get_int("upper") != 0;
  state->run = visit_unit(node.input(0).dtype, []<typename T>() { return run_triangle<T>; });
  return state;
}

struct EyeState : KernelState {
  DType dtype = DType::undefined;
  int64_t rows = 0, columns = 0, k = 0;
};

std::unique_ptr<KernelState> prepare_eye(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<EyeState>();
  state->dtype = node.output(0).dtype;
  state->rows = node.input(0).shape[0];
  state->columns = node.input(0).shape[1];
  state->k = std::clamp<int64_t>(node.attributes->get_int("k"), -state->rows, state->columns);
  return state;
}

void run_eye(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const EyeState*>(kernel_state);
  const int64_t count = state.rows * state.columns;
  std::fill_n(context.output<std::byte>(0), dtype_bytes(state.dtype, count), std::byte(0));
  for (int64_t i = 0; i < state.rows; ++i) {
    const int64_t column = i + state.k;
    if (column < 0 || column >= state.columns) continue;
    store_from_double(state.dtype, context.outputs[0], i * state.columns + column, 1);
  }
}

// ---- DepthToSpace, SpaceToDepth -----------------------------------------------------------------

struct BlockState : KernelState {
  StridedCopy copy;
};

void run_block(const KernelState* kernel_state, const RunContext& context) {
  static_cast<const BlockState*>(kernel_state)
      ->copy.run(context, context.inputs[0], context.outputs[0]);
}

// One tensor seen as six axes: batch, channel, row, row in the block, column, column in the block;
// `deep` and `wide` hold the strides of each in the tensor with the channels and in the other.
std::unique_ptr<KernelState> block_state(DType dtype, const Shape& deep_shape, int64_t block,
                                         bool column_row_depth, bool to_space) {
  auto state = std::make_unique<BlockState>();
  if (numel_of(deep_shape) == 0) return state;
  const int64_t n = deep_shape[0], h = deep_shape[2], w = deep_shape[3];
  const int64_t c = deep_shape[1] / (block * block);
  const int64_t plane = h * w;
  // DCR: channel = (row in block * block + column in block) * c + channel; CRD the other way round.
  const int64_t channel = column_row_depth ? block * block * plane : plane;
  const int64_t row_in_block = column_row_depth ? block * plane : block * c * plane;
  const int64_t column_in_block = column_row_depth ? plane : c * plane;
  const int64_t wide_row = w * block;
  const std::array<std::array<int64_t, 3>, 6> axes{{
      // size, stride in the wide tensor, stride in the deep one
      {n, c * h * block * wide_row, deep_shape[1] * plane},
      {c, h * block * wide_row, channel},
      {h, block * wide_row, w},
      {block, wide_row, row_in_block},
      {w, block, 1},
      {block, 1, column_in_block},
  }};
  std::vector<CopyAxis> walk;
  for (const auto& [size, wide, deep] : axes) {
    walk.push_back(to_space ? CopyAxis{size, wide, deep} : CopyAxis{size, deep, wide});
  }
  state->copy = StridedCopy(dtype, std::move(walk));
  return state;
}

std::unique_ptr<KernelState> prepare_depth_to_space(const NodeFacts& node, Prepare&) {
  return block_state(node.input(0).dtype, node.input(0).shape,
                     node.attributes->get_int("blocksize"),
                     node.attributes->get_string("mode") == "CRD", true);
}

std::unique_ptr<KernelState> prepare_space_to_depth(const NodeFacts& node, Prepare&) {
  return block_state(node.input(0).dtype, node.output(0).shape,
                     node.attributes->get_int("blocksize"), false, false);
}

// ---- ReverseSequence ----------------------------------------------------------------------------

struct ReverseState : KernelState {
  Shape shape, strides;
  int64_t batch_axis = 1, time_axis = 0;
  void (*run)(const ReverseState&, const RunContext&) = nullptr;
};

template <typename T>
void run_reverse(const ReverseState& state, const RunContext& context) {
  const T* in = context.input<T>(0);
  T* out = context.output<T>(0);
  const int64_t* lengths = context.input<int64_t>(1);
  const int64_t steps = state.shape[state.time_axis];
  const int64_t inner = numel_of(std::span(state.shape).subspan(2));
  const int64_t batch = state.shape[state.batch_axis];
  for (int64_t b = 0; b < batch; ++b) {
    if (lengths[b] < 0 || lengths[b] > steps) {
      throw Error(ErrorCode::runtime, "sequence_lens holds " + std::to_string(lengths[b]) +
                                          ", expected 0 to " + std::to_string(steps));
    }
    for (int64_t t = 0; t < steps; ++t) {
      const int64_t from = t < lengths[b] ? lengths[b] - 1 - t : t;
      const auto at = [&](int64_t step) {
        return b * state.strides[state.batch_axis] + step * state.strides[state.time_axis];
      };
      std::copy_n(in + at(from), inner, out + at(t));
    }
  }
}

std::unique_ptr<KernelState> prepare_reverse(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<ReverseState>();
  state->shape = node.input(0).shape;
  state->strides = contiguous_strides(state->shape);
  state->batch_axis = node.attributes->get_int("batch_axis");
  state->time_axis = node.attributes->get_int("time_axis");
  state->run = visit_unit(node.input(0).dtype, []<typename T>() { return run_reverse<T>; });
  return state;
}

constexpr Kernel kKernels[] = {
    {.op = "Compress",
     .types = kMovable,
     .prepare = prepare_compress,
     .run = run_state<CompressState>,
     .late_outputs = {0}},
    {.op = "DepthToSpace", .types = kMovable, .prepare = prepare_depth_to_space, .run = run_block},
    {.op = "EyeLike",
     .types = kAnyType,
     .prepare = prepare_eye,
     .run = run_eye,
     .metadata_inputs = {0}},
    {.op = "OneHot",
     .types = kNumericTypes,
     .prepare = prepare_one_hot,
     .run = run_state<OneHotState>,
     .supports = movable_values,
     .host_inputs = {1}},
    {.op = "ReverseSequence",
     .types = kMovable,
     .prepare = prepare_reverse,
     .run = run_state<ReverseState>},
    {.op = "SpaceToDepth", .types = kMovable, .prepare = prepare_space_to_depth, .run = run_block},
    {.op = "TopK",
     .types = kDirect,
     .prepare = prepare_top_k,
     .run = run_state<TopKState>,
     .host_inputs = {1}},
    low_float_row<prepare_top_k, run_state<TopKState>>("TopK", nullptr, {1}),
    {.op = "Trilu",
     .types = kMovable,
     .prepare = prepare_trilu,
     .run = run_state<TriangleState>,
     .host_inputs = {1}},
};

}  // namespace

KernelFamily tensor_select_kernels() { return kKernels; }

}  // namespace ferry::cpu
