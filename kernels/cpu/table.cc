#include "kernels/cpu/families.h"

namespace ferry {

std::span<const KernelFamily> cpu_kernels() {
  static const KernelFamily families[] = {
      cpu::controlflow_kernels(),
      cpu::generator_kernels(),
      cpu::logical_kernels(),
      cpu::math_activation_kernels(),
      cpu::math_binary_kernels(),
      cpu::math_loss_kernels(),
      cpu::math_matrix_kernels(),
      cpu::math_scan_kernels(),
      cpu::math_softmax_kernels(),
      cpu::math_unary_kernels(),
      cpu::nn_attention_kernels(),
      cpu::nn_conv_kernels(),
      cpu::nn_norm_kernels(),
      cpu::nn_norm_rows_kernels(),
      cpu::nn_pool_kernels(),
      cpu::quantization_kernels(),
      cpu::quantization_product_kernels(),
      cpu::reduction_kernels(),
      cpu::rnn_kernels(),
      cpu::tensor_cast_kernels(),
      cpu::tensor_gather_kernels(),
      cpu::tensor_move_kernels(),
      cpu::tensor_resize_kernels(),
      cpu::tensor_sample_kernels(),
      cpu::tensor_scatter_kernels(),
      cpu::tensor_select_kernels(),
      cpu::tensor_shape_kernels(),
      cpu::tensor_unique_kernels(),
  };
  return families;
}

}  // namespace ferry
