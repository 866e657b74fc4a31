// Reductions over any axes, and ArgMax and ArgMin along one.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/cpu/element.h"
#include "kernels/cpu/engine/loop.h"
#include "kernels/cpu/engine/simd_reduce.h"
#include "kernels/cpu/engine/through_float.h"
#include "kernels/cpu/families.h"
#include "kernels/cpu/tables.h"
#include "kernels/host_input.h"
#include "kernels/limits.h"

namespace ferry::cpu {
namespace {

// ---- the walk -----------------------------------------------------------------------------------

struct Axis {
  int64_t size, stride;
};

// Steps an offset through axes, outermost first, at most kMaxAxes of them.
inline constexpr size_t kMaxAxes = 32;
class Odometer {
 public:
  Odometer(const std::vector<Axis>& axes, int64_t start) : axes_(axes) {
    for (size_t i = axes.size(); i-- > 0;) {
      index_[i] = start % axes[i].size;
      start /= axes[i].size;
      offset_ += index_[i] * axes[i].stride;
    }
  }
  int64_t offset() const { return offset_; }
  void next() {
    for (size_t i = axes_.size(); i-- > 0;) {
      offset_ += axes_[i].stride;
      if (++index_[i] < axes_[i].size) return;
      offset_ -= axes_[i].size * axes_[i].stride;
      index_[i] = 0;
    }
  }

 private:
  const std::vector<Axis>& axes_;
  std::array<int64_t, kMaxAxes> index_;
  int64_t offset_ = 0;
};

// The input's axes, merged where neighbours are both kept or both reduced. The innermost one is a
// run of contiguous elements, which is either reduced (`by_rows`) or kept.
struct Plan {
  std::vector<Axis> kept, reduced;  // without the innermost one
  int64_t run = 1;
  bool by_rows = true;
  int64_t kept_count = 1, reduced_count = 1;  // of `kept` and `reduced`
  int64_t inputs_per_output = 1;
};

Plan make_plan(const Shape& shape, const std::vector<bool>& is_reduced) {
  Plan plan;
  if (numel_of(shape) == 0) {
    // Nothing is walked: each output, if there is one, is made of no input.
    Shape kept;
    for (size_t i = 0; i < shape.size(); ++i) {
      if (!is_reduced[i]) kept.push_back(shape[i]);
    }
    plan.kept_count = numel_of(kept);
    plan.inputs_per_output = 0;
    return plan;
  }
  struct Merged {
    int64_t size, stride;
    bool reduced;
  };
  std::vector<Merged> merged;  // innermost first
  int64_t stride = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] != 1) {
      if (!merged.empty() && merged.back().reduced == is_reduced[i]) {
        merged.back().size *= shape[i];
      } else {
        merged.push_back({shape[i], stride, is_reduced[i]});
      }
    }
    stride *= shape[i];
  }
  if (!merged.empty()) {
    plan.run = merged.front().size;
    plan.by_rows = merged.front().reduced;
    if (plan.by_rows) plan.inputs_per_output = plan.run;
  }
  for (size_t i = merged.size(); i-- > 1;) {
    const Axis axis{merged[i].size, merged[i].stride};
    (merged[i].reduced ? plan.reduced : plan.kept).push_back(axis);
    (merged[i].reduced ? plan.reduced_count : plan.kept_count) *= axis.size;
  }
  plan.inputs_per_output *= plan.reduced_count;
  if (merged.size() > kMaxAxes) {
    throw Error(ErrorCode::unsupported, "a reduction walks " + std::to_string(merged.size()) +
                                            " axes that do not merge, expected at most " +
                                            std::to_string(kMaxAxes));
  }
  return plan;
}

// ---- the operators: init(), step(sum, x), finish(sum, count) ------------------------------------

template <typename T>
using Wide = std::conditional_t<std::is_floating_point_v<T>, double, T>;

template <typename T>
Wide<T> add(Wide<T> a, Wide<T> b) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  } else {
    return a + b;
  }
}
template <typename T>
Wide<T> multiply(Wide<T> a, Wide<T> b) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
  } else {
    return a * b;
  }
}

template <typename T>
struct Sum {
  using Value = Wide<T>;
  static Value init() { return 0; }
  static void step(Value& sum, T x) { sum = add<T>(sum, x); }
  static T finish(Value sum, int64_t) { return static_cast<T>(sum); }
};
template <typename T>
struct Mean {
  using Value = double;
  static Value init() { return 0; }
  static void step(Value& sum, T x) { sum += static_cast<double>(x); }
  static T finish(Value sum, int64_t count) {
    if (std::is_integral_v<T> && count == 0) return 0;
    return from_double<T>(sum / static_cast<double>(count));
  }
};
template <typename T>
struct Prod {
  using Value = Wide<T>;
  static Value init() { return 1; }
  static void step(Value& product, T x) { product = multiply<T>(product, x); }
  static T finish(Value product, int64_t) { return static_cast<T>(product); }
};
template <typename T>
struct SumSquare {
  using Value = Wide<T>;
  static Value init() { return 0; }
  static void step(Value& sum, T x) { sum = add<T>(sum, multiply<T>(x, x)); }
  static T finish(Value sum, int64_t) { return static_cast<T>(sum); }
};
template <typename T>
struct L1 {
  using Value = Wide<T>;
  static Value init() { return 0; }
  static void step(Value& sum, T x) {
    if constexpr (std::is_floating_point_v<T>) {
      sum += std::abs(static_cast<double>(x));
    } else {
      sum = x < T(0) ? static_cast<T>(static_cast<uint64_t>(sum) - static_cast<uint64_t>(x))
                     : add<T>(sum, x);
    }
  }
  static T finish(Value sum, int64_t) { return static_cast<T>(sum); }
};
template <typename T>
struct L2 {
  using Value = double;
  static Value init() { return 0; }
  static void step(Value& sum, T x) { sum += static_cast<double>(x) * static_cast<double>(x); }
  static T finish(Value sum, int64_t) { return from_double<T>(std::sqrt(sum)); }
};
template <typename T>
T logarithm(double x) {
  const double result = std::log(x);
  if (std::is_integral_v<T> && !(result >= 0)) return 0;
  return from_double<T>(result);
}
template <typename T>
struct LogSum {
  using Value = double;
  static Value init() { return 0; }
  static void step(Value& sum, T x) { sum += static_cast<double>(x); }
  static T finish(Value sum, int64_t) { return logarithm<T>(sum); }
};
// log(sum(exp(x))) relative to the largest x so far, so that nothing overflows.
template <typename T>
struct LogSumExp {
  struct Value {
    double largest, sum;
  };
  static Value init() { return {-std::numeric_limits<double>::infinity(), 0}; }
  static void step(Value& value, T element) {
    const double x = static_cast<double>(element);
    if (x == value.largest) {
      value.sum += 1;
    } else if (x > value.largest) {
      value.sum = value.sum * std::exp(value.largest - x) + 1;
      value.largest = x;
    } else {
      value.sum += std::exp(x - value.largest);
    }
  }
  static T finish(const Value& value, int64_t) {
    const double result = value.sum == 0 ? value.largest : value.largest + std::log(value.sum);
    return from_double<T>(result);
  }
};
// NaN where there is one; of nothing, the type's extreme.
template <typename T>
struct Max {
  using Value = T;
  static Value init() {
    using Limits = std::numeric_limits<T>;
    return Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
  }
  static void step(Value& best, T x) { best = best > x || best != best ? best : x; }
  static T finish(Value best, int64_t) { return best; }
};
template <typename T>
struct Min {
  using Value = T;
  static Value init() {
    using Limits = std::numeric_limits<T>;
    return Limits::has_infinity ? Limits::infinity() : Limits::max();
  }
  static void step(Value& best, T x) { best = best < x || best != best ? best : x; }
  static T finish(Value best, int64_t) { return best; }
};

// Steps over a contiguous run; float32 on vectors where there is a way.
template <template <typename> typename Op, typename T>
void step_run(typename Op<T>::Value& value, const T* data, int64_t count) {
  if constexpr (std::is_same_v<T, float>) {
    if constexpr (std::is_same_v<Op<T>, Sum<T>> || std::is_same_v<Op<T>, Mean<T>> ||
                  std::is_same_v<Op<T>, LogSum<T>>) {
      value += simd_reduce().sum(data, count);
      return;
    } else if constexpr (std::is_same_v<Op<T>, Max<T>> || std::is_same_v<Op<T>, Min<T>>) {
      if (count == 0) return;
      constexpr bool kLargest = std::is_same_v<Op<T>, Max<T>>;
      Op<T>::step(value, (kLargest ? simd_reduce().max : simd_reduce().min)(data, count));
      return;
    }
  }
  for (int64_t i = 0; i < count; ++i) Op<T>::step(value, data[i]);
}

// ---- running ------------------------------------------------------------------------------------

struct State : KernelState {
  Plan plan;
  void (*run)(const Plan&, const RunContext&) = nullptr;
};

template <template <typename> typename Op, typename T>
void run_rows(const Plan& plan, const RunContext& context, int64_t begin, int64_t end) {
  const T* in = context.input<T>(0);
  T* out = context.output<T>(0);
  Odometer kept(plan.kept, begin);
  for (int64_t o = begin; o < end; ++o, kept.next()) {
    auto value = Op<T>::init();
    Odometer reduced(plan.reduced, 0);
    for (int64_t r = 0; r < plan.reduced_count; ++r, reduced.next()) {
      step_run<Op, T>(value, in + kept.offset() + reduced.offset(), plan.run);
    }
    out[o] = Op<T>::finish(value, plan.inputs_per_output);
  }
}

// A block of neighbouring outputs at a time, so that each step is a contiguous run.
inline constexpr int64_t kColumns = 64;
template <template <typename> typename Op, typename T>
void run_columns(const Plan& plan, const RunContext& context, int64_t begin, int64_t end) {
  const int64_t blocks = (plan.run + kColumns - 1) / kColumns;
  for (int64_t i = begin; i < end; ++i) {
    const Odometer kept(plan.kept, i / blocks);
    const int64_t first = i % blocks * kColumns;
    const int64_t width = std::min(kColumns, plan.run - first);
    const T* in = context.input<T>(0) + kept.offset() + first;
    T* out = context.output<T>(0) + i / blocks * plan.run + first;
    typename Op<T>::Value values[kColumns];
    std::fill_n(values, kColumns, Op<T>::init());
    Odometer reduced(plan.reduced, 0);
    for (int64_t r = 0; r < plan.reduced_count; ++r, reduced.next()) {
      const T* row = in + reduced.offset();
      for (int64_t j = 0; j < width; ++j) Op<T>::step(values[j], row[j]);
    }
    for (int64_t j = 0; j < width; ++j) {
      out[j] = Op<T>::finish(values[j], plan.inputs_per_output);
    }
  }
}

template <template <typename> typename Op, typename T>
void run_plan(const Plan& plan, const RunContext& context) {
  if (plan.inputs_per_output == 0) {
    // Nothing to step over, so the walk is not made.
    const int64_t outputs = plan.kept_count * (plan.by_rows ? 1 : plan.run);
    for (int64_t i = 0; i < outputs; ++i) {
      context.output<T>(0)[i] = Op<T>::finish(Op<T>::init(), 0);
    }
    return;
  }
  if (plan.by_rows) {
    return for_range(
        context, plan.kept_count, plan.inputs_per_output,
        [&](int64_t begin, int64_t end) { run_rows<Op, T>(plan, context, begin, end); });
  }
  const int64_t blocks = (plan.run + kColumns - 1) / kColumns;
  for_range(context, plan.kept_count * blocks, plan.reduced_count * std::min(kColumns, plan.run),
            [&](int64_t begin, int64_t end) { run_columns<Op, T>(plan, context, begin, end); });
}

Plan plan_for(const NodeFacts& node) {
  const Shape& shape = node.input(0).shape;
  const std::vector<int64_t> axes = host_ints(node, 1);
  const bool all = axes.empty() && node.attributes->get_int("noop_with_empty_axes") == 0;
  std::vector<bool> reduced(shape.size(), all);
  for (const int64_t axis : axes) {
    reduced[host_axis(axis, static_cast<int64_t>(shape.size()))] = true;
  }
  return make_plan(shape, reduced);
}

Support reducible(const NodeFacts& node) {
  return within_axes(node, kMaxAxes, [&] { plan_for(node); });
}

template <template <typename> typename Op, typename Types>
std::unique_ptr<KernelState> prepare(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<State>();
  state->plan = plan_for(node);
  state->run = visit(node.input(0).dtype, Types(), []<typename T>() { return run_plan<Op, T>; });
  return state;
}

void run(const KernelState* kernel_state, const RunContext& context) {
  const State& state = *static_cast<const State*>(kernel_state);
  state.run(state.plan, context);
}

template <template <typename> typename Op>
constexpr std::array<Kernel, 2> reduce(std::string_view op) {
  constexpr PrepareFunction kPrepare = prepare<Op, WideTypes>;
  return {Kernel{.op = op,
                 .types = kReal | TypeSet{int32, int64, uint32, uint64},
                 .prepare = kPrepare,
                 .run = run,
                 .supports = reducible,
                 .host_inputs = {1}},
          low_float_row<kPrepare, run>(op, reducible, {1})};
}

template <template <typename> typename Op>
constexpr std::array<Kernel, 2> extreme(std::string_view op) {
  using Types =
      TypeList<float, double, int32_t, int64_t, uint32_t, uint64_t, int8_t, uint8_t, bool>;
  constexpr PrepareFunction kPrepare = prepare<Op, Types>;
  auto rows = reduce<Op>(op);
  rows[0].prepare = kPrepare;
  rows[0].types = rows[0].types | TypeSet{int8, uint8, boolean};
  return rows;
}

// ---- ArgMax, ArgMin -----------------------------------------------------------------------------

struct ArgState : KernelState {
  AxisView view{Shape{1}, 0};
  bool last = false, largest = false;
  void (*run)(const ArgState&, const RunContext&) = nullptr;
};

template <typename T>
void run_arg(const ArgState& state, const RunContext& context) {
  const auto [outer, size, inner] = state.view;
  const T* in = context.input<T>(0);
  int64_t* out = context.output<int64_t>(0);
  for_range(context, outer * inner, size,
            [&, size = size, inner = inner](int64_t begin, int64_t end) {
              for (int64_t i = begin; i < end; ++i) {
                const T* column = in + i / inner * size * inner + i % inner;
                int64_t best = 0;
                for (int64_t k = 1; k < size; ++k) {
                  const T x = column[k * inner];
                  const T y = column[best * inner];
                  // A NaN is the extreme, as numpy has it.
                  const bool better = y == y && (x != x || (state.largest ? x > y : x < y));
                  if (better || (state.last && x == y)) best = k;
                }
                out[i] = best;
              }
            });
}

template <bool kLargest>
std::unique_ptr<KernelState> prepare_arg(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<ArgState>();
  const Shape& shape = node.input(0).shape;
  const int64_t rank = static_cast<int64_t>(shape.size());
  if (rank > 0) state->view = AxisView(shape, axis_of(node.attributes->get_int("axis"), rank));
  state->last = node.attributes->get_int("select_last_index") != 0;
  state->largest = kLargest;
  state->run = visit(node.input(0).dtype, NumericTypes(), []<typename T>() { return run_arg<T>; });
  return state;
}

void run_arg_kernel(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const ArgState*>(kernel_state);
  if (state.view.size == 0 && state.view.outer * state.view.inner > 0) {
    throw Error(ErrorCode::runtime, "the axis has no elements to choose from");
  }
  state.run(state, context);
}

template <bool kLargest>
constexpr std::array<Kernel, 2> arg(std::string_view op) {
  return {
      Kernel{.op = op, .types = kDirect, .prepare = prepare_arg<kLargest>, .run = run_arg_kernel},
      low_float_row<prepare_arg<kLargest>, run_arg_kernel>(op)};
}

constexpr auto kKernels = join(
    arg<true>("ArgMax"), arg<false>("ArgMin"), reduce<L1>("ReduceL1"), reduce<L2>("ReduceL2"),
    reduce<LogSum>("ReduceLogSum"), reduce<LogSumExp>("ReduceLogSumExp"), extreme<Max>("ReduceMax"),
    reduce<Mean>("ReduceMean"), extreme<Min>("ReduceMin"), reduce<Prod>("ReduceProd"),
    reduce<Sum>("ReduceSum"), reduce<SumSquare>("ReduceSumSquare"));

}  // namespace

KernelFamily reduction_kernels() { return kKernels; }

}  // namespace ferry::cpu
