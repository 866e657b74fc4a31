#pragma once

#include <map>
#include <set>
#include <string>

#include "placement/placement.h"

namespace ferry {

// A device table as data: which operators `device` (by default every one but the CPU) lacks, and
// which ports the host reads. The CPU runs everything.
class FakeCapability : public Capability {
 public:
  std::map<std::string, Support> missing;    // by operator
  std::map<std::string, Ports> host_inputs;  // by operator
  std::map<std::string, Ports> metadata_inputs{{"Shape", {0}}};
  std::set<std::string> missing_on_cpu;
  std::map<Device, std::set<std::string>> missing_on;  // by one device alone

  NodeCapability ask(const Graph&, const Node& node, Device device) const override {
    NodeCapability out;
    if (const auto at = metadata_inputs.find(node.op); at != metadata_inputs.end()) {
      out.metadata_inputs = at->second;
    }
    if (const auto at = host_inputs.find(node.op); at != host_inputs.end()) {
      out.host_inputs = at->second;
    }
    if (device.is_cpu()) {
      if (missing_on_cpu.contains(node.op)) {
        out.support = Support::no(ReasonCode::no_kernel, "not on cpu");
      }
    } else if (const auto at = missing.find(node.op); at != missing.end()) {
      out.support = at->second;
    } else if (const auto own = missing_on.find(device);
               own != missing_on.end() && own->second.contains(node.op)) {
      out.support = Support::no(ReasonCode::no_kernel, "not on " + device.str());
    }
    if (node.op == "Shape") out.host_outputs = {0};
    return out;
  }
  std::string device_name(Device device) const override { return "fake " + device.str(); }
  bool simulated(Device device) const override { return device.kind() == DeviceKind::sim; }
};

}  // namespace ferry
