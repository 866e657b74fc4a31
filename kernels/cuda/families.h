#pragma once

#include "kernels/kernel.h"

// The families of the CUDA kernels, one function a file; table.cc lists them.
namespace ferry::cuda {

KernelFamily math_binary_kernels();
KernelFamily math_matrix_kernels();
KernelFamily math_unary_kernels();

}  // namespace ferry::cuda
