// Normalisations by statistics of rows or of channels: RMSNormalization, InstanceNormalization,
// GroupNormalization, MeanVarianceNormalization, LpNormalization and LRN.
#include <algorithm>
#include <cmath>

#include "kernels/cpu/element.h"
#include "kernels/cpu/engine/broadcast.h"
#include "kernels/cpu/engine/loop.h"
#include "kernels/cpu/engine/through_float.h"
#include "kernels/cpu/families.h"
#include "kernels/cpu/tables.h"

namespace ferry::cpu {
namespace {

template <typename State>
void run_state(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const State*>(kernel_state);
  state.run(state, context);
}

struct Moments {
  double mean, variance;
};
template <typename T>
Moments moments(const T* x, int64_t count) {
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < count; ++i) sum += static_cast<double>(x[i]);
  const double mean = sum / static_cast<double>(count);
  for (int64_t i = 0; i < count; ++i) {
    const double deviation = static_cast<double>(x[i]) - mean;
    squares += deviation * deviation;
  }
  return {mean, squares / static_cast<double>(count)};
}

// ---- RMSNormalization ---------------------------------------------------------------------------

struct RmsState : KernelState {
  int64_t rows = 0, size = 0;
  double epsilon = 0;
  Broadcast<1> scale;
  void (*run)(const RmsState&, const RunContext&) = nullptr;
};

// y = x / sqrt(mean(x^2) + epsilon) * scale
template <typename T>
void run_rms(const RmsState& state, const RunContext& context) {
  if (state.rows * state.size == 0) return;
  const T* x = context.input<T>(0);
  T* y = context.output<T>(0);
  for_range(context, state.rows, state.size, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const T* from = x + row * state.size;
      double squares = 0;
      for (int64_t i = 0; i < state.size; ++i) {
        squares += static_cast<double>(from[i]) * static_cast<double>(from[i]);
      }
      const T factor =
          static_cast<T>(1 / std::sqrt(squares / static_cast<double>(state.size) + state.epsilon));
      for (int64_t i = 0; i < state.size; ++i) y[row * state.size + i] = from[i] * factor;
    }
  });
  const T* scale = context.input<T>(1);
  const int64_t size = state.scale.row_size();
  const int step = state.scale.steps()[0];
  for_range(context, state.scale.row_count(), size, [&](int64_t begin, int64_t end) {
    state.scale.for_rows(begin, end, [&](int64_t row, const Broadcast<1>::Offsets& at) {
      T* to = y + row * size;
      for (int64_t i = 0; i < size; ++i) to[i] *= scale[at[0] + i * step];
    });
  });
}

std::unique_ptr<KernelState> prepare_rms(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<RmsState>();
  const Shape& x = node.input(0).shape;
  const int64_t axis = axis_of(node.attributes->get_int("axis"), static_cast<int64_t>(x.size()));
  state->rows = numel_of(std::span(x).first(axis));
  state->size = numel_of(std::span(x).subspan(axis));
  state->epsilon = static_cast<double>(node.attributes->get_float("epsilon"));
  if (numel_of(x) > 0) state->scale = Broadcast<1>(x, {&node.input(1).shape});
  state->run = visit(node.input(0).dtype, RealTypes(), []<typename T>() { return run_rms<T>; });
  return state;
}

Support scalable(const NodeFacts& node) {
  return within_axes(node, Broadcast<1>::kMaxAxes,
                     [&] { Broadcast<1>(node.input(0).shape, {&node.input(1).shape}); });
}

// ---- InstanceNormalization, GroupNormalization --------------------------------------------------

struct GroupState : KernelState {
  int64_t batch = 0, channels = 0, groups = 0, size = 0;  // size: of one channel
  double epsilon = 0;
  void (*run)(const GroupState&, const RunContext&) = nullptr;
};

// Statistics of each group of channels of a sample; scale and bias of each channel.
template <typename T>
void run_group(const GroupState& state, const RunContext& context) {
  const T* scale = context.input<T>(1);
  const T* bias = context.input<T>(2);
  const int64_t per_group = state.channels / state.groups;
  const int64_t count = per_group * state.size;
  for_range(context, state.batch * state.groups, count * 3, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const T* x = context.input<T>(0) + i * count;
      T* y = context.output<T>(0) + i * count;
      const Moments m = moments(x, count);
      const double inverse = 1 / std::sqrt(m.variance + state.epsilon);
      for (int64_t c = 0; c < per_group; ++c) {
        const int64_t channel = i % state.groups * per_group + c;
        const double factor = static_cast<double>(scale[channel]) * inverse;
        const double shift = static_cast<double>(bias[channel]) - m.mean * factor;
        for (int64_t k = c * state.size; k < (c + 1) * state.size; ++k) {
          y[k] = static_cast<T>(static_cast<double>(x[k]) * factor + shift);
        }
      }
    }
  });
}

template <bool kInstance>
std::unique_ptr<KernelState> prepare_group(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<GroupState>();
  const Shape& x = node.input(0).shape;
  state->batch = x[0];
  state->channels = x[1];
  state->groups = kInstance ? x[1] : node.attributes->get_int("num_groups");
  state->size = numel_of(std::span(x).subspan(2));
  state->epsilon = static_cast<double>(node.attributes->get_float("epsilon"));
  state->run = visit(node.input(0).dtype, RealTypes(), []<typename T>() { return run_group<T>; });
  return state;
}

// ---- MeanVarianceNormalization ------------------------------------------------------------------

struct MeanVarianceState : KernelState {
  Shape shape;
  std::vector<bool> reduced;
  int64_t count = 0, groups = 0;
  void (*run)(const MeanVarianceState&, const RunContext&) = nullptr;
};

// (x - mean) / (deviation + 1e-9) over the axes; the workspace holds two numbers a group.
template <typename T>
void run_mean_variance(const MeanVarianceState& state, const RunContext& context) {
  const T* x = context.input<T>(0);
  T* y = context.output<T>(0);
  double* sums = static_cast<double*>(context.workspace);
  double* squares = sums + state.groups;
  std::fill_n(sums, 2 * state.groups, 0.0);
  const auto group_of = [&](int64_t i) {
    int64_t group = 0, stride = 1;
    for (size_t axis = state.shape.size(); axis-- > 0;) {
      if (!state.reduced[axis]) {
        group += i % state.shape[axis] * stride;
        stride *= state.shape[axis];
      }
      i /= state.shape[axis];
    }
    return group;
  };
  const double each = static_cast<double>(state.count / std::max<int64_t>(1, state.groups));
  for (int64_t i = 0; i < state.count; ++i) sums[group_of(i)] += static_cast<double>(x[i]) / each;
  for (int64_t i = 0; i < state.count; ++i) {
    const int64_t group = group_of(i);
    const double deviation = static_cast<double>(x[i]) - sums[group];
    squares[group] += deviation * deviation / each;
  }
  for (int64_t i = 0; i < state.count; ++i) {
    const int64_t group = group_of(i);
    y[i] = static_cast<T>((static_cast<double>(x[i]) - sums[group]) /
                          (std::sqrt(squares[group]) + 1e-9));
  }
}

std::unique_ptr<KernelState> prepare_mean_variance(const NodeFacts& node, Prepare& prepare) {
  auto state = std::make_unique<MeanVarianceState>();
  state->shape = node.input(0).shape;
  state->reduced.assign(state->shape.size(), false);
  for (int64_t axis : node.attributes->get_ints("axes")) {
    state->reduced[axis_of(axis, static_cast<int64_t>(state->shape.size()))] = true;
  }
  state->count = numel_of(state->shape);
  state->groups = 1;
  for (size_t i = 0; i < state->shape.size(); ++i) {
    if (!state->reduced[i]) state->groups *= state->shape[i];
  }
  state->run =
      visit(node.input(0).dtype, RealTypes(), []<typename T>() { return run_mean_variance<T>; });
  prepare.set_workspace(dtype_bytes(float64, numel_of(Shape{2, state->groups})));
  return state;
}

// ---- LpNormalization ----------------------------------------------------------------------------

struct LpState : KernelState {
  AxisView view{Shape{1}, 0};
  int64_t p = 2;
  void (*run)(const LpState&, const RunContext&) = nullptr;
};

// x over its norm along the axis; 0 where the norm is 0.
template <typename T>
void run_lp(const LpState& state, const RunContext& context) {
  const auto [outer, size, inner] = state.view;
  const T* x = context.input<T>(0);
  T* y = context.output<T>(0);
  for (int64_t i = 0; i < outer * inner; ++i) {
    const int64_t base = i / inner * size * inner + i % inner;
    double norm = 0;
    for (int64_t k = 0; k < size; ++k) {
      const double value = static_cast<double>(x[base + k * inner]);
      norm += state.p == 1 ? std::abs(value) : value * value;
    }
    if (state.p == 2) norm = std::sqrt(norm);
    for (int64_t k = 0; k < size; ++k) {
      const int64_t at = base + k * inner;
      y[at] = norm == 0 ? T(0) : static_cast<T>(static_cast<double>(x[at]) / norm);
    }
  }
}

std::unique_ptr<KernelState> prepare_lp(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<LpState>();
  const Shape& x = node.input(0).shape;
  state->view =
      AxisView(x, axis_of(node.attributes->get_int("axis"), static_cast<int64_t>(x.size())));
  state->p = node.attributes->get_int("p");
  state->run = visit(node.input(0).dtype, RealTypes(), []<typename T>() { return run_lp<T>; });
  return state;
}

// ---- LRN ----------------------------------------------------------------------------------------

struct LrnState : KernelState {
  int64_t batch = 0, channels = 0, plane = 0, size = 0;
  double alpha = 0, beta = 0, bias = 0;
  void (*run)(const LrnState&, const RunContext&) = nullptr;
};

// y = x / (bias + alpha / size * sum of squares of the neighbouring channels)^beta
template <typename T>
void run_lrn(const LrnState& state, const RunContext& context) {
  const T* x = context.input<T>(0);
  T* y = context.output<T>(0);
  const int64_t before = (state.size - 1) / 2;
  const int64_t after = state.size - 1 - before;
  for_range(
      context, state.batch * state.channels, state.plane * 20, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const int64_t c = i % state.channels;
          const int64_t first = std::max<int64_t>(0, c - before);
          const int64_t last = std::min(state.channels - 1, c + after);
          for (int64_t k = 0; k < state.plane; ++k) {
            double squares = 0;
            for (int64_t other = first; other <= last; ++other) {
              const double v = static_cast<double>(x[(i - c + other) * state.plane + k]);
              squares += v * v;
            }
            const double base =
                state.bias + state.alpha / static_cast<double>(state.size) * squares;
            y[i * state.plane + k] = static_cast<T>(static_cast<double>(x[i * state.plane + k]) /
                                                    std::pow(base, state.beta));
          }
        }
      });
}

std::unique_ptr<KernelState> prepare_lrn(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<LrnState>();
  const Shape& x = node.input(0).shape;
  state->batch = x[0];
  state->channels = x[1];
  state->plane = numel_of(std::span(x).subspan(2));
  state->size = node.attributes->get_int("size");
  state->alpha = static_cast<double>(node.attributes->get_float("alpha"));
  state->beta = static_cast<double>(node.attributes->get_float("beta"));
  state->bias = static_cast<double>(node.attributes->get_float("bias"));
  state->run = visit(node.input(0).dtype, RealTypes(), []<typename T>() { return run_lrn<T>; });
  return state;
}

template <PrepareFunction kPrepare, typename State>
constexpr std::array<Kernel, 2> rows(std::string_view op,
                                     Support (*supports)(const NodeFacts&) = nullptr) {
  return {Kernel{.op = op,
                 .types = kReal,
                 .prepare = kPrepare,
                 .run = run_state<State>,
                 .supports = supports},
          low_float_row<kPrepare, run_state<State>>(op, supports)};
}

constexpr auto kKernels =
    join(rows<prepare_group<false>, GroupState>("GroupNormalization"),
         rows<prepare_group<true>, GroupState>("InstanceNormalization"),
         rows<prepare_lrn, LrnState>("LRN"), rows<prepare_lp, LpState>("LpNormalization"),
         rows<prepare_mean_variance, MeanVarianceState>("MeanVarianceNormalization"),
         rows<prepare_rms, RmsState>("RMSNormalization", scalable));

}  // namespace

KernelFamily nn_norm_rows_kernels() { return kKernels; }

}  // namespace ferry::cpu
