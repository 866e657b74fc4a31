#pragma once

#include <cstdint>

namespace ferry::cpu {

// Products of few rows, as inference one sample at a time has them: bound by reading B, so B is
// read once, in the order in which it lies in memory, and never packed.
inline constexpr int64_t kNarrowRows = 12;
inline constexpr int64_t kNarrowDepth = 1024;

// Adds A * B to C for one instruction set. `a` is [rows][kNarrowDepth] of which `depth` count, `c`
// is [rows][c_stride] of which `columns` count; rows <= kNarrowRows, depth <= kNarrowDepth.
template <typename T>
struct GemmNarrow {
  using Function = void (*)(int64_t rows, int64_t columns, int64_t depth, const T* a, const T* b,
                            int64_t b_stride, T* c, int64_t c_stride);
  Function rows_of_b = nullptr;     // B[k][j] is b[k * b_stride + j]
  Function columns_of_b = nullptr;  // B[k][j] is b[j * b_stride + k]
};

// For this machine.
template <typename T>
const GemmNarrow<T>& gemm_narrow();

}  // namespace ferry::cpu
