#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "graph/graph.h"

// How long nodes and copies take, by a model of two terms each: a node is bound by arithmetic or by
// memory, whichever is slower, and pays for its launch; a copy pays for latency and bytes. What the
// numbers of a device are, and where they come from, stands in its profile (placement/profiles).
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
  double pinned_bytes_per_second = 0, pageable_bytes_per_second = 0;
  double latency_seconds = 0;
};

// The profile of a device by what it calls itself ("2 cores", "NVIDIA H100 80GB HBM3", "emulated
// sm_90"). Of a GPU that is not listed: a middling one, and `source` says so.
DeviceProfile profile_of(std::string_view device_name, bool is_cpu);
// The link between host and GPU: what most machines have, until one is measured.
LinkProfile default_link();

// Arithmetic and traffic of one node under assumed sizes.
struct Work {
  double flops = 0;
  double bytes = 0;                // read and written
  DType dtype = DType::undefined;  // of the arithmetic
  bool known = true;               // false: a size depends on data and counted as 1
};

// `symbols`: sizes of symbolic dimensions; those not named count as 1.
Work work_of(const Graph& graph, const Node& node, const std::map<std::string, int64_t>& symbols);

// Bytes of a value under assumed sizes.
int64_t assumed_bytes(const Type& type, const std::map<std::string, int64_t>& symbols);

// In picoseconds: integers, so that sums do not depend on their order.
int64_t node_picoseconds(const Work& work, const DeviceProfile& device);
int64_t copy_picoseconds(int64_t bytes, const LinkProfile& link, bool pinned);

}  // namespace ferry
