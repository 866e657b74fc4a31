#pragma once

#include <cstdint>

#include "devices/device.h"

// How a kernel reports data that its operator forbids. A kernel cannot throw: it fills in a record
// in pinned host memory that belongs to its stream, and goes on with some harmless value; the next
// wait on the stream, or on an event recorded in it, throws Error runtime.
namespace ferry::cuda {

enum class KernelFault : int {
  none,
  division_by_zero,
  negative_power_of_zero,
  index_out_of_range,   // value: the index as given; limit: the axis' size
  length_out_of_range,  // value: the length; limit: the sequence's
};

struct Fault {
  int kind = 0;  // KernelFault; the first that is stored here wins
  const WorkSite* site = nullptr;
  int64_t value = 0, limit = 0;
};

// The record of one stream.
class FaultRecord {
 public:
  FaultRecord();
  ~FaultRecord();
  FaultRecord(const FaultRecord&) = delete;
  FaultRecord& operator=(const FaultRecord&) = delete;

  Fault* device_address() const { return fault_; }
  // Throws Error runtime, with the node that the report names, when a kernel has reported a fault,
  // and forgets it. The work that may report must have been waited for.
  void check();

 private:
  Fault* fault_ = nullptr;
};

}  // namespace ferry::cuda
