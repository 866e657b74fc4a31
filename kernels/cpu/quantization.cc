// QuantizeLinear, DequantizeLinear (opset 25) and DynamicQuantizeLinear.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/convert.h"
#include "kernels/cpu/element.h"
#include "kernels/cpu/engine/loop.h"
#include "kernels/cpu/engine/quantize.h"
#include "kernels/cpu/engine/simd_reduce.h"
#include "kernels/cpu/families.h"

namespace ferry::cpu {
namespace {

// Which scale and zero point an element has: one for all, one for each position of an axis, or one
// for each block of positions.
struct Grid {
  int64_t inner = 1, axis = 1, block = 1, blocks = 1;

  Grid() = default;
  Grid(const NodeFacts& node) {
    const Shape& x = node.input(0).shape;
    const Shape& scale = node.input(1).shape;
    if (numel_of(scale) == 1) return;
    const AxisView view(x,
                        axis_of(node.attributes->get_int("axis"), static_cast<int64_t>(x.size())));
    inner = view.inner;
    axis = std::max<int64_t>(1, view.size);
    block = std::max<int64_t>(1, node.attributes->get_int("block_size"));
    blocked = scale.size() == x.size() && x.size() > 1;
    blocks = blocked ? axis / block + (axis % block != 0) : axis;
  }
  int64_t index(int64_t i) const {
    const int64_t position = i / inner % axis;
    if (!blocked) return axis == 1 ? 0 : position;
    return (i / (inner * axis) * blocks + position / block) * inner + i % inner;
  }

 private:
  bool blocked = false;
};

struct State : KernelState {
  DType x = DType::undefined, scale = DType::undefined, y = DType::undefined;
  DType zero_point = DType::undefined;
  bool has_zero_point = false;
  int64_t count = 0;
  Grid grid;
  ConvertOptions options;
};

std::unique_ptr<State> make_state(const NodeFacts& node) {
  auto state = std::make_unique<State>();
  state->x = node.input(0).dtype;
  state->scale = node.input(1).dtype;
  state->y = node.output(0).dtype;
  state->has_zero_point = node.has_input(2);
  if (state->has_zero_point) state->zero_point = node.input(2).dtype;
  state->count = numel_of(node.input(0).shape);
  state->grid = Grid(node);
  return state;
}

// Tiles begin at whole bytes of packed types.
template <typename F>
void for_elements(const State& state, const RunContext& context, F&& f) {
  constexpr int64_t kPacked = 4;
  for_range(context, (state.count + kPacked - 1) / kPacked, kPacked * 5,
            [&](int64_t begin, int64_t end) {
              const int64_t last = std::min(state.count, end * kPacked);
              for (int64_t i = begin * kPacked; i < last; ++i) f(i);
            });
}

std::unique_ptr<KernelState> prepare_quantize(const NodeFacts& node, Prepare&) {
  auto state = make_state(node);
  state->options.saturate = node.attributes->get_int("saturate") != 0;
  return state;
}

// y = saturate(round(x / scale) + zero point), halves to even; floating types round by themselves.
void run_quantize(const KernelState* kernel_state, const RunContext& context) {
  const State& state = *static_cast<const State*>(kernel_state);
  const bool floating = is_floating(state.y);
  const bool wide = state.x == float64 || state.scale == float64;
  for_elements(state, context, [&](int64_t i) {
    const int64_t g = state.grid.index(i);
    const double x = load_as_double(state.x, context.inputs[0], i);
    const double scale = load_as_double(state.scale, context.inputs[1], g);
    const double ratio = wide ? x / scale : static_cast<float>(x) / static_cast<float>(scale);
    const double zero =
        state.has_zero_point ? load_as_double(state.zero_point, context.inputs[2], g) : 0;
    if (floating) {
      store_from_double(state.y, context.outputs[0], i, ratio + zero, state.options);
    } else {
      store_from_double(state.y, context.outputs[0], i,
                        saturate_to(state.y, std::nearbyint(ratio) + zero));
    }
  });
}

std::unique_ptr<KernelState> prepare_dequantize(const NodeFacts& node, Prepare&) {
  return make_state(node);
}

// y = (x - zero point) * scale
void run_dequantize(const KernelState* kernel_state, const RunContext& context) {
  const State& state = *static_cast<const State*>(kernel_state);
  for_elements(state, context, [&](int64_t i) {
    const int64_t g = state.grid.index(i);
    double x = load_as_double(state.x, context.inputs[0], i);
    if (state.has_zero_point) x -= load_as_double(state.zero_point, context.inputs[2], g);
    store_from_double(state.y, context.outputs[0], i,
                      x * load_as_double(state.scale, context.inputs[1], g));
  });
}

// ---- DynamicQuantizeLinear ----------------------------------------------------------------------

std::unique_ptr<KernelState> prepare_dynamic(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<State>();
  state->count = numel_of(node.input(0).shape);
  return state;
}

// The range of x and 0, in 255 steps.
void run_dynamic(const KernelState* kernel_state, const RunContext& context) {
  const State& state = *static_cast<const State*>(kernel_state);
  const float* x = context.input<float>(0);
  float low = 0, high = 0;
  if (state.count > 0) {
    low = std::min(0.0f, simd_reduce().min(x, state.count));
    high = std::max(0.0f, simd_reduce().max(x, state.count));
  }
  const float scale = (high - low) / 255.0f;
  const double ratio = scale == 0 ? 0 : std::nearbyint(0.0f - low / scale);
  const float zero = static_cast<float>(saturate_to(uint8, ratio));
  *context.output<float>(1) = scale;
  *context.output<uint8_t>(2) = static_cast<uint8_t>(zero);
  uint8_t* y = context.output<uint8_t>(0);
  for_range(context, state.count, 2, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float steps = scale == 0 ? 0 : x[i] / scale;
      y[i] = static_cast<uint8_t>(saturate_to(uint8, double{std::nearbyint(steps) + zero}));
    }
  });
}

constexpr Kernel kKernels[] = {
    {.op = "DequantizeLinear",
     .types = kAnyType,
     .prepare = prepare_dequantize,
     .run = run_dequantize},
    {.op = "DynamicQuantizeLinear",
     .types = TypeSet{float32},
     .prepare = prepare_dynamic,
     .run = run_dynamic},
    {.op = "QuantizeLinear", .types = kAnyType, .prepare = prepare_quantize, .run = run_quantize},
};

}  // namespace

KernelFamily quantization_kernels() { return kKernels; }

}  // namespace ferry::cpu
