#pragma once

#include "graph/graph.h"

namespace ferry {

// Where a body's inputs and outputs live: on its node's device, except what the host itself reads
// or writes to run a Loop: trip number and condition in, next condition out.
class BodyInterface {
 public:
  explicit BodyInterface(const Node& node) : device_(node.device), is_loop_(node.op == "Loop") {}

  bool input_on_host(size_t i) const { return is_loop_ && i < 2; }
  bool output_on_host(size_t i) const { return is_loop_ && i == 0; }
  Device input(size_t i) const { return input_on_host(i) ? Device::cpu() : device_; }
  Device output(size_t i) const { return output_on_host(i) ? Device::cpu() : device_; }

 private:
  Device device_;
  bool is_loop_;
};

}  // namespace ferry
