#include "kernels/cpu/engine/simd_reduce.h"

#include <algorithm>

#include "kernels/cpu/engine/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/engine/simd_reduce.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace ferry::cpu {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::ScalableTag<float>;
using Vec = hn::Vec<F32>;

// Float sums of at most this many elements go into a double, so that long runs keep their
// precision.
inline constexpr int64_t kBlock = 4096;

// Sums map(vector) over a run in four accumulators; `map` of one float for what is left.
template <typename VectorMap, typename ScalarMap>
HWY_INLINE double sum_of(const float* data, int64_t count, VectorMap&& map, ScalarMap&& scalar) {
  const F32 d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  double total = 0;
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    const int64_t end = std::min(count, begin + kBlock);
    Vec s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
    int64_t i = begin;
    for (; i + 4 * lanes <= end; i += 4 * lanes) {
      s0 = hn::Add(s0, map(hn::LoadU(d, data + i)));
      s1 = hn::Add(s1, map(hn::LoadU(d, data + i + lanes)));
      s2 = hn::Add(s2, map(hn::LoadU(d, data + i + 2 * lanes)));
      s3 = hn::Add(s3, map(hn::LoadU(d, data + i + 3 * lanes)));
    }
    for (; i + lanes <= end; i += lanes) s0 = hn::Add(s0, map(hn::LoadU(d, data + i)));
    total += hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3))));
    for (; i < end; ++i) total += scalar(data[i]);
  }
  return total;
}

double sum(const float* data, int64_t count) {
  return sum_of(
      data, count, [](Vec x) HWY_ATTR { return x; }, [](float x) { return double{x}; });
}

double squared_deviation(const float* data, int64_t count, float mean) {
  const Vec center = hn::Set(F32(), mean);
  return sum_of(
      data, count,
      [&](Vec x) HWY_ATTR {
        const Vec deviation = hn::Sub(x, center);
        return hn::Mul(deviation, deviation);
      },
      [&](float x) { return double{x - mean} * double{x - mean}; });
}

// `pick` of two vectors keeps NaN of either side.
template <typename Pick>
HWY_INLINE float extreme(const float* data, int64_t count, Pick&& pick, bool largest) {
  const F32 d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  Vec best = hn::Set(d, data[0]);
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) best = pick(best, hn::LoadU(d, data + i));
  HWY_ALIGN float lane[hn::MaxLanes(d)];
  hn::Store(best, d, lane);
  float result = lane[0];
  const auto join = [&](float x) {
    if (x != x || (result == result && (largest ? x > result : x < result))) result = x;
  };
  for (int64_t k = 1; k < lanes; ++k) join(lane[k]);
  for (; i < count; ++i) join(data[i]);
  return result;
}

float max(const float* data, int64_t count) {
  return extreme(
      data, count,
      [](Vec a, Vec b)
          HWY_ATTR { return hn::IfThenElse(hn::Or(hn::Gt(a, b), hn::IsNaN(a)), a, b); },
      true);
}

float min(const float* data, int64_t count) {
  return extreme(
      data, count,
      [](Vec a, Vec b)
          HWY_ATTR { return hn::IfThenElse(hn::Or(hn::Lt(a, b), hn::IsNaN(a)), a, b); },
      false);
}

void normalize(const float* x, float* y, int64_t count, float mean, float factor,
               const float* scale, const float* bias) {
  const F32 d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const Vec center = hn::Set(d, mean);
  const Vec by = hn::Set(d, factor);
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    Vec value = hn::Mul(hn::Sub(hn::LoadU(d, x + i), center), by);
    if (scale != nullptr) value = hn::Mul(value, hn::LoadU(d, scale + i));
    if (bias != nullptr) value = hn::Add(value, hn::LoadU(d, bias + i));
    hn::StoreU(value, d, y + i);
  }
  for (; i < count; ++i) {
    float value = (x[i] - mean) * factor;
    if (scale != nullptr) value = value * scale[i];
    if (bias != nullptr) value = value + bias[i];
    y[i] = value;
  }
}

SimdReduce find_reduce() { return {sum, squared_deviation, max, min, normalize}; }

}  // namespace
// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace ferry::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ferry::cpu {

HWY_EXPORT(find_reduce);

const SimdReduce& simd_reduce() {
  static const SimdReduce reduce = HWY_DYNAMIC_DISPATCH(find_reduce)();
  return reduce;
}

}  // namespace ferry::cpu
#endif
