#include "kernels/cuda/blas.h"

namespace ferry::cuda {

std::unique_ptr<GemmPlan> make_library_gemm(const GemmProblem&, int) { return nullptr; }

std::string missing_blas() { return ""; }

}  // namespace ferry::cuda
