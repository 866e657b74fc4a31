// MaxPool, AveragePool, LpPool and the global pools.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/checked.h"
#include "kernels/cpu/element.h"
#include "kernels/cpu/engine/loop.h"
#include "kernels/cpu/engine/simd_window.h"
#include "kernels/cpu/engine/through_float.h"
#include "kernels/cpu/engine/window_rows.h"
#include "kernels/cpu/families.h"
#include "kernels/cpu/tables.h"
#include "kernels/window.h"

namespace ferry::cpu {
namespace {

struct State : KernelState {
  Window window;
  int64_t planes = 0;  // batch * channels
  bool count_include_pad = false, column_major = false, indices = false;
  int64_t p = 1;
  void (*plane)(const State&, const RunContext&, int64_t plane) = nullptr;
};

// Calls f(output index, window) for every output position of a plane, where the window knows the
// taps that lie inside the input.
class Taps {
 public:
  explicit Taps(const Window& window) : window_(window) {
    int64_t stride = 1;
    for (size_t i = window.axes.size(); i-- > 0;) {
      strides_[i] = stride;
      stride *= window.axes[i].input;
    }
  }

  template <typename F>
  void for_outputs(F&& f) {
    const size_t rank = window_.axes.size();
    std::array<int64_t, kMaxSpatialRank> at{};
    const int64_t count = window_.output_size();
    for (int64_t o = 0; o < count; ++o) {
      set(at);
      f(o);
      for (size_t i = rank; i-- > 0;) {
        if (++at[i] < window_.axes[i].output) break;
        at[i] = 0;
      }
    }
  }

  // The taps inside the input; those that padding counts as inside too.
  int64_t inside() const { return inside_; }
  int64_t padded() const { return padded_; }

  // f(offset in the plane) for each tap inside the input, in row-major order.
  template <typename F>
  void for_each(F&& f) const {
    if (inside_ == 0) return;
    const size_t last = window_.axes.size() - 1;
    std::array<int64_t, kMaxSpatialRank> at{};
    int64_t base = 0;
    for (size_t i = 0; i <= last; ++i) base += first_[i] * strides_[i];
    for (;;) {
      for (int64_t k = 0; k < taps_[last]; ++k) f(base + k * window_.axes[last].dilation);
      size_t i = last;
      for (; i-- > 0;) {
        // Where there are more taps, they lie inside the input.
        const int64_t step = taps_[i] > 1 ? window_.axes[i].dilation * strides_[i] : 0;
        base += step;
        if (++at[i] < taps_[i]) break;
        base -= taps_[i] * step;
        at[i] = 0;
        if (i == 0) return;
      }
      if (last == 0) return;
    }
  }

 private:
  void set(const std::array<int64_t, kMaxSpatialRank>& output) {
    inside_ = padded_ = 1;
    for (size_t i = 0; i < window_.axes.size(); ++i) {
      const Window::Axis& axis = window_.axes[i];
      const int64_t start = output[i] * axis.stride - axis.pad;
      const auto taps_below = [&](int64_t end) {
        return end <= start ? 0 : std::min(axis.kernel, (end - start - 1) / axis.dilation + 1);
      };
      const int64_t skipped = taps_below(0);
      taps_[i] = std::max<int64_t>(0, taps_below(axis.input) - skipped);
      first_[i] = start + skipped * axis.dilation;
      inside_ *= taps_[i];
      padded_ *= taps_below(axis.input + axis.pad_end);
    }
  }

  const Window& window_;
  std::array<int64_t, kMaxSpatialRank> strides_{}, first_{}, taps_{};
  int64_t inside_ = 0, padded_ = 0;
};

// The place of a plane's element when its axes are stored in reverse order.
int64_t column_major_index(const Window& window, int64_t offset) {
  int64_t index = 0;
  int64_t size = window.input_size();
  for (size_t i = window.axes.size(); i-- > 0;) {
    size /= window.axes[i].input;
    index += offset % window.axes[i].input * size;
    offset /= window.axes[i].input;
  }
  return index;
}

// NaN is larger than any number. Indices count in the whole of X.
template <typename T>
void max_plane(const State& state, const RunContext& context, int64_t plane) {
  using Limits = std::numeric_limits<T>;
  const int64_t size = state.window.input_size();
  const T* x = context.input<T>(0) + plane * size;
  const int64_t outputs = state.window.output_size();
  T* y = context.output<T>(0) + plane * outputs;
  int64_t* indices = state.indices ? context.output<int64_t>(1) + plane * outputs : nullptr;
  Taps taps(state.window);
  taps.for_outputs([&](int64_t o) {
    T largest = Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
    int64_t place = -1;
    taps.for_each([&](int64_t offset) {
      const T value = x[offset];
      if (place < 0 || value > largest || (value != value && largest == largest)) {
        largest = value;
        place = offset;
      }
    });
    y[o] = largest;
    if (indices == nullptr) return;
    place = std::max<int64_t>(place, 0);
    indices[o] =
        plane * size + (state.column_major ? column_major_index(state.window, place) : place);
  });
}

template <typename T>
void average_plane(const State& state, const RunContext& context, int64_t plane) {
  const T* x = context.input<T>(0) + plane * state.window.input_size();
  T* y = context.output<T>(0) + plane * state.window.output_size();
  Taps taps(state.window);
  taps.for_outputs([&](int64_t o) {
    double sum = 0;
    taps.for_each([&](int64_t offset) { sum += x[offset]; });
    const int64_t count = state.count_include_pad ? taps.padded() : taps.inside();
    y[o] = count > 0 ? static_cast<T>(sum / static_cast<double>(count)) : T(0);
  });
}

template <typename T>
void lp_plane(const State& state, const RunContext& context, int64_t plane) {
  const T* x = context.input<T>(0) + plane * state.window.input_size();
  T* y = context.output<T>(0) + plane * state.window.output_size();
  const double p = static_cast<double>(state.p);
  Taps taps(state.window);
  taps.for_outputs([&](int64_t o) {
    double sum = 0;
    taps.for_each([&](int64_t offset) { sum += std::pow(std::abs(double{x[offset]}), p); });
    y[o] = static_cast<T>(std::pow(sum, 1 / p));
  });
}

// Float32 rows without indices: each tap works on a run of outputs.
void max_rows(const State& state, const RunContext& context, int64_t plane) {
  const float* x = context.input<float>(0) + plane * state.window.input_size();
  float* y = context.output<float>(0) + plane * state.window.output_size();
  const Window::Axis& last = state.window.axes.back();
  const int64_t rows = row_count(state.window);
  for (int64_t row = 0; row < rows; ++row, y += last.output) {
    std::fill_n(y, last.output, -std::numeric_limits<float>::infinity());
    for_row_taps(state.window, row, [&](int64_t, int64_t offset, Range range) {
      simd_window().max(x + offset + range.first * last.stride, last.stride, y + range.first,
                        range.last - range.first);
    });
  }
}

void average_rows(const State& state, const RunContext& context, int64_t plane) {
  const float* x = context.input<float>(0) + plane * state.window.input_size();
  float* const y = context.output<float>(0) + plane * state.window.output_size();
  const Window::Axis& last = state.window.axes.back();
  const int64_t rows = row_count(state.window);
  for (int64_t row = 0; row < rows; ++row) {
    float* to = y + row * last.output;
    std::fill_n(to, last.output, 0.0f);
    for_row_taps(state.window, row, [&](int64_t, int64_t offset, Range range) {
      simd_window().multiply_add(x + offset + range.first * last.stride, last.stride, 1,
                                 to + range.first, range.last - range.first);
    });
  }
  Taps taps(state.window);
  taps.for_outputs([&](int64_t o) {
    const int64_t count = state.count_include_pad ? taps.padded() : taps.inside();
    if (count > 0) y[o] /= static_cast<float>(count);
  });
}

// Rows pay off where they are longer than a few outputs. They visit every tap, which is too much
// for a window that reaches far beyond the input.
bool has_long_rows(const Window& window) {
  return window.axes.back().output >= 4 && window.kernel_size() <= window.input_size();
}

void run(const KernelState* kernel_state, const RunContext& context) {
  const State& state = *static_cast<const State*>(kernel_state);
  const int64_t outputs = state.window.output_size();
  if (outputs == 0) return;
  // A window may be far larger than the input that it covers.
  const int64_t taps = std::min(state.window.kernel_size(), state.window.input_size());
  const int64_t cost = checked_mul(outputs, taps).value_or(kSmall);
  for_range(context, state.planes, cost, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) state.plane(state, context, i);
  });
}

std::unique_ptr<State> make_state(const NodeFacts& node) {
  auto state = std::make_unique<State>();
  const Shape& x = node.input(0).shape;
  state->planes = x[0] * x[1];
  return state;
}

std::unique_ptr<State> windowed_state(const NodeFacts& node) {
  auto state = make_state(node);
  state->window = Window::forward(node, node.attributes->get_ints("kernel_shape"));
  return state;
}

std::unique_ptr<State> global_state(const NodeFacts& node) {
  auto state = make_state(node);
  const Shape& x = node.input(0).shape;
  // The spatial axes as one, which the window covers.
  const int64_t size = numel_of(std::span(x).subspan(2));
  state->window.axes.push_back({size, 1, size, 1, 1, 0, 0});
  return state;
}

std::unique_ptr<KernelState> prepare_max(const NodeFacts& node, Prepare&) {
  auto state = windowed_state(node);
  state->indices = node.has_output(1);
  state->column_major = node.attributes->get_int("storage_order") != 0;
  state->plane = visit(node.input(0).dtype, TypeList<float, double, int8_t, uint8_t>(),
                       []<typename T>() { return max_plane<T>; });
  if (node.input(0).dtype == float32 && !state->indices && has_long_rows(state->window)) {
    state->plane = max_rows;
  }
  return state;
}

std::unique_ptr<KernelState> prepare_average(const NodeFacts& node, Prepare&) {
  auto state = windowed_state(node);
  state->count_include_pad = node.attributes->get_int("count_include_pad") != 0;
  state->plane =
      visit(node.input(0).dtype, RealTypes(), []<typename T>() { return average_plane<T>; });
  if (node.input(0).dtype == float32 && has_long_rows(state->window)) {
    state->plane = average_rows;
  }
  return state;
}

std::unique_ptr<KernelState> prepare_lp(const NodeFacts& node, Prepare&) {
  auto state = windowed_state(node);
  state->p = node.attributes->get_int("p");
  state->plane = visit(node.input(0).dtype, RealTypes(), []<typename T>() { return lp_plane<T>; });
  return state;
}

std::unique_ptr<KernelState> prepare_global_average(const NodeFacts& node, Prepare&) {
  auto state = global_state(node);
  state->plane =
      visit(node.input(0).dtype, RealTypes(), []<typename T>() { return average_plane<T>; });
  return state;
}

std::unique_ptr<KernelState> prepare_global_max(const NodeFacts& node, Prepare&) {
  auto state = global_state(node);
  state->plane = visit(node.input(0).dtype, RealTypes(), []<typename T>() { return max_plane<T>; });
  return state;
}

std::unique_ptr<KernelState> prepare_global_lp(const NodeFacts& node, Prepare&) {
  auto state = global_state(node);
  state->p = node.attributes->get_int("p");
  state->plane = visit(node.input(0).dtype, RealTypes(), []<typename T>() { return lp_plane<T>; });
  return state;
}

Support spatial_rank(const NodeFacts& node) {
  const TensorFacts& x = node.input(0);
  if (x.has_shape && x.rank() - 2 > kMaxSpatialRank) {
    return Support::no(ReasonCode::rank_or_layout,
                       "the input has " + std::to_string(x.rank() - 2) + " spatial axes");
  }
  return Support::yes();
}

template <PrepareFunction kPrepare>
constexpr std::array<Kernel, 2> pool(std::string_view op, TypeSet types = kReal) {
  return {
      Kernel{.op = op, .types = types, .prepare = kPrepare, .run = run, .supports = spatial_rank},
      low_float_row<kPrepare, run>(op, spatial_rank)};
}

constexpr auto kKernels =
    join(pool<prepare_average>("AveragePool"), pool<prepare_global_average>("GlobalAveragePool"),
         pool<prepare_global_lp>("GlobalLpPool"), pool<prepare_global_max>("GlobalMaxPool"),
         pool<prepare_lp>("LpPool"), pool<prepare_max>("MaxPool", kReal | TypeSet{int8, uint8}));

}  // namespace

KernelFamily nn_pool_kernels() { return kKernels; }

}  // namespace ferry::cpu
