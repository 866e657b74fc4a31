#pragma once

#include <utility>
#include <vector>

#include "core/function_ref.h"
#include "placement/cost.h"
#include "placement/cut.h"
#include "placement/placement.h"

namespace ferry {

// Trips of a Loop whose count is no constant.
inline constexpr int64_t kAssumedTrips = 8;

// A graph and its bodies as one question for minimum_cut().
//
//  1. Every node is an item. Its time in a body counts once a trip; both bodies of an If count.
//  2. A value that somebody reads on a device where it may not be is a value of the problem; what
//     bodies capture is the outer value, copied once outside.
//  3. Constants have a home on each side and cross at load only: they are not in the problem.
//  4. Ports that only look at sizes do not read. Host ports and host outputs are on the host.
//  5. A node that reads back what only the device knows pays for that copy where it runs there.
struct PlacementNetwork {
  CutProblem problem;
  std::vector<std::pair<Graph*, NodeId>> nodes;  // of each item
};

struct NetworkFacts {
  const PlacementRequest& request;
  const Capability& capability;
  const DeviceProfile &host, &device;
  const LinkProfile& link;
  AssumedSizes& sizes;
  FunctionRef<bool(const Node&)> host_only;  // nodes that stay on the host whatever they cost
};

PlacementNetwork network_of(Graph& graph, const NetworkFacts& facts);

}  // namespace ferry
