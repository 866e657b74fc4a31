#include "kernels/cpu/engine/gemm_micro.h"

#include <utility>

#include "kernels/cpu/engine/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/engine/gemm_micro.cc"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace ferry::cpu {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// Two vectors of columns, and as many rows as the registers hold beside them.
inline constexpr int kVectors = 2;
inline constexpr int kPanelRows = HWY_TARGET <= HWY_AVX3 ? 12 : 6;

template <typename T, int kRows>
void micro(int64_t depth, const T* HWY_RESTRICT a, const T* HWY_RESTRICT b, int64_t b_stride,
           const T* next_b, T alpha, T* HWY_RESTRICT c, int64_t c_stride, int64_t columns) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  constexpr int64_t kLanes = hn::MaxLanes(hn::ScalableTag<T>());
  V sums[kRows][kVectors];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) sums[r][0] = sums[r][1] = hn::Zero(d);
  for (int64_t k = 0; k < depth; ++k) {
    const V b0 = hn::LoadU(d, b);
    const V b1 = hn::LoadU(d, b + kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const V scalar = hn::Set(d, a[r]);
      sums[r][0] = hn::MulAdd(scalar, b0, sums[r][0]);
      sums[r][1] = hn::MulAdd(scalar, b1, sums[r][1]);
    }
    if (next_b != nullptr) {
      hwy::Prefetch(next_b);
      if constexpr (kVectors * kLanes * sizeof(T) > 64) hwy::Prefetch(next_b + kLanes);
      next_b += kVectors * kLanes;
    }
    a += kPanelRows;
    b += b_stride;
  }
  const V scale = hn::Set(d, alpha);
  if (columns == kVectors * kLanes) {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      T* row = c + r * c_stride;
      hn::StoreU(hn::MulAdd(scale, sums[r][0], hn::LoadU(d, row)), d, row);
      hn::StoreU(hn::MulAdd(scale, sums[r][1], hn::LoadU(d, row + kLanes)), d, row + kLanes);
    }
    return;
  }
  // The same arithmetic on a copy of the columns that exist.
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    HWY_ALIGN T buffer[kVectors * kLanes] = {};
    T* row = c + r * c_stride;
    for (int64_t j = 0; j < columns; ++j) buffer[j] = row[j];
    hn::Store(hn::MulAdd(scale, sums[r][0], hn::Load(d, buffer)), d, buffer);
    hn::Store(hn::MulAdd(scale, sums[r][1], hn::Load(d, buffer + kLanes)), d, buffer + kLanes);
    for (int64_t j = 0; j < columns; ++j) row[j] = buffer[j];
  }
}

template <typename T, int... kRows>
GemmMicro<T> make_micro(std::integer_sequence<int, kRows...>) {
  GemmMicro<T> result;
  result.panel_rows = kPanelRows;
  result.panel_columns = kVectors * static_cast<int64_t>(hn::Lanes(hn::ScalableTag<T>()));
  ((result.by_rows[kRows + 1] = micro<T, kRows + 1>), ...);
  return result;
}

GemmMicro<float> make_float() {
  return make_micro<float>(std::make_integer_sequence<int, kPanelRows>());
}
GemmMicro<double> make_double() {
  return make_micro<double>(std::make_integer_sequence<int, kPanelRows>());
}

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
const GemmMicro<float>& gemm_micro() {
  static const GemmMicro<float> micro = HWY_DYNAMIC_DISPATCH(make_float)();
  return micro;
}
template <>
const GemmMicro<double>& gemm_micro() {
  static const GemmMicro<double> micro = HWY_DYNAMIC_DISPATCH(make_double)();
  return micro;
}

}  // namespace ferry::cpu
#endif
