#pragma once

#include "graph/infer.h"

namespace ferry {

// Folds constants with the CPU kernels. Nodes without a CPU kernel, with bodies, or that draw
// random numbers are left alone.
class KernelEvaluator : public Evaluator {
 public:
  std::optional<std::vector<Tensor>> evaluate(const Node& node,
                                              std::span<const Tensor> inputs) override;
};

}  // namespace ferry
