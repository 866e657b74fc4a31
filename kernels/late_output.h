#pragma once

#include <span>

#include "kernels/kernel.h"

namespace ferry {

// An output whose shape the data decide (Kernel::late_outputs). The model may declare it all the
// same: then its memory is there before the run, and the data must agree.
class LateOutput {
 public:
  LateOutput() = default;
  LateOutput(const NodeFacts& node, int output);

  bool present() const { return present_; }
  // Where run() writes an output that is present, once its shape is known. Throws Error runtime
  // where the model declares another one.
  void* memory(const RunContext& context, std::span<const int64_t> shape) const;

 private:
  int output_ = 0;
  bool present_ = false, declared_ = false;
  Shape shape_;  // where declared
};

}  // namespace ferry
