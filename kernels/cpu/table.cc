#include "kernels/cpu/families.h"

namespace ferry {

std::span<const KernelFamily> cpu_kernels() {
  static const KernelFamily families[] = {
      cpu::math_binary_kernels(), cpu::math_matrix_kernels(),  cpu::math_softmax_kernels(),
      cpu::math_unary_kernels(),  cpu::nn_conv_kernels(),      cpu::nn_pool_kernels(),
      cpu::tensor_move_kernels(), cpu::tensor_shape_kernels(),
  };
  return families;
}

}  // namespace ferry
