#pragma once

#include <algorithm>

#include "kernels/axis.h"
#include "kernels/kernel.h"

namespace ferry::cpu {

// Elements below which waking another thread costs more than it saves, for work of about one
// nanosecond an element.
inline constexpr int64_t kSmall = 16 * 1024;

// body(begin, end) over [0, count), shared by the threads when there is enough work: `cost` is the
// rough number of nanoseconds of one index. Tiles have fixed borders, so results do not depend on
// who runs them.
template <typename F>
inline void for_range(const RunContext& context, int64_t count, int64_t cost, F&& body) {
  if (count <= kSmall / std::max<int64_t>(cost, 1) || context.threads == nullptr) {
    if (count > 0) body(int64_t{0}, count);
    return;
  }
  const int64_t grain = std::max<int64_t>(1, kSmall / 2 / std::max<int64_t>(cost, 1));
  context.threads->parallel_for(count, grain, body);
}

}  // namespace ferry::cpu
