#include "kernels/cpu/engine/simd_softmax.h"

#include <cmath>
#include <limits>

#include "kernels/cpu/engine/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/engine/simd_softmax.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/cpu/engine/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ferry::cpu {
namespace HWY_NAMESPACE {
namespace {

// f(vector, position, lanes that exist) for the row; lanes beyond the end hold `fill`.
template <typename F>
HWY_INLINE void for_vectors(const float* row, int64_t count, float fill, F&& f) {
  const F32 d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) f(hn::LoadU(d, row + i), i, lanes);
  if (i == count) return;
  HWY_ALIGN float buffer[hn::MaxLanes(d)];
  for (int64_t k = 0; k < lanes; ++k) buffer[k] = i + k < count ? row[i + k] : fill;
  f(hn::Load(d, buffer), i, count - i);
}

HWY_INLINE void store(Vec value, float* out, int64_t lanes) {
  const F32 d;
  if (lanes == static_cast<int64_t>(hn::Lanes(d))) return hn::StoreU(value, d, out);
  HWY_ALIGN float buffer[hn::MaxLanes(d)];
  hn::Store(value, d, buffer);
  for (int64_t k = 0; k < lanes; ++k) out[k] = buffer[k];
}

float row_max(const float* input, int64_t count) {
  const F32 d;
  constexpr float kLowest = -std::numeric_limits<float>::infinity();
  Vec largest = hn::Set(d, kLowest);
  for_vectors(input, count, kLowest,
              [&](Vec x, int64_t, int64_t) HWY_ATTR { largest = hn::Max(largest, x); });
  return hn::GetLane(hn::MaxOfLanes(d, largest));
}

void softmax_row(const float* input, float* output, int64_t count) {
  const F32 d;
  const Vec largest = hn::Set(d, row_max(input, count));
  Vec sums = hn::Zero(d);
  for_vectors(input, count, -std::numeric_limits<float>::infinity(),
              [&](Vec x, int64_t i, int64_t lanes) HWY_ATTR {
                const Vec e = exp(hn::Sub(x, largest));
                sums = hn::Add(sums, e);
                store(e, output + i, lanes);
              });
  const Vec scale = hn::Set(d, 1.0f / hn::GetLane(hn::SumOfLanes(d, sums)));
  for_vectors(output, count, 0, [&](Vec e, int64_t i, int64_t lanes) HWY_ATTR {
    store(hn::Mul(e, scale), output + i, lanes);
  });
}

void log_softmax_row(const float* input, float* output, int64_t count) {
  const F32 d;
  const Vec largest = hn::Set(d, row_max(input, count));
  Vec sums = hn::Zero(d);
  for_vectors(input, count, -std::numeric_limits<float>::infinity(),
              [&](Vec x, int64_t, int64_t)
                  HWY_ATTR { sums = hn::Add(sums, exp(hn::Sub(x, largest))); });
  const Vec log_sum = hn::Set(d, std::log(hn::GetLane(hn::SumOfLanes(d, sums))));
  for_vectors(input, count, 0, [&](Vec x, int64_t i, int64_t lanes) HWY_ATTR {
    store(hn::Sub(hn::Sub(x, largest), log_sum), output + i, lanes);
  });
}

SoftmaxRow find_softmax() { return softmax_row; }
SoftmaxRow find_log_softmax() { return log_softmax_row; }

}  // namespace
// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace ferry::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ferry::cpu {

HWY_EXPORT(find_softmax);
HWY_EXPORT(find_log_softmax);

SoftmaxRow simd_softmax_row() { return HWY_DYNAMIC_DISPATCH(find_softmax)(); }
SoftmaxRow simd_log_softmax_row() { return HWY_DYNAMIC_DISPATCH(find_log_softmax)(); }

}  // namespace ferry::cpu
#endif
