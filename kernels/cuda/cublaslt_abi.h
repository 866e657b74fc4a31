#pragma once

#include <cuda_runtime.h>

#include <cstdint>

// The part of cuBLASLt's binary interface that Ferry uses, so that it builds where the library's
// headers are not installed. tests/kernels/cuda/vendor_abi_test.cc compares it with NVIDIA's
// headers where they are. Names are NVIDIA's without their prefix.
namespace ferry::cuda::cublaslt {

using Handle = void*;
using MatmulDesc = void*;
using MatrixLayout = void*;
using Preference = void*;

struct Algorithm {
  uint64_t data[8];
};
struct HeuristicResult {
  Algorithm algorithm;
  size_t workspace_bytes;
  int state;  // kSuccess: the other members are valid
  float waves;
  int reserved[4];
};

inline constexpr int kSuccess = 0;

inline constexpr int kReal32F = 0, kReal64F = 1, kReal16F = 2, kReal16BF = 14;  // cudaDataType
inline constexpr int kCompute32F = 68, kCompute64F = 70;  // cublasComputeType_t: no TF32
inline constexpr int32_t kOpN = 0, kOpT = 1;              // cublasOperation_t

inline constexpr int kDescTransA = 3, kDescTransB = 4;  // cublasLtMatmulDescAttributes_t
inline constexpr int kLayoutBatchCount = 5, kLayoutBatchOffset = 6;  // ...MatrixLayoutAttribute_t
inline constexpr int kPreferenceMaxWorkspace = 1;                    // ...PreferenceAttributes_t
inline constexpr int kPreferenceAlignmentA = 5, kPreferenceAlignmentB = 6,
                     kPreferenceAlignmentC = 7, kPreferenceAlignmentD = 8;

using CreateFn = int(Handle*);
using MatmulDescCreateFn = int(MatmulDesc*, int compute_type, int scale_type);
using DestroyFn = int(void*);
using SetAttributeFn = int(void*, int attribute, const void* value, size_t bytes);
using MatrixLayoutCreateFn = int(MatrixLayout*, int type, uint64_t rows, uint64_t columns,
                                 int64_t leading);
using PreferenceCreateFn = int(Preference*);
using GetHeuristicFn = int(Handle, MatmulDesc, MatrixLayout a, MatrixLayout b, MatrixLayout c,
                           MatrixLayout d, Preference, int wanted, HeuristicResult* results,
                           int* found);
using MatmulFn = int(Handle, MatmulDesc, const void* alpha, const void* a, MatrixLayout,
                     const void* b, MatrixLayout, const void* beta, const void* c, MatrixLayout,
                     void* d, MatrixLayout, const Algorithm*, void* workspace, size_t bytes,
                     cudaStream_t);

}  // namespace ferry::cuda::cublaslt
