#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <memory>
#include <string>

#include "ferry/dtype.h"
#include "graph/activation.h"

// The seam to a matrix library: cuBLASLt on a GPU (blas_cublaslt.cc), the CPU's kernels under
// emulation (blas_emulated.cc), and plain kernels of our own where the library is missing or has no
// algorithm (blas_plain.cu).
namespace ferry::cuda {

// C[i] = activation(alpha * op(A[i]) * op(B[i])), the product added to what C[i] holds where
// `accumulate` is set, for each of `batch` matrices. All matrices are dense and row-major: op(A) is
// m x k, op(B) is k x n, C is m x n; a transposed operand lies in memory as its transpose. 16-bit
// types are summed in float32.
struct GemmProblem {
  DType dtype = DType::float32;
  int64_t m = 0, n = 0, k = 0;
  bool transpose_a = false, transpose_b = false;
  float alpha = 1;
  bool accumulate = false;
  int64_t batch = 1;
  int64_t stride_a = 0, stride_b = 0, stride_c = 0;  // in elements; 0 repeats the same matrix
  Activation activation;                             // only of floating types
  uint32_t alignment = 256;  // bytes that divide every address that run() gets
};

// A problem with its algorithm. Immutable: may run on several streams at once.
class GemmPlan {
 public:
  virtual ~GemmPlan() = default;
  virtual size_t workspace_bytes() const { return 0; }
  // Queues the product: no allocation, no wait. Throws Error device_failed.
  virtual void run(cudaStream_t stream, const void* a, const void* b, void* c,
                   void* workspace) const = 0;
};

// nullptr where the library is missing or does not do this problem. m, n and batch are positive.
std::unique_ptr<GemmPlan> make_library_gemm(const GemmProblem& problem, int device);
// Every dtype of ONNX's MatMul.
std::unique_ptr<GemmPlan> make_plain_gemm(const GemmProblem& problem);

// Why the library is not there, "" when it is.
std::string missing_blas();

}  // namespace ferry::cuda
