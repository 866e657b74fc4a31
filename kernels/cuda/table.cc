#include "kernels/cuda/table.h"

#include "kernels/cuda/blas.h"
#include "kernels/cuda/dnn.h"
#include "kernels/cuda/families.h"

namespace ferry::cuda {

std::span<const KernelFamily> cuda_kernels() {
  static const KernelFamily families[] = {
      generator_kernels(),      logical_kernels(),      math_binary_kernels(),
      math_cumsum_kernels(),    math_matrix_kernels(),  math_softmax_kernels(),
      math_unary_kernels(),     nn_conv_kernels(),      nn_norm_kernels(),
      nn_pool_kernels(),        reduction_kernels(),    rnn_kernels(),
      tensor_gather_kernels(),  tensor_map_kernels(),   tensor_move_kernels(),
      tensor_nonzero_kernels(), tensor_pad_kernels(),   tensor_resize_kernels(),
      tensor_sample_kernels(),  tensor_shape_kernels(),
  };
  return families;
}

std::string missing_libraries() {
  std::string missing = missing_blas();
  const std::string dnn = missing_dnn();
  if (!missing.empty() && !dnn.empty()) missing += "; ";
  return missing + dnn;
}

}  // namespace ferry::cuda
