// Elementwise arithmetic of two or more inputs that broadcast.
#include <cmath>
#include <concepts>
#include <limits>

#include "core/convert.h"
#include "kernels/cpu/element.h"
#include "kernels/cpu/engine/broadcast.h"
#include "kernels/cpu/engine/loop.h"
#include "kernels/cpu/engine/row.h"
#include "kernels/cpu/engine/simd_map.h"
#include "kernels/cpu/engine/through_float.h"
#include "kernels/cpu/families.h"
#include "kernels/cpu/tables.h"
#include "kernels/integer_pow.h"
#include "kernels/scratch.h"

namespace ferry::cpu {
namespace {

// ---- the operators ------------------------------------------------------------------------------

// Integers wrap: the arithmetic is that of the unsigned type.
template <typename T, typename F>
T wrapping(T a, T b, F f) {
  if constexpr (std::integral<T>) {
    // Widened, since narrow unsigned types promote to int.
    using Wide = uint64_t;
    return static_cast<T>(f(static_cast<Wide>(a), static_cast<Wide>(b)));
  } else {
    return f(a, b);
  }
}

struct Add {
  static constexpr SimdRow kSimd = SimdRow::add;
  template <typename T>
  static T apply(T a, T b) {
    return wrapping(a, b, std::plus<>());
  }
};
struct Sub {
  static constexpr SimdRow kSimd = SimdRow::sub;
  template <typename T>
  static T apply(T a, T b) {
    return wrapping(a, b, std::minus<>());
  }
};
struct Mul {
  static constexpr SimdRow kSimd = SimdRow::mul;
  template <typename T>
  static T apply(T a, T b) {
    return wrapping(a, b, std::multiplies<>());
  }
};
// Integers truncate; the lowest value over -1 wraps to itself.
struct Div {
  static constexpr SimdRow kSimd = SimdRow::div;
  template <typename T>
  static T apply(T a, T b) {
    if constexpr (std::integral<T>) {
      if (b == 0) throw Error(ErrorCode::runtime, "an integer is divided by zero");
      if constexpr (std::signed_integral<T>) {
        if (b == T(-1)) return wrapping(T(0), a, std::minus<>());
      }
    }
    return a / b;
  }
};
// NaN where either side is NaN.
struct Max {
  static constexpr SimdRow kSimd = SimdRow::max;
  template <typename T>
  static T apply(T a, T b) {
    return a > b || a != a ? a : b;
  }
};
struct Min {
  static constexpr SimdRow kSimd = SimdRow::min;
  template <typename T>
  static T apply(T a, T b) {
    return a < b || a != a ? a : b;
  }
};

// Integers: integer_pow.h.
struct Pow {
  template <typename T>
  static T apply(T base, T exponent) {
    if constexpr (std::floating_point<T>) {
      return exponent == T(2) ? base * base : std::pow(base, exponent);
    } else {
      if (exponent < 0 && base == 0) {
        throw Error(ErrorCode::runtime, "0 is raised to a negative power");
      }
      return integer_pow(base, exponent);
    }
  }
};

// The remainder with the dividend's sign, as C's fmod.
struct FMod {
  template <typename T>
  static T apply(T a, T b) {
    if constexpr (std::floating_point<T>) {
      return std::fmod(a, b);
    } else {
      if (b == 0) throw Error(ErrorCode::runtime, "an integer is divided by zero");
      if constexpr (std::signed_integral<T>) {
        if (b == T(-1)) return 0;
      }
      return static_cast<T>(a % b);
    }
  }
};
// The remainder with the divisor's sign, as Python's %.
struct Mod {
  template <typename T>
  static T apply(T a, T b) {
    const T remainder = FMod::apply(a, b);
    if constexpr (!std::unsigned_integral<T>) {
      if (remainder != T(0) && (remainder < T(0)) != (b < T(0))) {
        return static_cast<T>(remainder + b);
      }
    }
    return remainder;
  }
};

// X where it is not negative, slope * X elsewhere.
struct PRelu {
  template <typename T>
  static T apply(T x, T slope) {
    return x < T(0) ? Mul::apply(x, slope) : x;
  }
};

template <typename Op>
RowFunction row_of(DType dtype) {
  if constexpr (requires { Op::kSimd; }) {
    if (dtype == float32) return simd_row(Op::kSimd);
  }
  return visit(dtype, NumericTypes(), []<typename T>() -> RowFunction { return row<Op, T, T>; });
}

template <typename Op>
std::unique_ptr<KernelState> prepare_binary(const NodeFacts& node, Prepare&) {
  return prepare_row(node, row_of<Op>(node.input(0).dtype));
}

std::unique_ptr<KernelState> prepare_mod(const NodeFacts& node, Prepare& prepare) {
  return node.attributes->get_int("fmod") != 0 ? prepare_binary<FMod>(node, prepare)
                                               : prepare_binary<Mod>(node, prepare);
}

// Max, Min, Sum and Mean of any number of inputs: the output folds in one after the other.
struct VariadicState : KernelState {
  std::vector<std::unique_ptr<RowState>> steps;  // step i folds input i; step 0 copies input 0
  int64_t count = 0;
  void (*finish)(void* output, int64_t count, size_t inputs) = nullptr;
};

struct First {
  template <typename T>
  static T apply(T a, T) {
    return a;
  }
};

template <typename Op>
std::unique_ptr<KernelState> prepare_variadic(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<VariadicState>();
  const TensorFacts& output = node.output(0);
  const RowFunction copy = visit(output.dtype, NumericTypes(),
                                 []<typename T>() -> RowFunction { return row<First, T, T>; });
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const Shape& first = i == 0 ? node.input(0).shape : output.shape;
    const Shape& second = node.inputs[i].shape;
    state->steps.push_back(make_row_state(output, output.dtype, first, second,
                                          i == 0 ? copy : row_of<Op>(output.dtype)));
  }
  return state;
}

void run_variadic(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const VariadicState*>(kernel_state);
  void* output = context.outputs[0];
  for (size_t i = 0; i < state.steps.size(); ++i) {
    const void* first = i == 0 ? context.inputs[0] : output;
    run_row(*state.steps[i], context, first, context.inputs[i], output);
  }
  if (state.finish != nullptr) state.finish(output, state.count, state.steps.size());
}

template <typename T>
void divide(void* output, int64_t count, size_t inputs) {
  T* out = static_cast<T*>(output);
  for (int64_t i = 0; i < count; ++i) out[i] /= static_cast<T>(inputs);
}

std::unique_ptr<KernelState> prepare_mean(const NodeFacts& node, Prepare& prepare) {
  auto state = prepare_variadic<Add>(node, prepare);
  auto& mean = static_cast<VariadicState&>(*state);
  mean.count = numel_of(node.output(0).shape);
  mean.finish = visit(node.output(0).dtype, RealTypes(), []<typename T>() { return divide<T>; });
  return state;
}

// Each input is folded into the output.
Support folds(const NodeFacts& node) {
  const Shape& output = node.output(0).shape;
  return within_axes(node, Broadcast<2>::kMaxAxes, [&] {
    for (const TensorFacts& input : node.inputs) Broadcast<2>(output, {&output, &input.shape});
  });
}

Support two_inputs(const NodeFacts& node) {
  return node.inputs.size() == 2
             ? Support::yes()
             : Support::no(ReasonCode::attribute,
                           std::to_string(node.inputs.size()) + " inputs instead of two");
}

// The exponent may have another type than the base: it is converted to the base's type, or both go
// through double where an integer is raised to a fraction.
struct PowState : KernelState {
  std::unique_ptr<RowState> row;
  DType base = DType::undefined, exponent = DType::undefined, work = DType::undefined;
  int64_t base_count = 0, exponent_count = 0, output_count = 0;
  size_t base_offset = 0, exponent_offset = 0, output_offset = 0;
};

std::unique_ptr<KernelState> prepare_pow(const NodeFacts& node, Prepare& prepare) {
  auto state = std::make_unique<PowState>();
  state->base = node.input(0).dtype;
  state->exponent = node.input(1).dtype;
  const bool fraction = !is_floating(state->base) && is_floating(state->exponent);
  const bool widens = state->base == float16 || state->base == bfloat16;
  state->work = fraction ? float64 : (widens ? float32 : state->base);
  const TensorFacts& output = node.output(0);
  state->base_count = numel_of(node.input(0).shape);
  state->exponent_count = numel_of(node.input(1).shape);
  state->output_count = numel_of(output.shape);
  state->row = make_row_state(output, state->work, node.input(0).shape, node.input(1).shape,
                              visit(state->work, TypeList<float, double, int32_t, int64_t>(),
                                    []<typename T>() -> RowFunction { return row<Pow, T, T>; }),
                              20);
  ScratchLayout scratch;
  const auto reserve = [&](DType dtype, int64_t count) {
    return scratch.take(state->work, dtype == state->work ? 0 : count);
  };
  state->base_offset = reserve(state->base, state->base_count);
  state->exponent_offset = reserve(state->exponent, state->exponent_count);
  state->output_offset = reserve(state->base, state->output_count);
  prepare.set_workspace(scratch.bytes());
  return state;
}

void run_pow(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const PowState*>(kernel_state);
  auto* workspace = static_cast<std::byte*>(context.workspace);
  const auto converted = [&](int input, DType dtype, int64_t count, size_t offset) {
    if (dtype == state.work) return context.inputs[input];
    convert(dtype, context.inputs[input], state.work, workspace + offset, count);
    return static_cast<const void*>(workspace + offset);
  };
  const void* base = converted(0, state.base, state.base_count, state.base_offset);
  const void* exponent = converted(1, state.exponent, state.exponent_count, state.exponent_offset);
  const bool direct = state.base == state.work;
  void* output = direct ? context.outputs[0] : workspace + state.output_offset;
  run_row(*state.row, context, base, exponent, output);
  if (!direct) convert(state.work, output, state.base, context.outputs[0], state.output_count);
}

template <typename Op>
constexpr std::array<Kernel, 2> binary(std::string_view op) {
  Kernel direct{.op = op,
                .types = kDirect,
                .prepare = prepare_binary<Op>,
                .run = run_row_kernel,
                .supports = broadcastable<2>,
                .in_place = {0, 1}};
  Kernel low = low_float_row<prepare_binary<Op>, run_row_kernel>(op, broadcastable<2>);
  low.in_place = {0, 1};
  return {direct, low};
}

template <typename Op>
constexpr std::array<Kernel, 4> variadic(std::string_view op) {
  auto [direct, low] = binary<Op>(op);
  direct.supports = low.supports = all_of<two_inputs, broadcastable<2>>;
  return {direct, low,
          Kernel{.op = op,
                 .types = kDirect,
                 .prepare = prepare_variadic<Op>,
                 .run = run_variadic,
                 .supports = folds},
          low_float_row<prepare_variadic<Op>, run_variadic>(op, folds)};
}

constexpr std::array<Kernel, 2> kMod{
    Kernel{.op = "Mod",
           .types = kDirect,
           .prepare = prepare_mod,
           .run = run_row_kernel,
           .supports = broadcastable<2>,
           .in_place = {0, 1}},
    low_float_row<prepare_mod, run_row_kernel>("Mod", broadcastable<2>)};

constexpr std::array<Kernel, 2> kMean{Kernel{.op = "Mean",
                                             .types = kReal,
                                             .prepare = prepare_mean,
                                             .run = run_variadic,
                                             .supports = folds},
                                      low_float_row<prepare_mean, run_variadic>("Mean", folds)};

constexpr std::array<Kernel, 1> kPow{Kernel{.op = "Pow",
                                            .types = kFloatTypes | TypeSet{int32, int64},
                                            .prepare = prepare_pow,
                                            .run = run_pow,
                                            .supports = broadcastable<2>}};

constexpr auto kKernels = join(binary<Add>("Add"), binary<Div>("Div"), variadic<Max>("Max"), kMean,
                               variadic<Min>("Min"), kMod, binary<Mul>("Mul"), kPow,
                               binary<PRelu>("PRelu"), binary<Sub>("Sub"), variadic<Add>("Sum"));

}  // namespace

KernelFamily math_binary_kernels() { return kKernels; }

}  // namespace ferry::cpu
