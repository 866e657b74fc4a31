#include "kernels/cpu/engine/gemm_narrow.h"

#include <algorithm>

#include "kernels/cpu/engine/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/engine/gemm_narrow.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace ferry::cpu {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// Rows of C that are worked on together, rows of B that are added to them in one pass, columns of B
// that are multiplied side by side.
inline constexpr int kRowsAtOnce = 4;
inline constexpr int kDepthAtOnce = 8;
inline constexpr int kColumnsAtOnce = 4;

// kRows rows of C += their part of A * kDepth rows of B.
template <typename T, int kRows, int kDepth>
void add_rows(int64_t columns, const T* HWY_RESTRICT a, const T* HWY_RESTRICT b, int64_t b_stride,
              T* HWY_RESTRICT c, int64_t c_stride) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  V factors[kRows][kDepth];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (int k = 0; k < kDepth; ++k) factors[r][k] = hn::Set(d, a[r * kNarrowDepth + k]);
  }
  int64_t j = 0;
  for (; j + lanes <= columns; j += lanes) {
    V sums[kRows];
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) sums[r] = hn::LoadU(d, c + r * c_stride + j);
#pragma GCC unroll 16
    for (int k = 0; k < kDepth; ++k) {
      const V row = hn::LoadU(d, b + k * b_stride + j);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) sums[r] = hn::MulAdd(factors[r][k], row, sums[r]);
    }
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) hn::StoreU(sums[r], d, c + r * c_stride + j);
  }
  for (; j < columns; ++j) {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      T sum = c[r * c_stride + j];
#pragma GCC unroll 16
      for (int k = 0; k < kDepth; ++k) sum += a[r * kNarrowDepth + k] * b[k * b_stride + j];
      c[r * c_stride + j] = sum;
    }
  }
}

// Calls f.template operator()<rows>(first) for groups of rows that cover [0, rows).
template <typename F>
void for_row_groups(int64_t rows, F&& f) {
  int64_t first = 0;
  for (; first + kRowsAtOnce <= rows; first += kRowsAtOnce) f.template operator()<4>(first);
  switch (rows - first) {
    case 3:
      return f.template operator()<3>(first);
    case 2:
      return f.template operator()<2>(first);
    case 1:
      return f.template operator()<1>(first);
    default:
      return;
  }
}

template <typename T>
void rows_of_b(int64_t rows, int64_t columns, int64_t depth, const T* a, const T* b,
               int64_t b_stride, T* c, int64_t c_stride) {
  int64_t k = 0;
  for (; k + kDepthAtOnce <= depth; k += kDepthAtOnce) {
    for_row_groups(rows, [&]<int kRows>(int64_t first) {
      add_rows<T, kRows, kDepthAtOnce>(columns, a + first * kNarrowDepth + k, b + k * b_stride,
                                       b_stride, c + first * c_stride, c_stride);
    });
  }
  for (; k < depth; ++k) {
    for_row_groups(rows, [&]<int kRows>(int64_t first) {
      add_rows<T, kRows, 1>(columns, a + first * kNarrowDepth + k, b + k * b_stride, b_stride,
                            c + first * c_stride, c_stride);
    });
  }
}

// C[kRows][kColumns] += A's rows times B's columns.
template <typename T, int kRows, int kColumns>
void add_dots(int64_t depth, const T* HWY_RESTRICT a, const T* HWY_RESTRICT b, int64_t b_stride,
              T* HWY_RESTRICT c, int64_t c_stride) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  V sums[kRows][kColumns];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (int j = 0; j < kColumns; ++j) sums[r][j] = hn::Zero(d);
  }
  int64_t k = 0;
  for (; k + lanes <= depth; k += lanes) {
    V columns[kColumns];
#pragma GCC unroll 16
    for (int j = 0; j < kColumns; ++j) columns[j] = hn::LoadU(d, b + j * b_stride + k);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const V row = hn::LoadU(d, a + r * kNarrowDepth + k);
#pragma GCC unroll 16
      for (int j = 0; j < kColumns; ++j) sums[r][j] = hn::MulAdd(row, columns[j], sums[r][j]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (int j = 0; j < kColumns; ++j) {
      T sum = hn::GetLane(hn::SumOfLanes(d, sums[r][j]));
      for (int64_t i = k; i < depth; ++i) sum += a[r * kNarrowDepth + i] * b[j * b_stride + i];
      c[r * c_stride + j] += sum;
    }
  }
}

template <typename T>
void columns_of_b(int64_t rows, int64_t columns, int64_t depth, const T* a, const T* b,
                  int64_t b_stride, T* c, int64_t c_stride) {
  int64_t j = 0;
  for (; j + kColumnsAtOnce <= columns; j += kColumnsAtOnce) {
    for_row_groups(rows, [&]<int kRows>(int64_t first) {
      add_dots<T, kRows, kColumnsAtOnce>(depth, a + first * kNarrowDepth, b + j * b_stride,
                                         b_stride, c + first * c_stride + j, c_stride);
    });
  }
  for (; j < columns; ++j) {
    for_row_groups(rows, [&]<int kRows>(int64_t first) {
      add_dots<T, kRows, 1>(depth, a + first * kNarrowDepth, b + j * b_stride, b_stride,
                            c + first * c_stride + j, c_stride);
    });
  }
}

GemmNarrow<float> make_float() { return {rows_of_b<float>, columns_of_b<float>}; }
GemmNarrow<double> make_double() { return {rows_of_b<double>, columns_of_b<double>}; }

}  // namespace
// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace ferry::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ferry::cpu {

HWY_EXPORT(make_float);
HWY_EXPORT(make_double);

template <>
const GemmNarrow<float>& gemm_narrow() {
  static const GemmNarrow<float> narrow = HWY_DYNAMIC_DISPATCH(make_float)();
  return narrow;
}
template <>
const GemmNarrow<double>& gemm_narrow() {
  static const GemmNarrow<double> narrow = HWY_DYNAMIC_DISPATCH(make_double)();
  return narrow;
}

}  // namespace ferry::cpu
#endif
