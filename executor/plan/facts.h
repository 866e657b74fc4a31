#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "devices/device.h"
#include "graph/graph.h"
#include "kernels/kernel.h"
#include "placement/placement.h"

namespace ferry {

// What kernels see of a node whose values are described in `graph`. Constants are pointed to, so
// `graph` must outlive the result.
NodeFacts facts_of(const Graph& graph, const Node& node);

// An output that `kernel` would write without knowing where: one whose size overflows, or that
// inference could not find, and that run() does not allocate (Kernel::late_outputs). -1: none.
int unsized_output(const Kernel& kernel, const NodeFacts& node);

// What runs on devices of a kind, by family and by operator; empty where this machine can run
// nothing on it. Thread-safe.
std::span<const KernelFamily> families_of(DeviceKind kind);
const KernelTable& kernels_of(DeviceKind kind);

// What runs `node`, of which `facts` are known, on `device`: a row of its tables, or of the
// operators that the application registered. nullptr when there is none, and then `why` says why.
const Kernel* kernel_for(Device device, const Node& node, const NodeFacts& facts,
                         Support* why = nullptr);

// Answers placement's questions from the kernel tables. Copy nodes can run anywhere. A device that
// is assumed has the tables of the emulated one, which are those of every GPU.
class KernelCapability : public Capability {
 public:
  explicit KernelCapability(std::map<Device, AssumedDevice> assumed = {})
      : assumed_(std::move(assumed)) {}

  NodeCapability ask(const Graph& graph, const Node& node, Device device) const override;
  std::string device_name(Device device) const override;
  bool simulated(Device device) const override;

 private:
  std::map<Device, AssumedDevice> assumed_;
};

// The device of this machine that answers for an assumed one.
inline constexpr Device kStandIn{DeviceKind::sim, 0};

}  // namespace ferry
