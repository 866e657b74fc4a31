// Gather, GatherElements, GatherND. A negative index counts from the end; one outside its axis is a
// fault, and gives zeros.
#include <algorithm>

#include "devices/cuda/kernel_fault.h"
#include "kernels/axis.h"
#include "kernels/cuda/families.h"
#include "kernels/cuda/map.h"
#include "kernels/cuda/unit.h"
#include "kernels/cuda/walk.h"

namespace ferry::cuda {
namespace {

// Indices of int32 or int64.
struct Indices {
  const void* data;
  bool wide;
  FaultReporter faults;

  // Index `at` for an axis of `size`, or -1 after a fault.
  __device__ int64_t read(int64_t at, int64_t size) const {
    const int64_t given = wide ? static_cast<const int64_t*>(data)[at]
                               : int64_t{static_cast<const int32_t*>(data)[at]};
    const int64_t index = given < 0 ? given + size : given;
    if (index >= 0 && index < size) return index;
    faults.report(KernelFault::index_out_of_range, given, size);
    return -1;
  }
};

Indices indices_of(const RunContext& context, DType dtype) {
  return {context.inputs[1], dtype == int64, reporter_of(context)};
}

struct GatherState : KernelState {
  DType dtype = DType::undefined, index_dtype = DType::undefined;
  Shape data, indices, output;
  int64_t axis = 0;
  uint32_t count = 0;
  Walk<1> walk;  // GatherElements: over the output, where the axis does not move
};

std::unique_ptr<GatherState> make_state(const NodeFacts& node) {
  auto state = std::make_unique<GatherState>();
  state->dtype = node.input(0).dtype;
  state->index_dtype = node.input(1).dtype;
  state->data = node.input(0).shape;
  state->indices = node.input(1).shape;
  state->output = node.output(0).shape;
  map_count(state->data);
  map_count(state->indices);
  state->count = map_count(state->output);
  return state;
}

std::unique_ptr<KernelState> prepare_axis(const NodeFacts& node, Prepare&) {
  auto state = make_state(node);
  state->axis = axis_of(node.attributes->get_int("axis"), static_cast<int64_t>(state->data.size()));
  return state;
}

// ---- Gather: [outer, size, inner] by n indices gives [outer, n, inner]
// ----------------------------

template <typename T>
struct GatherMap {
  FastDivide inner, count;  // of the indices
  int64_t size;
  const T* data;
  Indices indices;
  T* out;

  __device__ void operator()(uint32_t index) const {
    const uint32_t line = inner.divide(index);
    const uint32_t column = index - line * inner.divisor;
    const uint32_t outer = count.divide(line);
    const int64_t from = indices.read(line - outer * count.divisor, size);
    out[index] = from < 0 ? T() : data[(outer * size + from) * inner.divisor + column];
  }
};

void run_gather(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const GatherState*>(kernel_state);
  if (state.count == 0) return;
  const AxisView view(state.data, state.axis);
  visit_unit(state.dtype, [&]<typename T>() {
    launch_map(context, state.count,
               GatherMap<T>{FastDivide(view.inner), FastDivide(map_count(state.indices)), view.size,
                            context.input<T>(0), indices_of(context, state.index_dtype),
                            context.output<T>(0)});
  });
}

// ---- GatherElements: the output's position, but for one axis
// ---------------------------------------

template <typename T>
struct GatherElementsMap {
  Walk<1> walk;  // over the output; operand 0 is the data, where the axis does not move
  int64_t size, stride;
  const T* data;
  Indices indices;
  T* out;

  __device__ void operator()(uint32_t index) const {
    int64_t at[1];
    walk.offsets(index, at);
    const int64_t from = indices.read(index, size);
    out[index] = from < 0 ? T() : data[at[0] + from * stride];
  }
};

Walk<1> elements_walk(const NodeFacts& node) {
  const Shape& data = node.input(0).shape;
  Shape strides = contiguous_strides(data);
  strides[axis_of(node.attributes->get_int("axis"), node.input(0).rank())] = 0;
  return make_walk<1>(node.output(0).shape, {strides});
}

Support walks_elements(const NodeFacts& node) {
  const Support support = countable(node);
  return support.ok ? within_axes(node, kMaxAxes, [&] { elements_walk(node); }) : support;
}

std::unique_ptr<KernelState> prepare_elements(const NodeFacts& node, Prepare&) {
  auto state = make_state(node);
  state->axis = axis_of(node.attributes->get_int("axis"), node.input(0).rank());
  state->walk = elements_walk(node);
  return state;
}

void run_gather_elements(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const GatherState*>(kernel_state);
  if (state.count == 0) return;
  const int64_t stride = contiguous_strides(state.data)[state.axis];
  visit_unit(state.dtype, [&]<typename T>() {
    launch_map(context, state.count,
               GatherElementsMap<T>{state.walk, state.data[state.axis], stride, context.input<T>(0),
                                    indices_of(context, state.index_dtype), context.output<T>(0)});
  });
}

// ---- GatherND: each tuple of indices gives a slice
// -------------------------------------------------

template <typename T>
struct GatherNDMap {
  FastDivide slice, tuples;                    // elements of a slice; tuples of a batch
  int32_t depth;                               // indices of a tuple
  int64_t sizes[kMaxAxes], strides[kMaxAxes];  // of the axes that a tuple picks from
  int64_t batch_stride;
  const T* data;
  Indices indices;
  T* out;

  __device__ void operator()(uint32_t index) const {
    const uint32_t tuple = slice.divide(index);
    int64_t from = tuples.divide(tuple) * batch_stride + (index - tuple * slice.divisor);
    bool outside = false;
    for (int i = 0; i < depth; ++i) {
      const int64_t position = indices.read(int64_t{tuple} * depth + i, sizes[i]);
      outside = outside || position < 0;
      from += position * strides[i];
    }
    out[index] = outside ? T() : data[from];
  }
};

std::unique_ptr<KernelState> prepare_nd(const NodeFacts& node, Prepare&) {
  auto state = make_state(node);
  state->axis = node.attributes->get_int("batch_dims");
  return state;
}

void run_gather_nd(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const GatherState*>(kernel_state);
  if (state.count == 0) return;
  const int64_t batch = state.axis, depth = state.indices.back();
  const std::span<const int64_t> data = state.data, indices = state.indices;
  const int64_t tuples = numel_of(indices.subspan(batch, indices.size() - 1 - batch));
  const Shape strides = contiguous_strides(state.data);
  visit_unit(state.dtype, [&]<typename T>() {
    GatherNDMap<T> map{.slice = FastDivide(numel_of(data.subspan(batch + depth))),
                       .tuples = FastDivide(tuples),
                       .depth = static_cast<int32_t>(depth),
                       .batch_stride = numel_of(data.subspan(batch)),
                       .data = context.input<T>(0),
                       .indices = indices_of(context, state.index_dtype),
                       .out = context.output<T>(0)};
    for (int64_t i = 0; i < depth; ++i) {
      map.sizes[i] = state.data[batch + i];
      map.strides[i] = strides[batch + i];
    }
    launch_map(context, state.count, map);
  });
}

Support shallow(const NodeFacts& node) {
  const TensorFacts& indices = node.input(1);
  if (indices.has_shape && indices.rank() > 0 && indices.shape.back() > kMaxAxes) {
    return Support::no(ReasonCode::rank_or_layout,
                       "each tuple has " + std::to_string(indices.shape.back()) + " indices");
  }
  return Support::yes();
}

constexpr Kernel kKernels[] = {
    {.op = "Gather",
     .types = kByteTypes,
     .prepare = prepare_axis,
     .run = run_gather,
     .supports = countable},
    {.op = "GatherElements",
     .types = kByteTypes,
     .prepare = prepare_elements,
     .run = run_gather_elements,
     .supports = walks_elements},
    {.op = "GatherND",
     .types = kByteTypes,
     .prepare = prepare_nd,
     .run = run_gather_nd,
     .supports = all_of<countable, shallow>},
};

}  // namespace

KernelFamily tensor_gather_kernels() { return kKernels; }

}  // namespace ferry::cuda
