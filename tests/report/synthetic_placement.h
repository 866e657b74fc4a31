#pragma once

#include <memory>

#include "placement/placement.h"

namespace ferry {

// A placement that no model gave, with something in every field of the report: a transformer of
// about `nodes` nodes on sim:0 and the CPU, its copies, weights, rules, spilled weights, size
// ranges, and memory by steps. The same for the same count.
std::shared_ptr<PlacementData> synthetic_placement(int nodes);

// What a run of it could have measured: a few per cent off, other than that node by node.
MeasuredRun synthetic_run(const PlacementData& data);

}  // namespace ferry
