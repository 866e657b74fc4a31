#pragma once

#include "kernels/kernel.h"

// The families of the CUDA kernels, one function a file; table.cc lists them.
namespace ferry::cuda {

KernelFamily generator_kernels();
KernelFamily logical_kernels();
KernelFamily math_binary_kernels();
KernelFamily math_cumsum_kernels();
KernelFamily math_matrix_kernels();
KernelFamily math_softmax_kernels();
KernelFamily math_unary_kernels();
KernelFamily nn_conv_kernels();
KernelFamily nn_norm_kernels();
KernelFamily nn_pool_kernels();
KernelFamily reduction_kernels();
KernelFamily rnn_kernels();
KernelFamily tensor_gather_kernels();
KernelFamily tensor_map_kernels();
KernelFamily tensor_move_kernels();
KernelFamily tensor_nonzero_kernels();
KernelFamily tensor_pad_kernels();
KernelFamily tensor_resize_kernels();
KernelFamily tensor_sample_kernels();
KernelFamily tensor_shape_kernels();

}  // namespace ferry::cuda
