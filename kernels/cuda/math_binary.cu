// Elementwise arithmetic of two or more inputs that broadcast.
#include <vector>

#include "kernels/cuda/arithmetic.h"
#include "kernels/cuda/cast.h"
#include "kernels/cuda/element.h"
#include "kernels/cuda/families.h"
#include "kernels/cuda/map.h"
#include "kernels/cuda/walk.h"

namespace ferry::cuda {
namespace {

using PowTypes = TypeList<float, double, __half, __nv_bfloat16, int32_t, int64_t>;

template <typename Op, typename T>
struct BinaryMap {
  Walk<2> walk;
  const T* a;
  const T* b;
  T* out;
  FaultReporter faults;

  __device__ void operator()(uint32_t index) const {
    int64_t at[2];
    walk.offsets(index, at);
    using C = Compute<T>;
    out[index] =
        static_cast<T>(Op::apply(static_cast<C>(a[at[0]]), static_cast<C>(b[at[1]]), faults));
  }
};

using Launch = void (*)(const RunContext& context, const Walk<2>& walk, const void* a,
                        const void* b, void* out);

template <typename Op, typename T>
void launch_binary(const RunContext& context, const Walk<2>& walk, const void* a, const void* b,
                   void* out) {
  launch_map(context, walk.count,
             BinaryMap<Op, T>{walk, static_cast<const T*>(a), static_cast<const T*>(b),
                              static_cast<T*>(out), reporter_of(context)});
}

// Folds any number of inputs into the output, two at a time.
struct BinaryState : KernelState {
  Launch launch = nullptr;
  size_t inputs = 0;
  std::vector<Walk<2>>
      steps;  // step 0: inputs 0 and 1 (or 0 and 0); step i: output and input i + 1
};

std::vector<Walk<2>> fold_steps(const NodeFacts& node) {
  const Shape& output = node.output(0).shape;
  const Shape& second = node.inputs.size() > 1 ? node.input(1).shape : node.input(0).shape;
  std::vector<Walk<2>> steps{broadcast_walk<2>(output, {&node.input(0).shape, &second})};
  for (size_t i = 2; i < node.inputs.size(); ++i) {
    steps.push_back(broadcast_walk<2>(output, {&output, &node.inputs[i].shape}));
  }
  return steps;
}

Support folds(const NodeFacts& node) {
  const Support support = countable(node);
  return support.ok ? within_axes(node, kMaxAxes, [&] { fold_steps(node); }) : support;
}

template <typename Op>
std::unique_ptr<KernelState> prepare(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<BinaryState>();
  state->launch = visit(node.input(0).dtype, NumericTypes(),
                        []<typename T>() -> Launch { return launch_binary<Op, T>; });
  state->inputs = node.inputs.size();
  state->steps = fold_steps(node);
  return state;
}

void run(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const BinaryState*>(kernel_state);
  state.launch(context, state.steps[0], context.inputs[0], context.inputs[1], context.outputs[0]);
}

void run_variadic(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const BinaryState*>(kernel_state);
  void* out = context.outputs[0];
  // A single input is folded with itself: Max and Min of a value with itself are that value.
  const bool single = state.inputs == 1;
  state.launch(context, state.steps[0], context.inputs[0], context.inputs[single ? 0 : 1], out);
  for (size_t i = 1; i < state.steps.size(); ++i) {
    state.launch(context, state.steps[i], out, context.inputs[i + 1], out);
  }
}

Support two_inputs(const NodeFacts& node) {
  if (node.inputs.size() == 2) return Support::yes();
  return Support::no(ReasonCode::attribute,
                     std::to_string(node.inputs.size()) + " inputs instead of two");
}

// ---- Pow: the exponent has a type of its own
// -----------------------------------------------------

template <typename T, typename Work>
struct PowMap {
  Walk<2> walk;
  const T* base;
  const void* exponent;
  T* out;
  DType exponent_dtype;
  FaultReporter faults;

  __device__ void operator()(uint32_t index) const {
    int64_t at[2];
    walk.offsets(index, at);
    const Work power = Pow::apply(static_cast<Work>(static_cast<Compute<T>>(base[at[0]])),
                                  load_as<Work>(exponent, exponent_dtype, at[1]), faults);
    if constexpr (std::is_integral_v<T>) {
      out[index] = cast<T>(power);
    } else {
      out[index] = static_cast<T>(power);
    }
  }
};

struct PowState : KernelState {
  Walk<2> walk;
  DType base = DType::undefined, exponent = DType::undefined;
};

std::unique_ptr<KernelState> prepare_pow(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<PowState>();
  state->walk = broadcast_walk<2>(node);
  state->base = node.input(0).dtype;
  state->exponent = node.input(1).dtype;
  return state;
}

void run_pow(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const PowState*>(kernel_state);
  const auto launch_for = [&]<typename T, typename Work>() {
    launch_map(context, state.walk.count,
               PowMap<T, Work>{state.walk, context.input<T>(0), context.inputs[1],
                               context.output<T>(0), state.exponent, reporter_of(context)});
  };
  visit(state.base, PowTypes(), [&]<typename T>() {
    // An integer raised to a fraction goes through double.
    if (std::is_integral_v<T> && is_floating(state.exponent)) {
      launch_for.template operator()<T, double>();
    } else {
      launch_for.template operator()<T, Compute<T>>();
    }
  });
}

template <typename Op>
constexpr Kernel binary(std::string_view op) {
  return {.op = op,
          .types = kNumericTypes,
          .prepare = prepare<Op>,
          .run = run,
          .supports = folds,
          .in_place = {0, 1}};
}

template <typename Op>
constexpr Kernel two_of(std::string_view op) {
  Kernel kernel = binary<Op>(op);
  kernel.supports = all_of<two_inputs, folds>;
  return kernel;
}

template <typename Op>
constexpr Kernel any_number(std::string_view op) {
  return {.op = op,
          .types = kNumericTypes,
          .prepare = prepare<Op>,
          .run = run_variadic,
          .supports = folds};
}

constexpr Kernel kKernels[] = {
    binary<Add>("Add"),
    binary<Div>("Div"),
    two_of<Max>("Max"),
    any_number<Max>("Max"),
    two_of<Min>("Min"),
    any_number<Min>("Min"),
    binary<Mul>("Mul"),
    {.op = "Pow",
     .types = kFloatTypes | TypeSet{int32, int64},
     .prepare = prepare_pow,
     .run = run_pow,
     .supports = walkable<2>},
    binary<Sub>("Sub"),
};

}  // namespace

KernelFamily math_binary_kernels() { return kKernels; }

}  // namespace ferry::cuda
