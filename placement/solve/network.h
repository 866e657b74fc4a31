#pragma once

#include <utility>
#include <vector>

#include "core/function_ref.h"
#include "placement/placement.h"
#include "placement/solve/assignment.h"
#include "placement/solve/cost_model.h"

namespace ferry {

// Trips of a Loop whose count is no constant.
inline constexpr int64_t kAssumedTrips = 8;

// A graph and its bodies as one question for cheapest().
//
//  1. Every node is an item. Its time in a body counts once a trip; both bodies of an If count.
//  2. A value that somebody reads on a device where it may not be is a value of the problem; what
//     bodies capture is the outer value, copied once outside.
//  3. Constants have a home on each side and cross at load only: they are in the problem only where
//     NetworkFacts::weight_price asks for them.
//  4. Ports that only look at sizes do not read. Host ports and host outputs are on the host.
//  5. A node that reads back what only the device knows pays for that copy where it runs there.
struct PlacementNetwork {
  struct Item {
    Graph* graph;
    NodeId node;
    Work work;  // of one trip
    int64_t trips;
  };
  AssignmentProblem problem;
  std::vector<Item> nodes;  // of each item
};

struct NetworkFacts {
  const PlacementRequest& request;
  const Capability& capability;
  const CostModel& costs;  // the devices of the problem are its
  AssumedSizes& sizes;
  FunctionRef<uint32_t(const Node&)> allowed;  // bit d: on costs.devices[d]
  WeightPrice weight_price = {};  // of a run, trips or not; not set: weights cost nothing
};

PlacementNetwork network_of(Graph& graph, const NetworkFacts& facts);

// How often the bodies of `node` run for each run of it.
int64_t trips_of(const Graph& graph, const Node& node, AssumedSizes& sizes);

}  // namespace ferry
