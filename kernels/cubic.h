#pragma once

#include "kernels/host_device.h"

namespace ferry {

// The weight of a sample at `distance` >= 0 from the position: the cubic convolution of Keys (1981)
// with the coefficient `a`.
template <typename T>
FERRY_HOST_DEVICE T cubic_weight(T distance, T a) {
  const T x = distance;
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

}  // namespace ferry
