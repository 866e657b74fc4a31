#pragma once

#include <vector>

#include "kernels/kernel.h"

namespace ferry {

// In prepare(): the numbers of a small integer input that the host reads (Kernel::host_inputs),
// such as starts, pads and axes; none where the input is absent.
std::vector<int64_t> host_ints(const NodeFacts& node, int input);

// One of them as an axis, counted from the front. Throws Error runtime for one that the input
// lacks.
int64_t host_axis(int64_t axis, int64_t rank);

}  // namespace ferry
