// ReduceMax, ReduceMean, ReduceMin, ReduceSum.
#include <algorithm>
#include <limits>

#include "devices/cuda/launch.h"
#include "kernels/axis.h"
#include "kernels/cuda/block_reduce.h"
#include "kernels/cuda/cast.h"
#include "kernels/cuda/element.h"
#include "kernels/cuda/families.h"
#include "kernels/cuda/map.h"
#include "kernels/cuda/walk.h"
#include "kernels/host_input.h"

namespace ferry::cuda {
namespace {

using SumTypes =
    TypeList<float, double, __half, __nv_bfloat16, int32_t, int64_t, uint32_t, uint64_t>;
using ExtremeTypes = TypeList<float, double, __half, __nv_bfloat16, int32_t, int64_t, uint32_t,
                              uint64_t, int8_t, uint8_t, bool>;

// ---- the operators: how terms are combined, what no term gives, and what the total becomes
// ---------

struct Sum {
  using Types = SumTypes;
  using Combine = Add;
  template <typename C>
  using Total = C;  // what terms of C are combined in
  template <typename C>
  static constexpr C identity() {
    return C(0);
  }
  template <typename C>
  __device__ static C finish(C total, int64_t) {
    return total;
  }
};
// Of integers in double, truncated.
struct Mean : Sum {
  template <typename C>
  using Total = std::conditional_t<std::is_integral_v<C>, double, C>;
  template <typename C>
  __device__ static C finish(Total<C> total, int64_t count) {
    const Total<C> mean = total / static_cast<Total<C>>(count);
    if constexpr (std::is_integral_v<C>) {
      return integer_from<C>(mean);
    } else {
      return mean;
    }
  }
};
struct Largest {
  using Types = ExtremeTypes;
  template <typename C>
  using Total = C;
  using Combine = Max;
  template <typename C>
  static constexpr C identity() {
    using Limits = std::numeric_limits<C>;
    return Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
  }
  template <typename C>
  __device__ static C finish(C total, int64_t) {
    return total;
  }
};
struct Smallest : Largest {
  using Combine = Min;
  template <typename C>
  static constexpr C identity() {
    using Limits = std::numeric_limits<C>;
    return Limits::has_infinity ? Limits::infinity() : Limits::max();
  }
};

// ---- two kernels: a block, or a thread, for each element of the output
// -----------------------------

template <typename Op, typename T>
using TotalOf = typename Op::template Total<Compute<T>>;

template <typename T>
struct ReduceArguments {
  Walk<1> kept;     // from the output's elements to the first term of each
  Walk<1> reduced;  // from a first term to the others
  const T* in;
  T* out;
};

template <typename Op, typename T>
__global__ void reduce_block_kernel(ReduceArguments<T> p, TotalOf<Op, T> identity) {
  using C = Compute<T>;
  using Total = TotalOf<Op, T>;
  int64_t first[1], term[1];
  p.kept.offsets(blockIdx.x, first);
  Total total = identity;
  for (uint32_t i = threadIdx.x; i < p.reduced.count; i += blockDim.x) {
    p.reduced.offsets(i, term);
    total = Op::Combine::apply(total, static_cast<Total>(static_cast<C>(p.in[first[0] + term[0]])));
  }
  total = block_reduce<typename Op::Combine>(total, identity);
  if (threadIdx.x == 0) {
    p.out[blockIdx.x] = static_cast<T>(Op::template finish<C>(total, p.reduced.count));
  }
}

template <typename Op, typename T>
struct ReduceMap {
  ReduceArguments<T> p;
  TotalOf<Op, T> identity;

  __device__ void operator()(uint32_t index) const {
    using C = Compute<T>;
    using Total = TotalOf<Op, T>;
    int64_t first[1], term[1];
    p.kept.offsets(index, first);
    Total total = identity;
    for (uint32_t i = 0; i < p.reduced.count; ++i) {
      p.reduced.offsets(i, term);
      total =
          Op::Combine::apply(total, static_cast<Total>(static_cast<C>(p.in[first[0] + term[0]])));
    }
    p.out[index] = static_cast<T>(Op::template finish<C>(total, p.reduced.count));
  }
};

struct Plan {
  Walk<1> kept, reduced;
  bool by_threads = false;
};

struct State : KernelState {
  DType dtype = DType::undefined;
  Plan plan;
};

Plan plan_for(const NodeFacts& node) {
  const Shape& shape = node.input(0).shape;
  const std::vector<int64_t> axes = host_ints(node, 1);
  const bool all = axes.empty() && node.attributes->get_int("noop_with_empty_axes") == 0;
  std::vector<bool> reduce(shape.size(), all);
  for (const int64_t axis : axes) {
    reduce[host_axis(axis, static_cast<int64_t>(shape.size()))] = true;
  }
  const Shape strides = contiguous_strides(shape);
  Shape sizes[2], steps[2];  // of the kept axes and the reduced ones
  for (size_t i = 0; i < shape.size(); ++i) {
    sizes[reduce[i]].push_back(shape[i]);
    steps[reduce[i]].push_back(strides[i]);
  }
  Plan plan{make_walk<1>(sizes[0], {steps[0]}), make_walk<1>(sizes[1], {steps[1]})};
  // Neighbouring threads read neighbouring terms either way: along the reduced axes with a block,
  // across the kept ones with a thread.
  const bool kept_is_inner = plan.kept.axes > 0 && plan.kept.strides[0][0] == 1;
  plan.by_threads = plan.reduced.count <= 32 || (kept_is_inner && plan.kept.count >= 1024);
  return plan;
}

Support reducible(const NodeFacts& node) {
  const Support support = countable(node);
  return support.ok ? within_axes(node, kMaxAxes, [&] { plan_for(node); }) : support;
}

std::unique_ptr<KernelState> prepare(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<State>();
  state->dtype = node.input(0).dtype;
  state->plan = plan_for(node);
  return state;
}

template <typename Op>
void run(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const State*>(kernel_state);
  const Plan& plan = state.plan;
  if (plan.kept.count == 0) return;
  visit(state.dtype, typename Op::Types(), [&]<typename T>() {
    const ReduceArguments<T> arguments{plan.kept, plan.reduced, context.input<T>(0),
                                       context.output<T>(0)};
    constexpr auto kIdentity = Op::template identity<TotalOf<Op, T>>();
    if (plan.by_threads) {
      launch_map(context, plan.kept.count, ReduceMap<Op, T>{arguments, kIdentity});
    } else {
      check(
          launch<reduce_block_kernel<Op, T>>(plan.kept.count, reduce_threads(plan.reduced.count), 0,
                                             stream_of(context).activate(), arguments, kIdentity),
          "launch a kernel");
    }
  });
}

template <typename Op>
constexpr Kernel reduction(std::string_view op) {
  return {.op = op,
          .types = type_set(typename Op::Types()),
          .prepare = prepare,
          .run = run<Op>,
          .supports = reducible,
          .host_inputs = {1}};
}

constexpr Kernel kKernels[] = {
    reduction<Largest>("ReduceMax"),
    reduction<Mean>("ReduceMean"),
    reduction<Smallest>("ReduceMin"),
    reduction<Sum>("ReduceSum"),
};

}  // namespace

KernelFamily reduction_kernels() { return kKernels; }

}  // namespace ferry::cuda
