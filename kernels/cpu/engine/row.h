#pragma once

#include "kernels/cpu/engine/broadcast.h"
#include "kernels/cpu/engine/simd_map.h"
#include "kernels/kernel.h"

// Elementwise operators of two inputs that broadcast: a function for one row, and the walk over the
// rows.
namespace ferry::cpu {

// A RowFunction from Op::apply(T, T) -> R.
template <typename Op, typename T, typename R>
void row(const void* a_data, const void* b_data, void* output, int64_t count, int a_step,
         int b_step) {
  const T* a = static_cast<const T*>(a_data);
  const T* b = static_cast<const T*>(b_data);
  R* out = static_cast<R*>(output);
  if (a_step == 1 && b_step == 1) {
    for (int64_t i = 0; i < count; ++i) out[i] = Op::apply(a[i], b[i]);
  } else if (a_step == 1) {
    const T scalar = *b;
    for (int64_t i = 0; i < count; ++i) out[i] = Op::apply(a[i], scalar);
  } else {
    const T scalar = *a;
    for (int64_t i = 0; i < count; ++i) out[i] = Op::apply(scalar, b[i * b_step]);
  }
}

struct RowState : KernelState {
  RowFunction function = nullptr;
  int64_t count = 0;                               // elements of the output
  int64_t cost = 1;                                // nanoseconds an element, roughly
  int a_bytes = 0, b_bytes = 0, output_bytes = 0;  // of one element
  bool single_row = false;
  Broadcast<2> walk;
};

// `input_dtype` is that of both inputs.
std::unique_ptr<RowState> make_row_state(const TensorFacts& output, DType input_dtype,
                                         const Shape& a, const Shape& b, RowFunction function,
                                         int64_t cost = 1);
void run_row(const RowState& state, const RunContext& context, const void* a, const void* b,
             void* output);

// For kernels that are nothing but one row function.
std::unique_ptr<KernelState> prepare_row(const NodeFacts& node, RowFunction function);
void run_row_kernel(const KernelState* state, const RunContext& context);

}  // namespace ferry::cpu
