// BatchNormalization, LayerNormalization, Dropout.
#include <algorithm>

#include "devices/cuda/launch.h"
#include "kernels/axis.h"
#include "kernels/cuda/arithmetic.h"
#include "kernels/cuda/block_reduce.h"
#include "kernels/cuda/element.h"
#include "kernels/cuda/families.h"
#include "kernels/cuda/map.h"
#include "kernels/scalar.h"

namespace ferry::cuda {
namespace {

// ---- BatchNormalization: (X - mean) / sqrt(var + epsilon) * scale + B, per channel
// -------------------

template <typename T>
struct BatchNormMap {
  FastDivide inner, channels;
  const T* x;
  const void* scale;
  const void* bias;
  const void* mean;
  const void* variance;
  DType parameter_dtype, statistic_dtype;
  float epsilon;
  T* y;

  __device__ void operator()(uint32_t index) const {
    using C = Compute<T>;
    const uint32_t plane = inner.divide(index);
    const uint32_t channel = plane - channels.divide(plane) * channels.divisor;
    const C deviation = sqrt(load_as<C>(variance, statistic_dtype, channel) + C(epsilon));
    const C normal =
        (static_cast<C>(x[index]) - load_as<C>(mean, statistic_dtype, channel)) / deviation;
    y[index] = static_cast<T>(normal * load_as<C>(scale, parameter_dtype, channel) +
                              load_as<C>(bias, parameter_dtype, channel));
  }
};

struct BatchNormState : KernelState {
  uint32_t count = 0, inner = 1, channels = 1;
  DType dtype = DType::undefined, parameter_dtype = DType::undefined,
        statistic_dtype = DType::undefined;
  float epsilon = 0;
};

std::unique_ptr<KernelState> prepare_batch_norm(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<BatchNormState>();
  const Shape& shape = node.input(0).shape;
  state->count = map_count(shape);
  if (state->count > 0 && shape.size() > 1) {
    state->channels = static_cast<uint32_t>(shape[1]);
    state->inner = static_cast<uint32_t>(numel_of(std::span(shape).subspan(2)));
  }
  state->dtype = node.input(0).dtype;
  state->parameter_dtype = node.input(1).dtype;
  state->statistic_dtype = node.input(3).dtype;
  state->epsilon = node.attributes->get_float("epsilon");
  return state;
}

void run_batch_norm(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const BatchNormState*>(kernel_state);
  visit(state.dtype, FloatTypes(), [&]<typename T>() {
    launch_map(context, state.count,
               BatchNormMap<T>{FastDivide(state.inner), FastDivide(state.channels),
                               context.input<T>(0), context.inputs[1], context.inputs[2],
                               context.inputs[3], context.inputs[4], state.parameter_dtype,
                               state.statistic_dtype, state.epsilon, context.output<T>(0)});
  });
}

Support not_training(const NodeFacts& node) {
  if (node.attributes->get_int("training_mode") == 0) return Support::yes();
  return Support::no(ReasonCode::attribute, "training_mode is 1");
}

// ---- LayerNormalization: over all axes from `axis` on, a block per row
// -----------------------------

template <typename T>
struct LayerNormArguments {
  Walk<2> row;  // over the elements of a row: operand 0 is scale, 1 is bias
  const T* x;
  const T* scale;
  const T* bias;  // or nullptr
  T* y;
  void* mean;       // or nullptr
  void* deviation;  // or nullptr: 1 / sqrt(variance + epsilon)
  bool stash_bfloat16;
  float epsilon;
};

__device__ inline void store_statistic(void* to, bool bfloat, int64_t at, float value) {
  if (!to) return;
  if (bfloat) {
    static_cast<__nv_bfloat16*>(to)[at] = __float2bfloat16(value);
  } else {
    static_cast<float*>(to)[at] = value;
  }
}

template <typename T>
__global__ void layer_norm_kernel(LayerNormArguments<T> p) {
  using C = Compute<T>;
  const uint32_t size = p.row.count;
  const T* x = p.x + int64_t{blockIdx.x} * size;
  T* y = p.y + int64_t{blockIdx.x} * size;
  C sum = C(0);
  for (uint32_t i = threadIdx.x; i < size; i += blockDim.x) sum += static_cast<C>(x[i]);
  const C mean = block_reduce<Add>(sum, C(0)) / static_cast<C>(size);
  C squares = C(0);
  for (uint32_t i = threadIdx.x; i < size; i += blockDim.x) {
    const C difference = static_cast<C>(x[i]) - mean;
    squares += difference * difference;
  }
  const C variance = block_reduce<Add>(squares, C(0)) / static_cast<C>(size);
  const C scale = C(1) / sqrt(variance + C(p.epsilon));
  for (uint32_t i = threadIdx.x; i < size; i += blockDim.x) {
    int64_t at[2];
    p.row.offsets(i, at);
    C value = (static_cast<C>(x[i]) - mean) * scale * static_cast<C>(p.scale[at[0]]);
    if (p.bias) value += static_cast<C>(p.bias[at[1]]);
    y[i] = static_cast<T>(value);
  }
  if (threadIdx.x == 0) {
    store_statistic(p.mean, p.stash_bfloat16, blockIdx.x, static_cast<float>(mean));
    store_statistic(p.deviation, p.stash_bfloat16, blockIdx.x, static_cast<float>(scale));
  }
}

struct LayerNormState : KernelState {
  uint32_t rows = 0;
  Walk<2> row;
  DType dtype = DType::undefined;
  bool bias = false, mean = false, deviation = false, stash_bfloat16 = false;
  float epsilon = 0;
};

// Over the elements of a row, with scale and bias.
Walk<2> row_walk(const NodeFacts& node, int64_t axis) {
  const Shape& shape = node.input(0).shape;
  const Shape& scale = node.input(1).shape;
  const Shape& bias = node.has_input(2) ? node.input(2).shape : scale;
  return broadcast_walk<2>({shape.begin() + axis, shape.end()}, {&scale, &bias});
}

Support walks_row(const NodeFacts& node) {
  return within_axes(node, kMaxAxes, [&] {
    row_walk(node, axis_of(node.attributes->get_int("axis"), node.input(0).rank()));
  });
}

std::unique_ptr<KernelState> prepare_layer_norm(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<LayerNormState>();
  const Shape& shape = node.input(0).shape;
  const auto rank = static_cast<int64_t>(shape.size());
  const int64_t axis = axis_of(node.attributes->get_int("axis"), rank);
  state->rows = map_count(shape) == 0 ? 0 : map_count({shape.begin(), shape.begin() + axis});
  state->bias = node.has_input(2);
  state->row = row_walk(node, axis);
  state->dtype = node.input(0).dtype;
  state->mean = node.has_output(1);
  state->deviation = node.has_output(2);
  state->stash_bfloat16 = node.attributes->get_int("stash_type") == 16;
  state->epsilon = node.attributes->get_float("epsilon");
  return state;
}

void run_layer_norm(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const LayerNormState*>(kernel_state);
  if (state.rows == 0 || state.row.count == 0) return;
  visit(state.dtype, FloatTypes(), [&]<typename T>() {
    const LayerNormArguments<T> arguments{
        .row = state.row,
        .x = context.input<T>(0),
        .scale = context.input<T>(1),
        .bias = state.bias ? context.input<T>(2) : nullptr,
        .y = context.output<T>(0),
        .mean = state.mean ? context.outputs[1] : nullptr,
        .deviation = state.deviation ? context.outputs[2] : nullptr,
        .stash_bfloat16 = state.stash_bfloat16,
        .epsilon = state.epsilon};
    check(launch<layer_norm_kernel<T>>(state.rows, reduce_threads(state.row.count), 0,
                                       stream_of(context).activate(), arguments),
          "launch a kernel");
  });
}

// Scale and bias reach over the normalised axes only.
Support scale_within_row(const NodeFacts& node) {
  const TensorFacts& x = node.input(0);
  if (!x.has_shape) return Support::yes();
  const int64_t axis = axis_of(node.attributes->get_int("axis"), x.rank());
  for (int i = 1; i < 3; ++i) {
    if (node.has_input(i) && node.input(i).has_shape && node.input(i).rank() > x.rank() - axis) {
      return Support::no(ReasonCode::rank_or_layout,
                         "input " + std::to_string(i) + " has more axes than are normalised");
    }
  }
  return Support::yes();
}

// ---- Dropout outside training: the data itself, and a mask of ones
// -----------------------------------

struct DropoutState : KernelState {
  size_t bytes = 0, count = 0;
  bool mask = false;
};

std::unique_ptr<KernelState> prepare_dropout(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<DropoutState>();
  // Neither is read: supports() has seen that nothing is dropped.
  for (const auto& [input, name] : {std::pair(1, "ratio"), std::pair(2, "training_mode")}) {
    if (node.has_input(input)) expect_one_element(node, input, name);
  }
  const int64_t count = numel_of(node.input(0).shape);
  state->count = static_cast<size_t>(count);
  state->bytes = dtype_bytes(node.input(0).dtype, count);
  state->mask = node.has_output(1);
  return state;
}

void run_dropout(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const DropoutState*>(kernel_state);
  if (context.inputs[0] != context.outputs[0]) {
    context.stream->copy(context.outputs[0], context.inputs[0], state.bytes,
                         CopyDirection::device_to_device);
  }
  if (state.mask) context.stream->fill(context.outputs[1], 1, state.count);
}

Support keeps_all(const NodeFacts& node) {
  if (!node.has_input(2)) return Support::yes();
  const Tensor* training = node.input(2).constant;
  if (training && training->numel() == 1 && !training->span<bool>()[0]) return Support::yes();
  return Support::no(ReasonCode::attribute, "training_mode is not the constant false");
}

constexpr Kernel kKernels[] = {
    {.op = "BatchNormalization",
     .types = kFloatTypes,
     .prepare = prepare_batch_norm,
     .run = run_batch_norm,
     .supports = all_of<countable, not_training>},
    {.op = "Dropout",
     .types = kFloatTypes,
     .prepare = prepare_dropout,
     .run = run_dropout,
     .supports = keeps_all,
     .host_inputs = {1, 2}},
    {.op = "LayerNormalization",
     .types = kFloatTypes,
     .prepare = prepare_layer_norm,
     .run = run_layer_norm,
     .supports = all_of<countable, scale_within_row, walks_row>},
};

}  // namespace

KernelFamily nn_norm_kernels() { return kKernels; }

}  // namespace ferry::cuda
