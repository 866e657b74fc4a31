#pragma once

#include <cstdint>

// Elementwise float32 loops on vectors, compiled for several instruction sets.
namespace ferry::cpu {

// output[i] = f(input[i]); input and output may be the same memory. `parameters` are the operator's
// own numbers (LeakyRelu's alpha).
using MapFunction = void (*)(const void* input, void* output, int64_t count,
                             const float* parameters);

// output[i] = f(a[i * a_step], b[i * b_step]), steps 0 or 1; output may be a or b where its step
// is 1.
using RowFunction = void (*)(const void* a, const void* b, void* output, int64_t count, int a_step,
                             int b_step);

enum class SimdMap : uint8_t {
  abs,
  clip,
  exp,
  erf,
  gelu,
  gelu_tanh,
  hard_sigmoid,
  hard_swish,
  leaky_relu,
  neg,
  reciprocal,
  relu,
  sigmoid,
  sqrt,
  swish,
  tanh,
};
enum class SimdRow : uint8_t { add, sub, mul, div, max, min };

// For the best instruction set of this machine.
MapFunction simd_map(SimdMap op);
RowFunction simd_row(SimdRow op);

}  // namespace ferry::cpu
