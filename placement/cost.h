#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "graph/graph.h"
#include "placement/assumed_sizes.h"

// How long nodes and copies take, by a model of two terms each: a node is bound by arithmetic or by
// memory, whichever is slower, and pays for its launch; a copy pays for latency and bytes. What the
// numbers of a device are, and where they come from, stands in its profile (profiles.json).
namespace ferry {

// What one device, or one link to it, can do.
struct DeviceProfile {
  std::string name, source;
  std::map<DType, double> flops;  // a second; of float32 for types that are not listed
  double bytes_per_second = 0;    // of its memory
  double launch_seconds = 0;      // of a node that does nothing
};
struct LinkProfile {
  std::string name, source;
  double bytes_per_second = 0;  // from and to pageable memory
  double latency_seconds = 0;
};

// The profile of a device by what it calls itself ("2 cores", "NVIDIA H100 80GB HBM3", "emulated
// sm_90"). Of a GPU that is not listed: a middling one, and `source` says so.
DeviceProfile profile_of(std::string_view device_name, bool is_cpu);
// The link between host and GPU: what most machines have, until one is measured.
LinkProfile default_link();

// Arithmetic and traffic of one node; sizes that data decides count as 1.
struct Work {
  double flops = 0;
  double bytes = 0;                // read and written
  DType dtype = DType::undefined;  // of the arithmetic
};
Work work_of(const Graph& graph, const Node& node, AssumedSizes& sizes);

// Bytes of a value; sizes that data decides count as 1.
double assumed_bytes(const Type& type, AssumedSizes& sizes);

// In picoseconds: integers, so that sums do not depend on their order.
int64_t node_picoseconds(const Work& work, const DeviceProfile& device);
int64_t copy_picoseconds(double bytes, const LinkProfile& link);

}  // namespace ferry
