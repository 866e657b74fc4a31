// MaxPool, AveragePool, GlobalAveragePool, GlobalMaxPool: a thread for each element of the output.
#include <limits>

#include "kernels/cuda/element.h"
#include "kernels/cuda/families.h"
#include "kernels/cuda/map.h"
#include "kernels/cuda/window3.h"

namespace ferry::cuda {
namespace {

using MaxTypes = TypeList<float, double, __half, __nv_bfloat16, int8_t, uint8_t>;

struct State : KernelState {
  Window3 window;
  uint32_t count = 0;
  DType dtype = DType::undefined;
  bool indices = false, column_major = false, count_include_pad = false;
};

// Positions of one axis of a window, clipped to the input: [first, first + taps * dilation).
struct Taps {
  int64_t first, taps, padded;  // padded: the taps that count_include_pad counts

  __device__ Taps(const Window3::Axis& axis, int64_t output) {
    const int64_t start = output * axis.stride - axis.pad;
    const auto below = [&](int64_t end) -> int64_t {
      if (end <= start) return 0;
      const int64_t count = (end - start - 1) / axis.dilation + 1;
      return count < axis.kernel ? count : axis.kernel;
    };
    const int64_t skipped = below(0);
    const int64_t inside = below(axis.input) - skipped;
    taps = inside > 0 ? inside : 0;
    first = start + skipped * axis.dilation;
    padded = below(axis.padded);
  }
};

// f(offset in the plane) for every tap inside the input.
template <typename F>
__device__ void for_taps(const Window3& window, const Taps (&taps)[3], const F& f) {
  const auto& axes = window.axes;
  for (int64_t i = 0; i < taps[0].taps; ++i) {
    const int64_t x0 = taps[0].first + i * axes[0].dilation;
    for (int64_t j = 0; j < taps[1].taps; ++j) {
      const int64_t x1 = taps[1].first + j * axes[1].dilation;
      for (int64_t k = 0; k < taps[2].taps; ++k) {
        const int64_t x2 = taps[2].first + k * axes[2].dilation;
        f((x0 * axes[1].input + x1) * axes[2].input + x2);
      }
    }
  }
}

// ---- max: NaN is larger than any number; indices count in the whole of X
// ---------------------------

template <typename T>
struct MaxPoolMap {
  Window3 window;
  const T* x;
  T* y;
  int64_t* indices;  // or nullptr
  Compute<T> lowest;
  bool column_major;

  __device__ void operator()(uint32_t index) const {
    using C = Compute<T>;
    int64_t at[3];
    const int64_t plane = unravel3(index, window.outputs, at);
    const auto& axes = window.axes;
    const int64_t size = axes[0].input * axes[1].input * axes[2].input;
    const T* from = x + plane * size;
    const Taps taps[3] = {{axes[0], at[0]}, {axes[1], at[1]}, {axes[2], at[2]}};
    C largest = lowest;
    int64_t place = -1;
    for_taps(window, taps, [&](int64_t offset) {
      const C value = static_cast<C>(from[offset]);
      if (place < 0 || value > largest || (value != value && largest == largest)) {
        largest = value;
        place = offset;
      }
    });
    y[index] = static_cast<T>(largest);
    if (!indices) return;
    if (place < 0) place = 0;
    if (column_major) {
      const int64_t x2 = place % axes[2].input, rest = place / axes[2].input;
      const int64_t x1 = rest % axes[1].input, x0 = rest / axes[1].input;
      place = (x2 * axes[1].input + x1) * axes[0].input + x0;
    }
    indices[index] = plane * size + place;
  }
};

void run_max(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const State*>(kernel_state);
  visit(state.dtype, MaxTypes(), [&]<typename T>() {
    using Limits = std::numeric_limits<Compute<T>>;
    launch_map(context, state.count,
               MaxPoolMap<T>{state.window, context.input<T>(0), context.output<T>(0),
                             state.indices ? context.output<int64_t>(1) : nullptr,
                             Limits::has_infinity ? -Limits::infinity() : Limits::lowest(),
                             state.column_major});
  });
}

// ---- average
// -------------------------------------------------------------------------------------

template <typename T>
struct AveragePoolMap {
  Window3 window;
  const T* x;
  T* y;
  bool count_include_pad;

  __device__ void operator()(uint32_t index) const {
    using C = Compute<T>;
    int64_t at[3];
    const int64_t plane = unravel3(index, window.outputs, at);
    const auto& axes = window.axes;
    const T* from = x + plane * (axes[0].input * axes[1].input * axes[2].input);
    const Taps taps[3] = {{axes[0], at[0]}, {axes[1], at[1]}, {axes[2], at[2]}};
    C sum = C(0);
    for_taps(window, taps, [&](int64_t offset) { sum += static_cast<C>(from[offset]); });
    const int64_t count = count_include_pad ? taps[0].padded * taps[1].padded * taps[2].padded
                                            : taps[0].taps * taps[1].taps * taps[2].taps;
    y[index] = static_cast<T>(count > 0 ? sum / static_cast<C>(count) : C(0));
  }
};

void run_average(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const State*>(kernel_state);
  visit(state.dtype, FloatTypes(), [&]<typename T>() {
    launch_map(context, state.count,
               AveragePoolMap<T>{state.window, context.input<T>(0), context.output<T>(0),
                                 state.count_include_pad});
  });
}

// ---- preparation
// ---------------------------------------------------------------------------------

std::unique_ptr<State> make_state(const NodeFacts& node, const Window& window) {
  auto state = std::make_unique<State>();
  state->window = Window3(window);
  state->dtype = node.input(0).dtype;
  map_count(node.input(0).shape);
  state->count = map_count(node.output(0).shape);
  return state;
}

std::unique_ptr<State> windowed_state(const NodeFacts& node) {
  return make_state(node, Window::forward(node, node.attributes->get_ints("kernel_shape")));
}

std::unique_ptr<KernelState> prepare_max(const NodeFacts& node, Prepare&) {
  auto state = windowed_state(node);
  state->indices = node.has_output(1);
  state->column_major = node.attributes->get_int("storage_order") != 0;
  return state;
}

std::unique_ptr<KernelState> prepare_average(const NodeFacts& node, Prepare&) {
  auto state = windowed_state(node);
  state->count_include_pad = node.attributes->get_int("count_include_pad") != 0;
  return state;
}

// The spatial axes as one, which the window covers.
std::unique_ptr<KernelState> prepare_global(const NodeFacts& node, Prepare&) {
  const int64_t size = numel_of(std::span(node.input(0).shape).subspan(2));
  Window window;
  window.axes.push_back({size, 1, size, 1, 1, 0, 0});
  return make_state(node, window);
}

constexpr Kernel kKernels[] = {
    {.op = "AveragePool",
     .types = kFloatTypes,
     .prepare = prepare_average,
     .run = run_average,
     .supports = all_of<countable, within_three_axes>},
    {.op = "GlobalAveragePool",
     .types = kFloatTypes,
     .prepare = prepare_global,
     .run = run_average,
     .supports = countable},
    {.op = "GlobalMaxPool",
     .types = kFloatTypes,
     .prepare = prepare_global,
     .run = run_max,
     .supports = countable},
    {.op = "MaxPool",
     .types = type_set(MaxTypes()),
     .prepare = prepare_max,
     .run = run_max,
     .supports = all_of<countable, within_three_axes>},
};

}  // namespace

KernelFamily nn_pool_kernels() { return kKernels; }

}  // namespace ferry::cuda
