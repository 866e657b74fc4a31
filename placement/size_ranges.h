#pragma once

#include <vector>

#include "placement/passes.h"

namespace ferry {

// For which sizes of PlacementRequest::size_range the placement is the same, in order and without
// gaps. Looked at are the powers of two, and between two of them that differ, by bisection, where
// they do: a change and its undoing between two neighbours are not seen.
std::vector<PlacedRange> size_ranges_of(const Graph& graph, const PassFacts& facts);

}  // namespace ferry
