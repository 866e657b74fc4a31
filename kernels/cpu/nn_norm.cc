// BatchNormalization, LayerNormalization and Dropout.
#include <algorithm>
#include <cmath>
#include <random>

#include "core/convert.h"
#include "kernels/cpu/bool_byte.h"
#include "kernels/cpu/element.h"
#include "kernels/cpu/engine/broadcast.h"
#include "kernels/cpu/engine/loop.h"
#include "kernels/cpu/engine/simd_reduce.h"
#include "kernels/cpu/engine/through_float.h"
#include "kernels/cpu/families.h"
#include "kernels/scalar.h"

namespace ferry::cpu {
namespace {

// ---- BatchNormalization -------------------------------------------------------------------------

struct BatchState : KernelState {
  int64_t batch = 0, channels = 0, size = 0;
  float epsilon = 0, momentum = 0;
  bool training = false;
  bool running_mean = false, running_var = false;
  void (*run)(const BatchState&, const RunContext&) = nullptr;
};

// y = x * factor + shift over one channel of one sample.
template <typename T>
void scale_plane(const T* x, T* y, int64_t count, T factor, T shift) {
  for (int64_t i = 0; i < count; ++i) y[i] = x[i] * factor + shift;
}

template <typename T>
void run_batch(const BatchState& state, const RunContext& context) {
  const T* x = context.input<T>(0);
  const T* scale = context.input<T>(1);
  const T* bias = context.input<T>(2);
  const T* input_mean = context.input<T>(3);
  const T* input_var = context.input<T>(4);
  T* y = context.output<T>(0);
  const int64_t count = state.batch * state.size;
  for_range(context, state.channels, count, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      double mean = static_cast<double>(input_mean[c]);
      double var = static_cast<double>(input_var[c]);
      if (state.training) {
        // Of this batch, the population's variance.
        double sum = 0, squares = 0;
        for (int64_t n = 0; n < state.batch; ++n) {
          const T* plane = x + (n * state.channels + c) * state.size;
          for (int64_t i = 0; i < state.size; ++i) sum += static_cast<double>(plane[i]);
        }
        mean = sum / static_cast<double>(count);
        for (int64_t n = 0; n < state.batch; ++n) {
          const T* plane = x + (n * state.channels + c) * state.size;
          for (int64_t i = 0; i < state.size; ++i) {
            const double deviation = static_cast<double>(plane[i]) - mean;
            squares += deviation * deviation;
          }
        }
        var = squares / static_cast<double>(count);
        const double momentum = static_cast<double>(state.momentum);
        const auto blend = [&](T old, double now) {
          return static_cast<T>(static_cast<double>(old) * momentum + now * (1 - momentum));
        };
        if (state.running_mean) context.output<T>(1)[c] = blend(input_mean[c], mean);
        if (state.running_var) context.output<T>(2)[c] = blend(input_var[c], var);
      }
      const double factor =
          static_cast<double>(scale[c]) / std::sqrt(var + static_cast<double>(state.epsilon));
      const double shift = static_cast<double>(bias[c]) - mean * factor;
      for (int64_t n = 0; n < state.batch; ++n) {
        const int64_t at = (n * state.channels + c) * state.size;
        scale_plane(x + at, y + at, state.size, static_cast<T>(factor), static_cast<T>(shift));
      }
    }
  });
}

std::unique_ptr<KernelState> prepare_batch(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<BatchState>();
  const Shape& x = node.input(0).shape;
  state->batch = x[0];
  state->channels = x.size() > 1 ? x[1] : 1;
  state->size = x.size() > 2 ? numel_of(std::span(x).subspan(2)) : 1;
  state->epsilon = node.attributes->get_float("epsilon");
  state->momentum = node.attributes->get_float("momentum");
  state->training = node.attributes->get_int("training_mode") != 0;
  state->running_mean = node.has_output(1);
  state->running_var = node.has_output(2);
  state->run = visit(node.input(0).dtype, RealTypes(), []<typename T>() { return run_batch<T>; });
  return state;
}

void run_batch_kernel(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const BatchState*>(kernel_state);
  state.run(state, context);
}

// The statistics may have types of their own; float64 does not mix with the others here.
Support one_width(const NodeFacts& node) {
  const bool wide = node.input(0).dtype == float64;
  for (size_t i = 1; i < node.inputs.size(); ++i) {
    if ((node.inputs[i].dtype == float64) != wide) {
      return Support::no(ReasonCode::dtype, "input 0 is " +
                                                std::string(to_string(node.input(0).dtype)) +
                                                " and input " + std::to_string(i) + " is " +
                                                std::string(to_string(node.inputs[i].dtype)));
    }
  }
  return Support::yes();
}

// float32 rows whose other inputs are all float32.
Support all_alike(const NodeFacts& node) {
  for (size_t i = 1; i < node.inputs.size(); ++i) {
    if (node.inputs[i].dtype != node.input(0).dtype) {
      return Support::no(ReasonCode::dtype, "the inputs have more than one type");
    }
  }
  return Support::yes();
}

constexpr Kernel batch_mixed() {
  Kernel row = low_float_row<prepare_batch, run_batch_kernel>("BatchNormalization", one_width);
  row.types = TypeSet{float16, bfloat16, float32};
  return row;
}

// ---- LayerNormalization -------------------------------------------------------------------------

struct LayerState : KernelState {
  int64_t rows = 0, size = 0;
  float epsilon = 0;
  bool has_bias = false, mean = false, deviation = false;
  // Scale and bias are one row that every row shares; else they are applied in a second walk.
  bool shared_row = true;
  Broadcast<2> walk;
  void (*run)(const LayerState&, const RunContext&) = nullptr;
};

void write_statistics(const LayerState& state, const RunContext& context, int64_t row, double mean,
                      double inverse) {
  if (state.mean) context.output<float>(1)[row] = static_cast<float>(mean);
  if (state.deviation) context.output<float>(2)[row] = static_cast<float>(inverse);
}

void normalize_row(const LayerState& state, const RunContext& context, int64_t row,
                   const float* scale, const float* bias) {
  const SimdReduce& simd = simd_reduce();
  const float* x = context.input<float>(0) + row * state.size;
  const double count = static_cast<double>(state.size);
  const double mean = simd.sum(x, state.size) / count;
  const double var = simd.squared_deviation(x, state.size, static_cast<float>(mean)) / count;
  const double inverse = 1 / std::sqrt(var + static_cast<double>(state.epsilon));
  simd.normalize(x, context.output<float>(0) + row * state.size, state.size,
                 static_cast<float>(mean), static_cast<float>(inverse), scale, bias);
  write_statistics(state, context, row, mean, inverse);
}

void normalize_row(const LayerState& state, const RunContext& context, int64_t row,
                   const double* scale, const double* bias) {
  const double* x = context.input<double>(0) + row * state.size;
  double* y = context.output<double>(0) + row * state.size;
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < state.size; ++i) sum += x[i];
  const double mean = sum / static_cast<double>(state.size);
  for (int64_t i = 0; i < state.size; ++i) squares += (x[i] - mean) * (x[i] - mean);
  const double inverse =
      1 / std::sqrt(squares / static_cast<double>(state.size) + static_cast<double>(state.epsilon));
  for (int64_t i = 0; i < state.size; ++i) {
    const double value = (x[i] - mean) * inverse * (scale != nullptr ? scale[i] : 1);
    y[i] = value + (bias != nullptr ? bias[i] : 0);
  }
  write_statistics(state, context, row, mean, inverse);
}

template <typename T>
void run_layer(const LayerState& state, const RunContext& context) {
  const T* scale = context.input<T>(1);
  const T* bias = state.has_bias ? context.input<T>(2) : nullptr;
  for_range(context, state.rows, state.size * 2, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      normalize_row(state, context, row, state.shared_row ? scale : nullptr,
                    state.shared_row ? bias : nullptr);
    }
  });
  if (state.shared_row) return;
  T* y = context.output<T>(0);
  const int64_t size = state.walk.row_size();
  const auto [scale_step, bias_step] = state.walk.steps();
  state.walk.for_rows(0, state.walk.row_count(),
                      [&, scale_step = scale_step, bias_step = bias_step](
                          int64_t row, const Broadcast<2>::Offsets& at) {
                        for (int64_t i = 0; i < size; ++i) {
                          T& value = y[row * size + i];
                          value *= scale[at[0] + i * scale_step];
                          if (bias != nullptr) value += bias[at[1] + i * bias_step];
                        }
                      });
}

std::unique_ptr<KernelState> prepare_layer(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<LayerState>();
  const Shape& x = node.input(0).shape;
  const int64_t axis = axis_of(node.attributes->get_int("axis"), static_cast<int64_t>(x.size()));
  state->rows = numel_of(std::span(x).first(axis));
  state->size = numel_of(std::span(x).subspan(axis));
  state->epsilon = node.attributes->get_float("epsilon");
  state->has_bias = node.has_input(2);
  state->mean = node.has_output(1);
  state->deviation = node.has_output(2);
  const Shape& scale = node.input(1).shape;
  const Shape& bias = state->has_bias ? node.input(2).shape : scale;
  state->shared_row =
      numel_of(scale) == state->size && numel_of(bias) == state->size &&
      static_cast<int64_t>(std::max(scale.size(), bias.size())) <= static_cast<int64_t>(x.size());
  // A row of the right size that stands elsewhere, [n, 1] beside x [n, n], is no shared row.
  for (const Shape* shape : {&scale, &bias}) {
    for (size_t i = 0; i < shape->size(); ++i) {
      const size_t at = x.size() - shape->size() + i;
      if (at < static_cast<size_t>(axis) && (*shape)[i] != 1) state->shared_row = false;
    }
  }
  if (!state->shared_row && numel_of(x) > 0) state->walk = Broadcast<2>(x, {&scale, &bias});
  state->run = visit(node.input(0).dtype, RealTypes(), []<typename T>() { return run_layer<T>; });
  return state;
}

void run_layer_kernel(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const LayerState*>(kernel_state);
  if (state.rows * state.size > 0) state.run(state, context);
}

Support scalable(const NodeFacts& node) {
  return within_axes(node, Broadcast<2>::kMaxAxes, [&] {
    const Shape& scale = node.input(1).shape;
    Broadcast<2>(node.input(0).shape, {&scale, node.has_input(2) ? &node.input(2).shape : &scale});
  });
}

Support float_statistics(const NodeFacts& node) {
  if (node.attributes->get_int("stash_type") == static_cast<int64_t>(float32)) {
    return Support::yes();
  }
  for (int i : {1, 2}) {
    if (node.has_output(i)) {
      return Support::no(ReasonCode::attribute, "stash_type is not 1 (float32)");
    }
  }
  return Support::yes();
}

// ---- Dropout ------------------------------------------------------------------------------------

struct DropoutState : KernelState {
  DType dtype = DType::undefined;
  int64_t count = 0;
  ScalarInput ratio, training;
  bool mask = false;
  uint32_t seed = 0;
};

std::unique_ptr<KernelState> prepare_dropout(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<DropoutState>();
  state->dtype = node.input(0).dtype;
  state->count = numel_of(node.input(0).shape);
  state->ratio = ScalarInput(node, 1, "ratio");
  state->training = ScalarInput(node, 2, "training_mode");
  state->mask = node.has_output(1);
  if (const int64_t* seed = node.attributes->find<int64_t>("seed")) {
    state->seed = static_cast<uint32_t>(*seed);
  } else {
    state->seed = std::random_device()();
  }
  return state;
}

// With training_mode false the input passes. Else each element is dropped where a number that is
// uniform in [0, 1) lies below the ratio, and what stays is scaled by 1 / (1 - ratio). The numbers
// are numpy.random.RandomState(seed)'s, as in ONNX's reference.
void run_dropout(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const DropoutState*>(kernel_state);
  bool* mask = state.mask ? context.output<bool>(1) : nullptr;
  const double ratio = state.ratio.as_double(context, 0.5);
  const bool training = state.training.value(context, BoolByte{0});
  if (!training || ratio == 0) {
    if (context.inputs[0] != context.outputs[0] && state.count > 0) {
      std::copy_n(context.input<std::byte>(0), dtype_bytes(state.dtype, state.count),
                  context.output<std::byte>(0));
    }
    if (mask != nullptr) std::fill_n(mask, state.count, true);
    return;
  }
  if (!(ratio > 0 && ratio < 1)) {
    throw Error(ErrorCode::runtime, "the dropout ratio is " + std::to_string(ratio) +
                                        ", expected at least 0 and below 1");
  }
  std::mt19937 generator(state.seed);
  const double scale = 1 / (1 - ratio);
  for (int64_t i = 0; i < state.count; ++i) {
    const double high = static_cast<double>(generator() >> 5);
    const double low = static_cast<double>(generator() >> 6);
    const bool keeps = (high * 67108864 + low) / 9007199254740992 >= ratio;
    const double x = load_as_double(state.dtype, context.inputs[0], i);
    store_from_double(state.dtype, context.outputs[0], i, keeps ? x * scale : 0);
    if (mask != nullptr) mask[i] = keeps;
  }
}

inline constexpr TypeSet kDropoutTypes =
    kFloatTypes | TypeSet{float8_e4m3fn, float8_e4m3fnuz, float8_e5m2, float8_e5m2fnuz};

constexpr Kernel kKernels[] = {
    {.op = "BatchNormalization",
     .types = kReal,
     .prepare = prepare_batch,
     .run = run_batch_kernel,
     .supports = all_alike},
    batch_mixed(),
    {.op = "Dropout",
     .types = kDropoutTypes,
     .prepare = prepare_dropout,
     .run = run_dropout,
     .host_inputs = {1, 2}},
    {.op = "LayerNormalization",
     .types = kReal,
     .prepare = prepare_layer,
     .run = run_layer_kernel,
     .supports = all_of<float_statistics, scalable>},
    low_float_row<prepare_layer, run_layer_kernel>("LayerNormalization", scalable),
};

}  // namespace

KernelFamily nn_norm_kernels() { return kKernels; }

}  // namespace ferry::cpu
