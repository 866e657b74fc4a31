#pragma once

#include <map>
#include <string>
#include <unordered_map>

#include "placement/placement.h"

namespace ferry {

// Asks each question once: the answer for a node, known by its path, does not change while one
// placement is made. Not thread-safe.
class CapabilityCache : public Capability {
 public:
  explicit CapabilityCache(const Capability& capability) : capability_(capability) {}

  NodeCapability ask(const Graph& graph, const Node& node, Device device) const override {
    if (node.is_copy()) return capability_.ask(graph, node, device);
    auto& answers = answers_[node.name];
    const auto at = answers.find(device);
    if (at != answers.end()) return at->second;
    return answers.emplace(device, capability_.ask(graph, node, device)).first->second;
  }
  std::string device_name(Device device) const override { return capability_.device_name(device); }
  bool simulated(Device device) const override { return capability_.simulated(device); }
  // The one that is asked.
  const Capability& source() const { return capability_; }

 private:
  const Capability& capability_;
  mutable std::unordered_map<std::string, std::map<Device, NodeCapability>> answers_;
};

}  // namespace ferry
