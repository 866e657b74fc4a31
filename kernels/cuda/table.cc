#include "kernels/cuda/table.h"

#include "kernels/cuda/blas.h"
#include "kernels/cuda/families.h"

namespace ferry::cuda {

std::span<const KernelFamily> cuda_kernels() {
  static const KernelFamily families[] = {
      math_binary_kernels(),
      math_matrix_kernels(),
      math_unary_kernels(),
  };
  return families;
}

std::string missing_libraries() { return missing_blas(); }

}  // namespace ferry::cuda
