#pragma once

#include "placement/solve/passes.h"

namespace ferry {

// The fastest placement that keeps PlacementRequest::memory_limits, as far as it is found: weights
// get a price per byte on a limited device, the least at which the plan's memory fits (bisection;
// the memory is what the executor's planner says). At that price a weight stays, or is brought to
// the device in every run where that is cheaper, or its nodes go elsewhere. Where weights alone do
// not make it fit, what nodes write has the same price. Streamed weights that fit into what room is
// left then stay after all.
//
// Each price bounds what any placement within the limits that computes each node once can reach
// (Lagrangian duality: the cost with prices less what the whole limit costs). The best bound is
// Prediction::lower_bound_seconds, where the placement at a price is the best there is: with the
// policy `fastest` for one device and the CPU.
//
// Throws Error invalid_argument without a planner, for a limit of the CPU or of a device that is
// not in the request; out_of_memory, saying what is needed, where nothing fits.
Placed fit_memory(const Graph& graph, const PassFacts& facts, const MemoryPlanner* planner);

}  // namespace ferry
