#pragma once

#include <functional>
#include <vector>

#include "ferry/placement.h"

namespace ferry {

// For which sizes of `range` the placement is the same, in order and without gaps; `place_at` gives
// the placement of one size. Looked at are the powers of two, and between two of them that differ,
// by bisection, where they do: a change and its undoing between two neighbours are not seen.
std::vector<PlacedRange> size_ranges_of(const PlacementRequest::SizeRange& range,
                                        const std::function<Placement(int64_t size)>& place_at);

}  // namespace ferry
