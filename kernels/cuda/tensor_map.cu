// Operators of the tensor family that work element by element: Cast, IsNaN, Where.
#include "kernels/cuda/arithmetic.h"
#include "kernels/cuda/cast.h"
#include "kernels/cuda/element.h"
#include "kernels/cuda/families.h"
#include "kernels/cuda/map.h"
#include "kernels/cuda/unit.h"
#include "kernels/cuda/walk.h"

namespace ferry::cuda {
namespace {

struct CountState : KernelState {
  explicit CountState(const NodeFacts& node)
      : count(map_count(node.input(0).shape)),
        from(node.input(0).dtype),
        to(node.output(0).dtype) {}
  uint32_t count;
  DType from, to;
};

std::unique_ptr<KernelState> prepare_count(const NodeFacts& node, Prepare&) {
  return std::make_unique<CountState>(node);
}

// ---- Cast: as core/convert.h says
// ------------------------------------------------------------------

using CastTypes = TypeList<float, double, __half, __nv_bfloat16, int8_t, int16_t, int32_t, int64_t,
                           uint8_t, uint16_t, uint32_t, uint64_t, bool>;

// One kernel a result type: the type of the source is read where it runs.
template <typename To>
struct CastMap {
  const void* in;
  DType from;
  To* out;

  __device__ void operator()(uint32_t index) const {
    with_element(in, from, index, [&](auto value) { out[index] = cast<To>(value); });
  }
};

void run_cast(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const CountState*>(kernel_state);
  visit(state.to, CastTypes(), [&]<typename To>() {
    launch_map(context, state.count,
               CastMap<To>{context.inputs[0], state.from, context.output<To>(0)});
  });
}

Support casts_to(const NodeFacts& node) {
  const DType to = node.output(0).dtype;
  if (type_set(CastTypes()).contains(to)) return Support::yes();
  return Support::no(ReasonCode::dtype, "the cast is to " + std::string(to_string(to)));
}

// ---- IsNaN
// ---------------------------------------------------------------------------------------

template <typename T>
struct IsNaNMap {
  const T* in;
  bool* out;
  __device__ void operator()(uint32_t index) const {
    const auto value = static_cast<Compute<T>>(in[index]);
    out[index] = value != value;
  }
};

void run_is_nan(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const CountState*>(kernel_state);
  visit(state.from, FloatTypes(), [&]<typename T>() {
    launch_map(context, state.count, IsNaNMap<T>{context.input<T>(0), context.output<bool>(0)});
  });
}

// ---- Where
// ---------------------------------------------------------------------------------------

template <typename T>
struct WhereMap {
  Walk<3> walk;
  const uint8_t* condition;  // any byte may come
  const T* x;
  const T* y;
  T* out;

  __device__ void operator()(uint32_t index) const {
    int64_t at[3];
    walk.offsets(index, at);
    out[index] = condition[at[0]] != 0 ? x[at[1]] : y[at[2]];
  }
};

struct WhereState : KernelState {
  Walk<3> walk;
  DType dtype = DType::undefined;
};

std::unique_ptr<KernelState> prepare_where(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<WhereState>();
  state->walk = broadcast_walk<3>(node);
  state->dtype = node.input(1).dtype;
  return state;
}

void run_where(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const WhereState*>(kernel_state);
  visit_unit(state.dtype, [&]<typename T>() {
    launch_map(context, state.walk.count,
               WhereMap<T>{state.walk, context.input<uint8_t>(0), context.input<T>(1),
                           context.input<T>(2), context.output<T>(0)});
  });
}

Support selects_bytes(const NodeFacts& node) {
  const DType dtype = node.input(1).dtype;
  if (kByteTypes.contains(dtype)) return Support::yes();
  return Support::no(dtype == DType::string ? ReasonCode::string_type : ReasonCode::dtype,
                     "input 1 is " + std::string(to_string(dtype)));
}

constexpr Kernel kKernels[] = {
    {.op = "Cast",
     .types = type_set(CastTypes()),
     .prepare = prepare_count,
     .run = run_cast,
     .supports = all_of<countable, casts_to>},
    {.op = "IsNaN",
     .types = kFloatTypes,
     .prepare = prepare_count,
     .run = run_is_nan,
     .supports = countable},
    {.op = "Where",
     .types = kBool,
     .prepare = prepare_where,
     .run = run_where,
     .supports = all_of<selects_bytes, walkable<3>>},
};

}  // namespace

KernelFamily tensor_map_kernels() { return kKernels; }

}  // namespace ferry::cuda
