#pragma once

#include <cstdint>

namespace ferry::cpu {

// The inner loop of a matrix product for one instruction set: adds alpha * A * B to `rows` rows and
// `columns` columns of C. `a` is [depth][panel_rows], `b` has panel_columns elements every
// `b_stride`; with `next_b`, that memory is fetched ahead while this panel is worked on.
template <typename T>
struct GemmMicro {
  using Function = void (*)(int64_t depth, const T* a, const T* b, int64_t b_stride,
                            const T* next_b, T alpha, T* c, int64_t c_stride, int64_t columns);
  int64_t panel_rows = 0, panel_columns = 0;
  Function by_rows[13] = {};  // by_rows[r] computes r rows, 1 <= r <= panel_rows
};

// For this machine.
template <typename T>
const GemmMicro<T>& gemm_micro();

}  // namespace ferry::cpu
