// ConstantOfShape and Range: elements made on the device from numbers on the host.
#include <cstring>

#include "kernels/cuda/arithmetic.h"
#include "kernels/cuda/element.h"
#include "kernels/cuda/families.h"
#include "kernels/cuda/map.h"
#include "kernels/cuda/unit.h"
#include "kernels/host_input.h"
#include "kernels/range.h"

namespace ferry::cuda {
namespace {

// ---- ConstantOfShape
// -----------------------------------------------------------------------------

template <typename T>
struct FillMap {
  T value;
  T* out;
  __device__ void operator()(uint32_t index) const { out[index] = value; }
};

struct FillState : KernelState {
  uint32_t count = 0;
  Tensor value;
};

std::unique_ptr<KernelState> prepare_fill(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<FillState>();
  state->count = map_count(node.output(0).shape);
  state->value = fill_value(node);
  return state;
}

void run_fill(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const FillState*>(kernel_state);
  visit_unit(state.value.dtype(), [&]<typename T>() {
    T value;
    std::memcpy(&value, state.value.data(), sizeof value);
    launch_map(context, state.count, FillMap<T>{value, context.output<T>(0)});
  });
}

Support fills_bytes(const NodeFacts& node) {
  const DType dtype = node.output(0).dtype;
  if (kByteTypes.contains(dtype)) return Support::yes();
  return Support::no(ReasonCode::dtype, "the value is " + std::string(to_string(dtype)));
}

// ---- Range: start + i * delta
// --------------------------------------------------------------------

using RangeTypes = TypeList<float, double, int16_t, int32_t, int64_t>;

template <typename T>
struct RangeMap {
  T start, delta;
  T* out;
  __device__ void operator()(uint32_t index) const {
    out[index] = Add::apply(start, Mul::apply(static_cast<T>(index), delta));
  }
};

struct RangeState : KernelState {
  RangeForm form;
  DType dtype = DType::undefined;
};

std::unique_ptr<KernelState> prepare_range(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<RangeState>();
  state->form = RangeForm(node);
  state->dtype = node.output(0).dtype;
  return state;
}

void run_range(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const RangeState*>(kernel_state);
  visit(state.dtype, RangeTypes(), [&]<typename T>() {
    const RangeForm& form = state.form;
    const T start = *form.start.pointer<T>(context), delta = *form.delta.pointer<T>(context);
    const uint32_t count = map_count({range_count(start, *form.limit.pointer<T>(context), delta)});
    launch_map(context, count,
               RangeMap<T>{start, delta, static_cast<T*>(form.output(context, count))});
  });
}

constexpr Kernel kKernels[] = {
    {.op = "ConstantOfShape",
     .types = kAnyType,
     .prepare = prepare_fill,
     .run = run_fill,
     .supports = all_of<countable, fills_bytes>,
     .host_inputs = {0}},
    {.op = "Range",
     .types = type_set(RangeTypes()),
     .prepare = prepare_range,
     .run = run_range,
     .host_inputs = {0, 1, 2},
     .late_outputs = {0}},
};

}  // namespace

KernelFamily generator_kernels() { return kKernels; }

}  // namespace ferry::cuda
