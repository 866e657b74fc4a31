// Elementwise operators of one input: a scalar definition per operator, float32 on vectors where it
// matters.
#include <cmath>
#include <concepts>
#include <limits>

#include "kernels/cpu/element.h"
#include "kernels/cpu/engine/loop.h"
#include "kernels/cpu/engine/simd_map.h"
#include "kernels/cpu/engine/through_float.h"
#include "kernels/cpu/families.h"
#include "kernels/cpu/tables.h"
#include "kernels/cpu/unary_operators.h"
#include "kernels/scalar.h"

namespace ferry::cpu {
namespace {

using SignedTypes = TypeList<float, double, int8_t, int16_t, int32_t, int64_t>;

// Integers wrap, as ONNX's reference does.
template <typename T>
T negate(T x) {
  if constexpr (std::integral<T>) {
    return static_cast<T>(std::make_unsigned_t<T>(0) - static_cast<std::make_unsigned_t<T>>(x));
  } else {
    return -x;
  }
}

// ---- the operators ------------------------------------------------------------------------------

struct Abs : Unary {
  using Types = NumericTypes;
  static constexpr SimdMap kSimd = SimdMap::abs;
  template <typename T>
  static T apply(T x, const float*) {
    if constexpr (std::floating_point<T>) return std::abs(x);
    return x < T(0) ? negate(x) : x;
  }
};

struct Neg : Unary {
  using Types = SignedTypes;
  static constexpr SimdMap kSimd = SimdMap::neg;
  template <typename T>
  static T apply(T x, const float*) {
    return negate(x);
  }
};

struct Sqrt : Unary {
  static constexpr SimdMap kSimd = SimdMap::sqrt;
  template <typename T>
  static T apply(T x, const float*) {
    return std::sqrt(x);
  }
};

struct Reciprocal : Unary {
  static constexpr SimdMap kSimd = SimdMap::reciprocal;
  template <typename T>
  static T apply(T x, const float*) {
    return T(1) / x;
  }
};

struct Exp : Unary {
  static constexpr SimdMap kSimd = SimdMap::exp;
  template <typename T>
  static T apply(T x, const float*) {
    return std::exp(x);
  }
};

// Defined for integers too: computed as double, truncated.
struct Erf : Unary {
  using Types = NumericTypes;
  static constexpr SimdMap kSimd = SimdMap::erf;
  template <typename T>
  static T apply(T x, const float*) {
    return static_cast<T>(std::erf(static_cast<double>(x)));
  }
};

std::unique_ptr<KernelState> prepare_gelu(const NodeFacts& node, Prepare& prepare) {
  const bool approximate = node.attributes->get_string("approximate") == "tanh";
  return approximate ? prepare_unary<GeluTanh>(node, prepare) : prepare_unary<Gelu>(node, prepare);
}

constexpr std::array<Kernel, 2> gelu() {
  auto rows = unary<Gelu>("Gelu");
  rows[0].prepare = prepare_gelu;
  rows[1] = low_float_row<prepare_gelu, run_unary>("Gelu");
  return rows;
}

// Operators whose scalar definition is a function of <cmath>, about 5 ns an element.
template <auto kFloat, auto kDouble>
struct Cmath : Unary {
  static constexpr int64_t kCost = 5;
  static float apply(float x, const float*) { return kFloat(x); }
  static double apply(double x, const float*) { return kDouble(x); }
};
using Log = Cmath<::logf, static_cast<double (*)(double)>(::log)>;
using Sin = Cmath<::sinf, static_cast<double (*)(double)>(::sin)>;
using Cos = Cmath<::cosf, static_cast<double (*)(double)>(::cos)>;

// ---- Clip ---------------------------------------------------------------------------------------

struct ClipState : KernelState {
  ScalarInput low, high;
  void (*clip)(const ClipState&, const RunContext&, int64_t begin, int64_t end) = nullptr;
  int64_t count = 0;
};

template <typename T>
void clip_range(const ClipState& state, const RunContext& context, int64_t begin, int64_t end) {
  using Limits = std::numeric_limits<T>;
  constexpr T kLowest = Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
  constexpr T kHighest = Limits::has_infinity ? Limits::infinity() : Limits::max();
  const T* in = context.input<T>(0);
  T* out = context.output<T>(0);
  const T low = state.low.value(context, kLowest);
  const T high = state.high.value(context, kHighest);
  for (int64_t i = begin; i < end; ++i) out[i] = Clip::limit(in[i], low, high);
}

std::unique_ptr<KernelState> prepare_clip(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<ClipState>();
  state->low = ScalarInput(node, 1, "min");
  state->high = ScalarInput(node, 2, "max");
  state->count = numel_of(node.input(0).shape);
  state->clip =
      visit(node.input(0).dtype, NumericTypes(), []<typename T>() { return clip_range<T>; });
  return state;
}

void run_clip(const KernelState* kernel_state, const RunContext& context) {
  const ClipState& state = *static_cast<const ClipState*>(kernel_state);
  for_range(context, state.count, 1,
            [&](int64_t begin, int64_t end) { state.clip(state, context, begin, end); });
}

constexpr std::array<Kernel, 2> kClip{
    Kernel{.op = "Clip", .types = kDirect, .prepare = prepare_clip, .run = run_clip},
    low_float_row<prepare_clip, run_clip>("Clip")};

constexpr auto kKernels =
    join(unary<Abs>("Abs"), kClip, unary<Cos>("Cos"), unary<Erf>("Erf"), unary<Exp>("Exp"), gelu(),
         unary<LeakyRelu>("LeakyRelu"), unary<Log>("Log"), unary<Neg>("Neg"),
         unary<Reciprocal>("Reciprocal"), unary<Relu>("Relu"), unary<Sigmoid>("Sigmoid"),
         unary<Sin>("Sin"), unary<Sqrt>("Sqrt"), unary<Tanh>("Tanh"));

}  // namespace

KernelFamily math_unary_kernels() { return kKernels; }

}  // namespace ferry::cpu
