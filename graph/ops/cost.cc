#include "graph/ops/cost.h"

#include <algorithm>
#include <cstdint>

namespace ferry {

double product(const std::vector<double>& sizes) {
  double result = 1;
  for (const double size : sizes) result *= size;
  return result;
}

double NodeSizes::input(size_t i, size_t axis) const {
  return i < inputs.size() && axis < inputs[i].size() ? inputs[i][axis] : 1;
}
double NodeSizes::last_axis(size_t i) const {
  return i < inputs.size() && !inputs[i].empty() ? inputs[i].back() : 1;
}
double NodeSizes::input_size(size_t i) const { return i < inputs.size() ? product(inputs[i]) : 0; }
double NodeSizes::output_size() const { return outputs.empty() ? 0 : product(outputs[0]); }

double moves_bytes(const NodeSizes&) { return 0; }
double each_input(const NodeSizes& sizes) { return sizes.input_size(0); }

// Products: two operations for each term of the sums.
double matmul_flops(const NodeSizes& sizes) { return 2 * sizes.output_size() * sizes.last_axis(0); }
double gemm_flops(const NodeSizes& sizes) {
  const int64_t* transposed = sizes.attributes.find<int64_t>("transA");
  return 2 * sizes.output_size() *
         sizes.input(0, transposed != nullptr && *transposed != 0 ? 0 : 1);
}
// Every output sums in_channels / group * kernel products.
double conv_flops(const NodeSizes& sizes) {
  return 2 * sizes.output_size() * sizes.input_size(1) / std::max(1.0, sizes.input(1, 0));
}
// Every input goes to out_channels / group * kernel sums.
double conv_transpose_flops(const NodeSizes& sizes) {
  return 2 * sizes.input_size(0) * sizes.input_size(1) / std::max(1.0, sizes.input(1, 0));
}
// W and R once a step and a row of the batch.
double recurrent_flops(const NodeSizes& sizes) {
  return 2 * sizes.input(0, 0) * sizes.input(0, 1) * (sizes.input_size(1) + sizes.input_size(2));
}
double pool_flops(const NodeSizes& sizes) {
  double window = 1;
  if (const auto* kernel = sizes.attributes.find<std::vector<int64_t>>("kernel_shape")) {
    for (const int64_t size : *kernel) window *= static_cast<double>(size);
  }
  return sizes.output_size() * window;
}
// Q K^T and its product with V.
double attention_flops(const NodeSizes& sizes) {
  const bool has_heads = sizes.inputs.size() > 1 && sizes.inputs[1].size() == 4;
  return 4 * sizes.input_size(0) * sizes.input(1, has_heads ? 2 : 1);
}

}  // namespace ferry
