#pragma once

#include <functional>
#include <vector>

#include "placement/placement.h"
#include "placement/solve/capability_cache.h"
#include "placement/solve/cost_model.h"

namespace ferry {

// What every way through the passes is given.
struct PassFacts {
  const PlacementRequest& request;
  const CapabilityCache& capability;
  const CostModel& costs;
};

// What memory costs on a device: prices that make a placement smaller (memory.h).
struct MemoryPrices {
  WeightPrice weight;
  double activation = 0;  // as Assigning::activation_price
  // Whether the weight, which somebody reads on device d, is brought there in every run.
  std::function<bool(const Value& weight, int device)> streams;
};

// A graph with devices and copies, and why.
struct Placed {
  Graph graph;
  Decisions decisions;
  Prediction prediction;
  std::vector<RuleMatch> rules;
  std::vector<SpilledWeight> spilled;
  int64_t priced_cost = 0;  // picoseconds, prices included
};

// The passes of placement.h on a copy of `graph`, verified after each.
Placed run_passes(const Graph& graph, const PassFacts& facts, const MemoryPrices& prices = {});

}  // namespace ferry
