#pragma once

#include "graph/graph.h"

namespace ferry {

// Where a body's inputs and outputs live: on its node's device, except what the host itself reads
// or writes to run it.
class BodyInterface {
 public:
  explicit BodyInterface(const Node& node) : device_(node.device) {
    if (const BodyRule* bodies = node.op.rule().bodies) {
      host_inputs_ = bodies->host_inputs;
      host_outputs_ = bodies->host_outputs;
    }
  }

  bool input_on_host(size_t i) const { return host_inputs_.contains(static_cast<int>(i)); }
  bool output_on_host(size_t i) const { return host_outputs_.contains(static_cast<int>(i)); }
  Device input(size_t i) const { return input_on_host(i) ? Device::cpu() : device_; }
  Device output(size_t i) const { return output_on_host(i) ? Device::cpu() : device_; }

 private:
  Device device_;
  Ports host_inputs_, host_outputs_;
};

}  // namespace ferry
