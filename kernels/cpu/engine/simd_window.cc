#include "kernels/cpu/engine/simd_window.h"

#include "kernels/cpu/engine/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/engine/simd_window.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace ferry::cpu {
namespace HWY_NAMESPACE {
namespace {

// Plain loops, which the compiler turns into this instruction set's vectors.
void multiply_add(const float* HWY_RESTRICT x, int64_t stride, float factor, float* HWY_RESTRICT y,
                  int64_t count) {
  if (stride == 1) {
    for (int64_t i = 0; i < count; ++i) y[i] += factor * x[i];
  } else {
    for (int64_t i = 0; i < count; ++i) y[i] += factor * x[i * stride];
  }
}

void max(const float* HWY_RESTRICT x, int64_t stride, float* HWY_RESTRICT y, int64_t count) {
  const auto pick = [](float best, float value) {
    return value > best || value != value ? value : best;
  };
  if (stride == 1) {
    for (int64_t i = 0; i < count; ++i) y[i] = pick(y[i], x[i]);
  } else {
    for (int64_t i = 0; i < count; ++i) y[i] = pick(y[i], x[i * stride]);
  }
}

SimdWindow find_window() { return {multiply_add, max}; }

}  // namespace
// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace ferry::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ferry::cpu {

HWY_EXPORT(find_window);

const SimdWindow& simd_window() {
  static const SimdWindow window = HWY_DYNAMIC_DISPATCH(find_window)();
  return window;
}

}  // namespace ferry::cpu
#endif
