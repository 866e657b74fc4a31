// ConstantOfShape and Range.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/convert.h"
#include "kernels/cpu/element.h"
#include "kernels/cpu/engine/loop.h"
#include "kernels/cpu/families.h"
#include "kernels/range.h"
#include "kernels/scalar.h"

namespace ferry::cpu {
namespace {

// ---- ConstantOfShape ----------------------------------------------------------------------------

struct FillState : KernelState {
  Tensor value;
  int64_t count = 0;
  void (*fill)(const Tensor& value, void* output, int64_t count) = nullptr;
};

template <typename T>
void fill(const Tensor& value, void* output, int64_t count) {
  std::fill_n(static_cast<T*>(output), count, *static_cast<const T*>(value.data()));
}

// Packed types: the value's bits repeated over a byte.
void fill_packed(const Tensor& value, void* output, int64_t count) {
  const int bits = dtype_bits(value.dtype());
  const unsigned one = static_cast<const uint8_t*>(value.data())[0] & ((1u << bits) - 1);
  unsigned byte = 0;
  for (int shift = 0; shift < 8; shift += bits) byte |= one << shift;
  std::memset(output, static_cast<int>(byte), dtype_bytes(value.dtype(), count));
}

std::unique_ptr<KernelState> prepare_fill(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<FillState>();
  state->value = fill_value(node);
  state->count = numel_of(node.output(0).shape);
  const DType dtype = state->value.dtype();
  if (dtype != DType::string && dtype_bits(dtype) < 8) {
    state->fill = fill_packed;
  } else {
    state->fill = visit_unit(dtype, []<typename T>() { return fill<T>; });
  }
  return state;
}

void run_fill(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const FillState*>(kernel_state);
  state.fill(state.value, context.outputs[0], state.count);
}

// ---- Range --------------------------------------------------------------------------------------

struct RangeState : KernelState {
  RangeForm form;
  void (*run)(const RangeState&, const RunContext&) = nullptr;
};

template <typename T>
void run_range(const RangeState& state, const RunContext& context) {
  const T start = *state.form.start.pointer<T>(context);
  const T delta = *state.form.delta.pointer<T>(context);
  const int64_t count = range_count(start, *state.form.limit.pointer<T>(context), delta);
  T* out = static_cast<T*>(state.form.output(context, count));
  for (int64_t i = 0; i < count; ++i) {
    if constexpr (std::is_floating_point_v<T>) {
      out[i] = start + static_cast<T>(i) * delta;
    } else {
      out[i] = static_cast<T>(static_cast<uint64_t>(start) +
                              static_cast<uint64_t>(i) * static_cast<uint64_t>(delta));
    }
  }
}

// float16 and bfloat16 count and step in float.
template <DType kDType>
void run_low_range(const RangeState& state, const RunContext& context) {
  const auto read = [&](const ScalarInput& input) {
    return static_cast<float>(input.as_double(context, 0));
  };
  const float start = read(state.form.start), delta = read(state.form.delta);
  const int64_t count = range_count(start, read(state.form.limit), delta);
  void* out = state.form.output(context, count);
  for (int64_t i = 0; i < count; ++i) {
    store_from_double(kDType, out, i, start + static_cast<float>(i) * delta);
  }
}

std::unique_ptr<KernelState> prepare_range(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<RangeState>();
  state->form = RangeForm(node);
  const DType dtype = node.input(0).dtype;
  if (dtype == float16) {
    state->run = run_low_range<float16>;
  } else if (dtype == bfloat16) {
    state->run = run_low_range<bfloat16>;
  } else {
    state->run = visit(dtype, TypeList<float, double, int16_t, int32_t, int64_t>(),
                       []<typename T>() { return run_range<T>; });
  }
  return state;
}

void run_range_kernel(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const RangeState*>(kernel_state);
  state.run(state, context);
}

constexpr Kernel kKernels[] = {
    {.op = "ConstantOfShape",
     .types = TypeSet{int64},
     .prepare = prepare_fill,
     .run = run_fill,
     .host_inputs = {0}},
    {.op = "Range",
     .types = kFloatTypes | TypeSet{int16, int32, int64},
     .prepare = prepare_range,
     .run = run_range_kernel,
     .host_inputs = {0, 1, 2},
     .late_outputs = {0}},
};

}  // namespace

KernelFamily generator_kernels() { return kKernels; }

}  // namespace ferry::cpu
