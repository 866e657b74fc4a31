#pragma once

#include <cstddef>
#include <vector>

#include "graph/attributes.h"

// The arithmetic of operators: floating or integer operations of one node, as a formula of its
// sizes. What they take in seconds is placement's (placement/cost.h).
namespace ferry {

// The sizes of a node as numbers; no shape counts as none.
struct NodeSizes {
  const Attributes& attributes;
  std::vector<std::vector<double>> inputs, outputs;

  double input(size_t i, size_t axis) const;  // 1 where there is no such axis
  double last_axis(size_t i) const;           // of input i; 1 for a scalar
  double input_size(size_t i) const;          // elements; 0 for an absent input
  double output_size() const;                 // elements of output 0
};

double product(const std::vector<double>& sizes);

// No arithmetic: only bytes are read and written, or not even those.
double moves_bytes(const NodeSizes& sizes);
// So many operations for each element of output 0.
template <int kOperations>
double each(const NodeSizes& sizes) {
  return kOperations * sizes.output_size();
}
// One operation for each element of input 0.
double each_input(const NodeSizes& sizes);

double matmul_flops(const NodeSizes& sizes);
double gemm_flops(const NodeSizes& sizes);
double conv_flops(const NodeSizes& sizes);
double conv_transpose_flops(const NodeSizes& sizes);
double recurrent_flops(const NodeSizes& sizes);
double pool_flops(const NodeSizes& sizes);
double attention_flops(const NodeSizes& sizes);

}  // namespace ferry
