// Reading by position: Gather, GatherElements, GatherND, and NonZero.
#include <algorithm>

#include "core/convert.h"
#include "kernels/cpu/element.h"
#include "kernels/cpu/engine/index.h"
#include "kernels/cpu/engine/loop.h"
#include "kernels/cpu/families.h"
#include "kernels/late_output.h"
#include "kernels/strides.h"

namespace ferry::cpu {
namespace {

// ---- Gather -------------------------------------------------------------------------------------

struct GatherState : KernelState {
  AxisView view{Shape{1}, 0};
  int64_t indices = 0;
  bool wide = false;
  void (*run)(const GatherState&, const RunContext&) = nullptr;
};

template <typename T>
void run_gather(const GatherState& state, const RunContext& context) {
  const auto [outer, size, inner] = state.view;
  const T* data = context.input<T>(0);
  T* out = context.output<T>(0);
  for_range(context, outer * state.indices, inner,
            [&, size = size, inner = inner](int64_t begin, int64_t end) {
              for (int64_t i = begin; i < end; ++i) {
                const int64_t at = index_at(context.inputs[1], state.wide, i % state.indices, size);
                std::copy_n(data + (i / state.indices * size + at) * inner, inner, out + i * inner);
              }
            });
}

std::unique_ptr<KernelState> prepare_gather(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<GatherState>();
  const Shape& data = node.input(0).shape;
  state->view =
      AxisView(data, axis_of(node.attributes->get_int("axis"), static_cast<int64_t>(data.size())));
  state->indices = numel_of(node.input(1).shape);
  state->wide = node.input(1).dtype == int64;
  state->run = visit_unit(node.input(0).dtype, []<typename T>() { return run_gather<T>; });
  return state;
}

void run_gather_kernel(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const GatherState*>(kernel_state);
  state.run(state, context);
}

// ---- GatherElements -----------------------------------------------------------------------------

struct ElementsState : KernelState {
  Shape indices;  // also the output's
  Shape data_strides;
  int64_t axis = 0, size = 0;
  bool wide = false;
  void (*run)(const ElementsState&, const RunContext&) = nullptr;
};

template <typename T>
void run_elements(const ElementsState& state, const RunContext& context) {
  const T* data = context.input<T>(0);
  T* out = context.output<T>(0);
  const int64_t rank = static_cast<int64_t>(state.indices.size());
  const int64_t width = state.indices.back();
  const int64_t rows = width == 0 ? 0 : numel_of(state.indices) / width;
  for_range(context, rows, width * 2, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      int64_t rest = row;
      int64_t base = 0;
      for (int64_t i = rank - 1; i-- > 0;) {
        if (i != state.axis) base += rest % state.indices[i] * state.data_strides[i];
        rest /= state.indices[i];
      }
      for (int64_t k = 0; k < width; ++k) {
        const int64_t at = index_at(context.inputs[1], state.wide, row * width + k, state.size);
        const int64_t along = state.axis == rank - 1 ? 0 : k;
        out[row * width + k] = data[base + along + at * state.data_strides[state.axis]];
      }
    }
  });
}

std::unique_ptr<KernelState> prepare_elements(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<ElementsState>();
  const Shape& data = node.input(0).shape;
  state->indices = node.input(1).shape;
  state->data_strides = contiguous_strides(data);
  state->axis = axis_of(node.attributes->get_int("axis"), static_cast<int64_t>(data.size()));
  state->size = data[state->axis];
  state->wide = node.input(1).dtype == int64;
  state->run = visit_unit(node.input(0).dtype, []<typename T>() { return run_elements<T>; });
  return state;
}

void run_elements_kernel(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const ElementsState*>(kernel_state);
  state.run(state, context);
}

// ---- GatherND -----------------------------------------------------------------------------------

struct NdState : KernelState {
  int64_t tuples = 0, tuples_per_batch = 1, depth = 0, slice = 0, batch_stride = 0;
  Shape sizes, strides;  // of the axes that a tuple indexes
  void (*run)(const NdState&, const RunContext&) = nullptr;
};

template <typename T>
void run_nd(const NdState& state, const RunContext& context) {
  const T* data = context.input<T>(0);
  T* out = context.output<T>(0);
  for_range(context, state.tuples, state.slice + state.depth, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      int64_t offset = i / state.tuples_per_batch * state.batch_stride;
      for (int64_t k = 0; k < state.depth; ++k) {
        offset += index_at(context.inputs[1], true, i * state.depth + k, state.sizes[k]) *
                  state.strides[k];
      }
      std::copy_n(data + offset, state.slice, out + i * state.slice);
    }
  });
}

std::unique_ptr<KernelState> prepare_nd(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<NdState>();
  const Shape& data = node.input(0).shape;
  const Shape& indices = node.input(1).shape;
  const int64_t batch = node.attributes->get_int("batch_dims");
  state->depth = indices.back();
  const std::span<const int64_t> lead(indices.data(), indices.size() - 1);
  state->tuples = numel_of(lead);
  state->tuples_per_batch = std::max<int64_t>(1, numel_of(lead.subspan(batch)));
  const Shape strides = contiguous_strides(data);
  for (int64_t k = 0; k < state->depth; ++k) {
    state->sizes.push_back(data[batch + k]);
    state->strides.push_back(strides[batch + k]);
  }
  state->slice = numel_of(std::span(data).subspan(batch + state->depth));
  state->batch_stride = numel_of(std::span(data).subspan(batch));
  state->run = visit_unit(node.input(0).dtype, []<typename T>() { return run_nd<T>; });
  return state;
}

void run_nd_kernel(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const NdState*>(kernel_state);
  state.run(state, context);
}

// ---- NonZero ------------------------------------------------------------------------------------

struct NonZeroState : KernelState {
  Shape shape;
  LateOutput positions;
  bool (*nonzero)(const void* data, int64_t i) = nullptr;
};

template <typename T>
bool is_nonzero(const void* data, int64_t i) {
  if constexpr (std::is_same_v<T, std::string>) {
    return !static_cast<const T*>(data)[i].empty();
  } else if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
    return (static_cast<const T*>(data)[i].bits & 0x7FFF) != 0;
  } else {
    return static_cast<const T*>(data)[i] != T(0);
  }
}

using NonZeroTypes = TypeList<float, double, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t,
                              uint32_t, uint64_t, bool, Half, BFloat16, std::string>;

std::unique_ptr<KernelState> prepare_nonzero(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<NonZeroState>();
  state->shape = node.input(0).shape;
  state->positions = LateOutput(node, 0);
  state->nonzero =
      visit(node.input(0).dtype, NonZeroTypes(), []<typename T>() { return is_nonzero<T>; });
  return state;
}

// Positions in row-major order, one row of the output an axis.
void run_nonzero(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const NonZeroState*>(kernel_state);
  const int64_t rank = static_cast<int64_t>(state.shape.size());
  const int64_t size = numel_of(state.shape);
  const void* data = context.inputs[0];
  int64_t count = 0;
  for (int64_t i = 0; i < size; ++i) count += state.nonzero(data, i) ? 1 : 0;
  const int64_t shape[] = {rank, count};
  auto* out = static_cast<int64_t*>(state.positions.memory(context, shape));
  int64_t column = 0;
  for (int64_t i = 0; i < size; ++i) {
    if (!state.nonzero(data, i)) continue;
    int64_t rest = i;
    for (int64_t axis = rank; axis-- > 0;) {
      out[axis * count + column] = rest % state.shape[axis];
      rest /= state.shape[axis];
    }
    ++column;
  }
}

constexpr Kernel kKernels[] = {
    {.op = "Gather", .types = kMovable, .prepare = prepare_gather, .run = run_gather_kernel},
    {.op = "GatherElements",
     .types = kMovable,
     .prepare = prepare_elements,
     .run = run_elements_kernel},
    {.op = "GatherND", .types = kMovable, .prepare = prepare_nd, .run = run_nd_kernel},
    {.op = "NonZero",
     .types = kNumericTypes | kBool | kString,
     .prepare = prepare_nonzero,
     .run = run_nonzero,
     .late_outputs = {0}},
};

}  // namespace

KernelFamily tensor_gather_kernels() { return kKernels; }

}  // namespace ferry::cpu
