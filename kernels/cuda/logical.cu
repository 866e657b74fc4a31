// Comparisons and logic, elementwise with broadcasting.
#include "kernels/cuda/element.h"
#include "kernels/cuda/families.h"
#include "kernels/cuda/map.h"
#include "kernels/cuda/walk.h"

namespace ferry::cuda {
namespace {

using BoolTypes = TypeList<bool>;
using EqualTypes = TypeList<float, double, __half, __nv_bfloat16, int8_t, int16_t, int32_t, int64_t,
                            uint8_t, uint16_t, uint32_t, uint64_t, bool>;

struct Equal {
  template <typename T>
  __device__ static bool apply(T a, T b) {
    return a == b;
  }
};
struct Greater {
  template <typename T>
  __device__ static bool apply(T a, T b) {
    return a > b;
  }
};
struct GreaterOrEqual {
  template <typename T>
  __device__ static bool apply(T a, T b) {
    return a >= b;
  }
};
struct Less {
  template <typename T>
  __device__ static bool apply(T a, T b) {
    return a < b;
  }
};
struct LessOrEqual {
  template <typename T>
  __device__ static bool apply(T a, T b) {
    return a <= b;
  }
};
struct And {
  __device__ static bool apply(bool a, bool b) { return a && b; }
};
struct Or {
  __device__ static bool apply(bool a, bool b) { return a || b; }
};
struct Xor {
  __device__ static bool apply(bool a, bool b) { return a != b; }
};

template <typename Op, typename T>
struct PredicateMap {
  Walk<2> walk;
  const T* a;
  const T* b;
  bool* out;

  __device__ void operator()(uint32_t index) const {
    int64_t at[2];
    walk.offsets(index, at);
    out[index] = Op::apply(static_cast<Compute<T>>(a[at[0]]), static_cast<Compute<T>>(b[at[1]]));
  }
};

struct State : KernelState {
  Walk<2> walk;
  DType dtype = DType::undefined;
};

std::unique_ptr<KernelState> prepare(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<State>();
  state->dtype = node.input(0).dtype;
  state->walk = broadcast_walk<2>(node);
  return state;
}

template <typename Op, typename Types>
void run(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const State*>(kernel_state);
  visit(state.dtype, Types(), [&]<typename T>() {
    launch_map(context, state.walk.count,
               PredicateMap<Op, T>{state.walk, context.input<T>(0), context.input<T>(1),
                                   context.output<bool>(0)});
  });
}

struct NotMap {
  const uint8_t* in;  // any byte may come
  bool* out;
  __device__ void operator()(uint32_t index) const { out[index] = in[index] == 0; }
};

struct NotState : KernelState {
  uint32_t count = 0;
};

std::unique_ptr<KernelState> prepare_not(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<NotState>();
  state->count = map_count(node.input(0).shape);
  return state;
}

void run_not(const KernelState* state, const RunContext& context) {
  launch_map(context, static_cast<const NotState*>(state)->count,
             NotMap{context.input<uint8_t>(0), context.output<bool>(0)});
}

template <typename Op, typename Types>
constexpr Kernel predicate(std::string_view op) {
  return {.op = op,
          .types = type_set(Types()),
          .prepare = prepare,
          .run = run<Op, Types>,
          .supports = walkable<2>};
}

constexpr Kernel kKernels[] = {
    predicate<And, BoolTypes>("And"),
    predicate<Equal, EqualTypes>("Equal"),
    predicate<Greater, NumericTypes>("Greater"),
    predicate<GreaterOrEqual, NumericTypes>("GreaterOrEqual"),
    predicate<Less, NumericTypes>("Less"),
    predicate<LessOrEqual, NumericTypes>("LessOrEqual"),
    {.op = "Not",
     .types = kBool,
     .prepare = prepare_not,
     .run = run_not,
     .supports = countable,
     .in_place = {0}},
    predicate<Or, BoolTypes>("Or"),
    predicate<Xor, BoolTypes>("Xor"),
};

}  // namespace

KernelFamily logical_kernels() { return kKernels; }

}  // namespace ferry::cuda
