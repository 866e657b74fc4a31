#pragma once

#include <map>
#include <string>

#include "placement/placement.h"

namespace ferry {

// What a run takes on each device, from the plan that would be run, made for its sizes alone.
class PlanMemory : public MemoryPlanner {
 public:
  // Devices of `assumed` need not be there: the emulated one plans for them.
  explicit PlanMemory(std::map<Device, AssumedDevice> assumed = {})
      : assumed_(std::move(assumed)) {}

  std::map<Device, MemoryUse> memory_of(
      const Graph& graph, const std::map<std::string, int64_t>& symbols) const override;

 private:
  std::map<Device, AssumedDevice> assumed_;
};

}  // namespace ferry
