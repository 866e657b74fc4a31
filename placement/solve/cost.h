#pragma once

#include <cstdint>

#include "graph/graph.h"
#include "placement/profiles.h"
#include "placement/solve/assumed_sizes.h"

// How long nodes and copies take, by a model of two terms each: a node is bound by arithmetic or by
// memory, whichever is slower, and pays for its launch; a copy pays for latency and bytes. What the
// numbers of a device are, and where they come from, stands in its profile (profiles.h).
namespace ferry {

// Arithmetic and traffic of one node; sizes that data decides count as 1.
struct Work {
  double flops = 0;
  double bytes = 0;                // read and written
  DType dtype = DType::undefined;  // of the arithmetic
  bool is_view = false;            // another shape of the same memory: nothing runs
};
Work work_of(const Graph& graph, const Node& node, AssumedSizes& sizes);

// Bytes of a value; sizes that data decides count as 1.
double assumed_bytes(const Type& type, AssumedSizes& sizes);

// In picoseconds: integers, so that sums do not depend on their order.
int64_t node_picoseconds(const Work& work, const DeviceProfile& device);
int64_t copy_picoseconds(double bytes, const LinkProfile& link);

}  // namespace ferry
