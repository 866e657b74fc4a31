// Softmax, LogSoftmax and Hardmax along one axis.
#include <algorithm>
#include <cmath>

#include "kernels/cpu/element.h"
#include "kernels/cpu/engine/loop.h"
#include "kernels/cpu/engine/simd_map.h"
#include "kernels/cpu/engine/simd_softmax.h"
#include "kernels/cpu/engine/through_float.h"
#include "kernels/cpu/families.h"

namespace ferry::cpu {
namespace {

struct State : KernelState {
  AxisView view{Shape{1}, 0};
  SoftmaxRow row = nullptr;  // float32 rows that are contiguous
  MapFunction exp = nullptr;
  bool logarithm = false;
  void (*columns)(const State&, const RunContext&) = nullptr;
};

template <typename T>
void scalar_exp(const void* input, void* output, int64_t count, const float*) {
  const T* in = static_cast<const T*>(input);
  T* out = static_cast<T*>(output);
  for (int64_t i = 0; i < count; ++i) out[i] = std::exp(in[i]);
}

// Columns side by side, a block of them at a time: each step along the axis is a contiguous run.
template <typename T>
void run_columns(const State& state, const RunContext& context) {
  constexpr int64_t kBlock = 64;
  const auto [outer, size, inner] = state.view;
  const int64_t blocks = (inner + kBlock - 1) / kBlock;
  const auto run_block = [&](int64_t index) {
    const int64_t first = index % blocks * kBlock;
    const int64_t width = std::min(kBlock, inner - first);
    const int64_t base = index / blocks * size * inner + first;
    const T* in = context.input<T>(0) + base;
    T* out = context.output<T>(0) + base;
    T largest[kBlock];
    T sums[kBlock] = {};
    T scratch[kBlock];
    std::copy_n(in, width, largest);
    for (int64_t k = 1; k < size; ++k) {
      for (int64_t j = 0; j < width; ++j) largest[j] = std::max(largest[j], in[k * inner + j]);
    }
    for (int64_t k = 0; k < size; ++k) {
      const T* row = in + k * inner;
      T* shifted = state.logarithm ? scratch : out + k * inner;
      for (int64_t j = 0; j < width; ++j) shifted[j] = row[j] - largest[j];
      state.exp(shifted, shifted, width, nullptr);
      for (int64_t j = 0; j < width; ++j) sums[j] += shifted[j];
    }
    for (int64_t j = 0; j < width; ++j) {
      sums[j] = state.logarithm ? std::log(sums[j]) : T(1) / sums[j];
    }
    for (int64_t k = 0; k < size; ++k) {
      T* row = out + k * inner;
      for (int64_t j = 0; j < width; ++j) {
        row[j] = state.logarithm ? in[k * inner + j] - largest[j] - sums[j] : row[j] * sums[j];
      }
    }
  };
  for_range(context, outer * blocks, size * std::min(kBlock, inner) * 2,
            [&](int64_t begin, int64_t end) {
              for (int64_t i = begin; i < end; ++i) run_block(i);
            });
}

template <bool kLogarithm>
std::unique_ptr<KernelState> prepare(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<State>();
  const Shape& shape = node.input(0).shape;
  if (!shape.empty()) {
    const int64_t rank = static_cast<int64_t>(shape.size());
    state->view = AxisView(shape, axis_of(node.attributes->get_int("axis"), rank));
  }
  state->logarithm = kLogarithm;
  if (node.input(0).dtype == float32) {
    state->exp = simd_map(SimdMap::exp);
    state->columns = run_columns<float>;
    if (state->view.inner == 1)
      state->row = kLogarithm ? simd_log_softmax_row() : simd_softmax_row();
  } else {
    state->exp = scalar_exp<double>;
    state->columns = run_columns<double>;
  }
  return state;
}

void run(const KernelState* kernel_state, const RunContext& context) {
  const State& state = *static_cast<const State*>(kernel_state);
  const auto [outer, size, inner] = state.view;
  if (outer * size * inner == 0) return;
  if (state.row == nullptr) return state.columns(state, context);
  const float* in = context.input<float>(0);
  float* out = context.output<float>(0);
  for_range(context, outer, size, [&, n = size](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) state.row(in + i * n, out + i * n, n);
  });
}

// ---- Hardmax ------------------------------------------------------------------------------------

struct HardmaxState : KernelState {
  AxisView view{Shape{1}, 0};
  void (*run)(const AxisView&, const RunContext&) = nullptr;
};

// 1 where the axis has its first largest element, 0 elsewhere.
template <typename T>
void run_hardmax(const AxisView& view, const RunContext& context) {
  const T* in = context.input<T>(0);
  T* out = context.output<T>(0);
  for (int64_t i = 0; i < view.outer * view.inner; ++i) {
    const int64_t base = i / view.inner * view.size * view.inner + i % view.inner;
    int64_t best = 0;
    for (int64_t k = 1; k < view.size; ++k) {
      if (in[base + k * view.inner] > in[base + best * view.inner]) best = k;
    }
    for (int64_t k = 0; k < view.size; ++k) out[base + k * view.inner] = k == best ? T(1) : T(0);
  }
}

std::unique_ptr<KernelState> prepare_hardmax(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<HardmaxState>();
  const Shape& shape = node.input(0).shape;
  if (!shape.empty()) {
    state->view = AxisView(
        shape, axis_of(node.attributes->get_int("axis"), static_cast<int64_t>(shape.size())));
  }
  state->run = visit(node.input(0).dtype, RealTypes(), []<typename T>() { return run_hardmax<T>; });
  return state;
}

void run_hardmax_kernel(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const HardmaxState*>(kernel_state);
  state.run(state.view, context);
}

constexpr Kernel kKernels[] = {
    {.op = "Hardmax", .types = kReal, .prepare = prepare_hardmax, .run = run_hardmax_kernel},
    low_float_row<prepare_hardmax, run_hardmax_kernel>("Hardmax"),
    {.op = "LogSoftmax", .types = kReal, .prepare = prepare<true>, .run = run},
    low_float_row<prepare<true>, run>("LogSoftmax"),
    {.op = "Softmax", .types = kReal, .prepare = prepare<false>, .run = run},
    low_float_row<prepare<false>, run>("Softmax"),
};

}  // namespace

KernelFamily math_softmax_kernels() { return kKernels; }

}  // namespace ferry::cpu
