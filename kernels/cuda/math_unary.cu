// Elementwise operators of one input.
#include "kernels/cuda/arithmetic.h"
#include "kernels/cuda/element.h"
#include "kernels/cuda/families.h"
#include "kernels/cuda/map.h"
#include "kernels/cuda/unary_operators.h"
#include "kernels/scalar.h"

namespace ferry::cuda {
namespace {

// ---- the operators that only kernels of their own need: see unary_operators.h
// --------------------------------------------------------------------------

struct Neg : OnSigned {
  template <typename T>
  __device__ T apply(T x) const {
    if constexpr (std::is_integral_v<T>) return Sub::apply(T(0), x);  // the lowest value wraps
    return -x;
  }
};
struct Abs : OnNumbers {
  template <typename T>
  __device__ T apply(T x) const {
    if constexpr (std::is_floating_point_v<T>) return fabs(x);
    return x < T(0) ? Sub::apply(T(0), x) : x;
  }
};
struct Sqrt : OnFloats {
  template <typename T>
  __device__ T apply(T x) const {
    return sqrt(x);
  }
};
struct Reciprocal : OnFloats {
  template <typename T>
  __device__ T apply(T x) const {
    return T(1) / x;
  }
};
struct Exp : OnFloats {
  template <typename T>
  __device__ T apply(T x) const {
    return exp(x);
  }
};
struct Log : OnFloats {
  template <typename T>
  __device__ T apply(T x) const {
    return log(x);
  }
};
struct Sin : OnFloats {
  template <typename T>
  __device__ T apply(T x) const {
    return sin(x);
  }
};
struct Cos : OnFloats {
  template <typename T>
  __device__ T apply(T x) const {
    return cos(x);
  }
};
// Integers: computed as double, truncated.
struct Erf : OnNumbers {
  template <typename T>
  __device__ T apply(T x) const {
    if constexpr (std::is_floating_point_v<T>) return erf(x);
    return static_cast<T>(erf(static_cast<double>(x)));
  }
};
// 1 above the threshold, elsewhere and for NaN 0.
struct Binarizer {
  using Types = TypeList<float, double, __half, __nv_bfloat16, int32_t, int64_t>;
  float threshold = 0;
  static Binarizer from(const Attributes& attributes) {
    return {attributes.get_float("threshold")};
  }
  template <typename T>
  __device__ T apply(T x) const {
    return static_cast<double>(x) > static_cast<double>(threshold) ? 1 : 0;
  }
};

// ---- one kernel for all of them
// ------------------------------------------------------------------

template <typename Op, typename T>
struct UnaryMap {
  Op op;
  const T* in;
  T* out;

  __device__ void operator()(uint32_t index) const {
    out[index] = static_cast<T>(op.apply(static_cast<Compute<T>>(in[index])));
  }
};

struct UnaryState : KernelState {
  explicit UnaryState(const NodeFacts& node)
      : count(map_count(node.input(0).shape)), dtype(node.input(0).dtype) {}
  uint32_t count;
  DType dtype;
};

template <typename Op>
struct OpState : UnaryState {
  OpState(const NodeFacts& node, const Op& op_) : UnaryState(node), op(op_) {}
  Op op;
};

template <typename Op>
std::unique_ptr<KernelState> prepare(const NodeFacts& node, Prepare&) {
  if constexpr (requires { Op::from(*node.attributes); }) {
    return std::make_unique<OpState<Op>>(node, Op::from(*node.attributes));
  } else {
    return std::make_unique<OpState<Op>>(node, Op());
  }
}

template <typename Op>
void run(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const OpState<Op>*>(kernel_state);
  visit(state.dtype, typename Op::Types(), [&]<typename T>() {
    launch_map(context, state.count,
               UnaryMap<Op, T>{state.op, context.input<T>(0), context.output<T>(0)});
  });
}

template <typename Op>
constexpr Kernel unary(std::string_view op) {
  return {.op = op,
          .types = type_set(typename Op::Types()),
          .prepare = prepare<Op>,
          .run = run<Op>,
          .supports = countable,
          .in_place = {0}};
}

template <typename Op>
constexpr Kernel gelu(Support (*supports)(const NodeFacts&)) {
  Kernel kernel = unary<Op>("Gelu");
  kernel.supports = supports;
  return kernel;
}

Support approximates(const NodeFacts& node, std::string_view wanted) {
  const std::string& approximate = node.attributes->get_string("approximate");
  if (approximate == wanted) return Support::yes();
  return Support::no(ReasonCode::attribute, "approximate is " + approximate);
}
Support exact(const NodeFacts& node) { return approximates(node, "none"); }
Support by_tanh(const NodeFacts& node) { return approximates(node, "tanh"); }

// ---- Clip: the limits are scalars on the device
// --------------------------------------------------

// min(max(x, low), high): NaN stays, and high wins where low exceeds it.
template <typename T>
struct ClipMap {
  const T* in;
  const T* low;  // nullptr: no limit
  const T* high;
  T* out;

  __device__ void operator()(uint32_t index) const {
    using C = Compute<T>;
    C x = static_cast<C>(in[index]);
    if (low && x < static_cast<C>(*low)) x = static_cast<C>(*low);
    if (high && static_cast<C>(*high) < x) x = static_cast<C>(*high);
    out[index] = static_cast<T>(x);
  }
};

struct ClipState : UnaryState {
  explicit ClipState(const NodeFacts& node)
      : UnaryState(node), low(node, 1, "min"), high(node, 2, "max") {}
  ScalarInput low, high;
};

std::unique_ptr<KernelState> prepare_clip(const NodeFacts& node, Prepare&) {
  return std::make_unique<ClipState>(node);
}

void run_clip(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const ClipState*>(kernel_state);
  visit(state.dtype, NumericTypes(), [&]<typename T>() {
    launch_map(context, state.count,
               ClipMap<T>{context.input<T>(0), state.low.pointer<T>(context),
                          state.high.pointer<T>(context), context.output<T>(0)});
  });
}

constexpr Kernel kKernels[] = {
    unary<Abs>("Abs"),
    unary<Binarizer>("ai.onnx.ml.Binarizer"),
    {.op = "Clip",
     .types = kNumericTypes,
     .prepare = prepare_clip,
     .run = run_clip,
     .supports = countable},
    unary<Cos>("Cos"),
    unary<Erf>("Erf"),
    unary<Exp>("Exp"),
    gelu<Gelu>(all_of<countable, exact>),
    gelu<GeluTanh>(all_of<countable, by_tanh>),
    unary<HardSigmoid>("HardSigmoid"),
    unary<HardSwish>("HardSwish"),
    unary<LeakyRelu>("LeakyRelu"),
    unary<Log>("Log"),
    unary<Neg>("Neg"),
    unary<Reciprocal>("Reciprocal"),
    unary<Relu>("Relu"),
    unary<Sigmoid>("Sigmoid"),
    unary<Sin>("Sin"),
    unary<Sqrt>("Sqrt"),
    unary<Swish>("Swish"),
    unary<Tanh>("Tanh"),
};

}  // namespace

KernelFamily math_unary_kernels() { return kKernels; }

}  // namespace ferry::cuda
