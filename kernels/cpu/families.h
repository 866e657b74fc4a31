#pragma once

#include "kernels/kernel.h"

// The families of the CPU's kernels, one function a file; table.cc lists them.
namespace ferry::cpu {

KernelFamily controlflow_kernels();
KernelFamily generator_kernels();
KernelFamily logical_kernels();
KernelFamily math_activation_kernels();
KernelFamily math_binary_kernels();
KernelFamily math_loss_kernels();
KernelFamily math_matrix_kernels();
KernelFamily math_scan_kernels();
KernelFamily math_softmax_kernels();
KernelFamily math_unary_kernels();
KernelFamily nn_attention_kernels();
KernelFamily nn_conv_kernels();
KernelFamily nn_norm_kernels();
KernelFamily nn_norm_rows_kernels();
KernelFamily nn_pool_kernels();
KernelFamily quantization_kernels();
KernelFamily quantization_product_kernels();
KernelFamily reduction_kernels();
KernelFamily rnn_kernels();
KernelFamily tensor_cast_kernels();
KernelFamily tensor_gather_kernels();
KernelFamily tensor_move_kernels();
KernelFamily tensor_resize_kernels();
KernelFamily tensor_sample_kernels();
KernelFamily tensor_scatter_kernels();
KernelFamily tensor_select_kernels();
KernelFamily tensor_shape_kernels();
KernelFamily tensor_unique_kernels();

}  // namespace ferry::cpu
