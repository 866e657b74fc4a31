#pragma once

#include <string>

#include "graph/graph.h"

namespace ferry {

// 16 hexadecimal digits that two graphs share when they have the same nodes, names, attributes and
// types; the elements of weights do not count (FNV-1a, 64 bits). Tells a report's model from
// another; no protection against somebody who wants them alike.
std::string fingerprint_of(const Graph& graph);

}  // namespace ferry
