#pragma once

#include <string>
#include <vector>

#include "placement/placement.h"
#include "placement/solve/cost.h"

namespace ferry {

// The devices that a request may use, and what they and the links to them can do.
struct CostModel {
  std::vector<Device> devices;          // [0] is the CPU, then in order of preference
  std::vector<DeviceProfile> profiles;  // of each
  std::vector<LinkProfile> links;       // between the host and each; of [0]: unused

  // The number of `device` here. Throws Error internal for one that is not.
  int index_of(Device device) const;
  // Names and sources of all the numbers.
  std::vector<std::string> sources() const;
  // In picoseconds; 0 where `from` is `to`. Between two devices as fast as the slower link.
  int64_t copy(double bytes, int from, int to) const;
};

// The CPU, PlacementRequest::device and more_devices, those that rules name, and outputs_on.
std::vector<Device> devices_of(const PlacementRequest& request);

CostModel cost_model_of(const PlacementRequest& request, const Capability& capability);

}  // namespace ferry
