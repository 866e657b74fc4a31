#include <cublasLt.h>
#include <cudnn.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <type_traits>

#include "kernels/cuda/cublaslt_abi.h"
#include "kernels/cuda/cudnn_abi.h"

// Our declarations of the vendor libraries against NVIDIA's headers.
namespace ferry::cuda {
namespace {

struct Number {
  const char* name;
  int ours, theirs;
};

#define SAME(ours, theirs) \
  Number { #theirs, static_cast < int>(ours), static_cast < int>(theirs) }

TEST(VendorAbiTest, CublasLtNumbers) {
  const Number numbers[] = {
      SAME(cublaslt::kSuccess, CUBLAS_STATUS_SUCCESS),
      SAME(cublaslt::kReal32F, CUDA_R_32F),
      SAME(cublaslt::kReal64F, CUDA_R_64F),
      SAME(cublaslt::kReal16F, CUDA_R_16F),
      SAME(cublaslt::kReal16BF, CUDA_R_16BF),
      SAME(cublaslt::kCompute32F, CUBLAS_COMPUTE_32F),
      SAME(cublaslt::kCompute64F, CUBLAS_COMPUTE_64F),
      SAME(cublaslt::kOpN, CUBLAS_OP_N),
      SAME(cublaslt::kOpT, CUBLAS_OP_T),
      SAME(cublaslt::kDescTransA, CUBLASLT_MATMUL_DESC_TRANSA),
      SAME(cublaslt::kDescTransB, CUBLASLT_MATMUL_DESC_TRANSB),
      SAME(cublaslt::kLayoutBatchCount, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT),
      SAME(cublaslt::kLayoutBatchOffset, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET),
      SAME(cublaslt::kPreferenceMaxWorkspace, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES),
      SAME(cublaslt::kPreferenceAlignmentA, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES),
      SAME(cublaslt::kPreferenceAlignmentB, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES),
      SAME(cublaslt::kPreferenceAlignmentC, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES),
      SAME(cublaslt::kPreferenceAlignmentD, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES),
  };
  for (const Number& n : numbers) EXPECT_EQ(n.ours, n.theirs) << n.name;
}

TEST(VendorAbiTest, CublasLtStructures) {
  using Theirs = cublasLtMatmulHeuristicResult_t;
  EXPECT_EQ(sizeof(cublaslt::Algorithm), sizeof(cublasLtMatmulAlgo_t));
  EXPECT_EQ(sizeof(cublaslt::HeuristicResult), sizeof(Theirs));
  EXPECT_EQ(offsetof(cublaslt::HeuristicResult, workspace_bytes), offsetof(Theirs, workspaceSize));
  EXPECT_EQ(offsetof(cublaslt::HeuristicResult, state), offsetof(Theirs, state));
  EXPECT_EQ(offsetof(cublaslt::HeuristicResult, waves), offsetof(Theirs, wavesCount));
}

TEST(VendorAbiTest, CudnnNumbers) {
  const Number numbers[] = {
      SAME(cudnn::kSuccess, CUDNN_STATUS_SUCCESS),
      SAME(cudnn::kConvolution, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR),
      SAME(cudnn::kEngine, CUDNN_BACKEND_ENGINE_DESCRIPTOR),
      SAME(cudnn::kEngineConfig, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR),
      SAME(cudnn::kEngineHeuristics, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR),
      SAME(cudnn::kExecutionPlan, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR),
      SAME(cudnn::kOperationForward, CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR),
      SAME(cudnn::kOperationBackwardData,
           CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR),
      SAME(cudnn::kOperationGraph, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR),
      SAME(cudnn::kVariantPack, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR),
      SAME(cudnn::kTensor, CUDNN_BACKEND_TENSOR_DESCRIPTOR),
      SAME(cudnn::kTypeHandle, CUDNN_TYPE_HANDLE),
      SAME(cudnn::kTypeDataType, CUDNN_TYPE_DATA_TYPE),
      SAME(cudnn::kTypeInt64, CUDNN_TYPE_INT64),
      SAME(cudnn::kTypeFloat, CUDNN_TYPE_FLOAT),
      SAME(cudnn::kTypeDouble, CUDNN_TYPE_DOUBLE),
      SAME(cudnn::kTypePointer, CUDNN_TYPE_VOID_PTR),
      SAME(cudnn::kTypeConvolutionMode, CUDNN_TYPE_CONVOLUTION_MODE),
      SAME(cudnn::kTypeHeuristicMode, CUDNN_TYPE_HEUR_MODE),
      SAME(cudnn::kTypeNumericalNote, CUDNN_TYPE_NUMERICAL_NOTE),
      SAME(cudnn::kTypeDescriptor, CUDNN_TYPE_BACKEND_DESCRIPTOR),
      SAME(cudnn::kConvolutionComputeType, CUDNN_ATTR_CONVOLUTION_COMP_TYPE),
      SAME(cudnn::kConvolutionMode, CUDNN_ATTR_CONVOLUTION_CONV_MODE),
      SAME(cudnn::kConvolutionDilations, CUDNN_ATTR_CONVOLUTION_DILATIONS),
      SAME(cudnn::kConvolutionStrides, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES),
      SAME(cudnn::kConvolutionPostPaddings, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS),
      SAME(cudnn::kConvolutionPrePaddings, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS),
      SAME(cudnn::kConvolutionSpatialDims, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS),
      SAME(cudnn::kHeuristicsMode, CUDNN_ATTR_ENGINEHEUR_MODE),
      SAME(cudnn::kHeuristicsGraph, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH),
      SAME(cudnn::kHeuristicsResults, CUDNN_ATTR_ENGINEHEUR_RESULTS),
      SAME(cudnn::kEngineConfigEngine, CUDNN_ATTR_ENGINECFG_ENGINE),
      SAME(cudnn::kPlanHandle, CUDNN_ATTR_EXECUTION_PLAN_HANDLE),
      SAME(cudnn::kPlanEngineConfig, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG),
      SAME(cudnn::kPlanWorkspaceSize, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE),
      SAME(cudnn::kForwardAlpha, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA),
      SAME(cudnn::kForwardBeta, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA),
      SAME(cudnn::kForwardConvolution, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC),
      SAME(cudnn::kForwardW, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W),
      SAME(cudnn::kForwardX, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X),
      SAME(cudnn::kForwardY, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y),
      SAME(cudnn::kBackwardDataAlpha, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA),
      SAME(cudnn::kBackwardDataBeta, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA),
      SAME(cudnn::kBackwardDataConvolution, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC),
      SAME(cudnn::kBackwardDataW, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W),
      SAME(cudnn::kBackwardDataX, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX),
      SAME(cudnn::kBackwardDataY, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY),
      SAME(cudnn::kGraphHandle, CUDNN_ATTR_OPERATIONGRAPH_HANDLE),
      SAME(cudnn::kGraphOperations, CUDNN_ATTR_OPERATIONGRAPH_OPS),
      SAME(cudnn::kTensorAlignment, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT),
      SAME(cudnn::kTensorDataType, CUDNN_ATTR_TENSOR_DATA_TYPE),
      SAME(cudnn::kTensorDimensions, CUDNN_ATTR_TENSOR_DIMENSIONS),
      SAME(cudnn::kTensorStrides, CUDNN_ATTR_TENSOR_STRIDES),
      SAME(cudnn::kTensorId, CUDNN_ATTR_TENSOR_UNIQUE_ID),
      SAME(cudnn::kPackIds, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS),
      SAME(cudnn::kPackPointers, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS),
      SAME(cudnn::kPackWorkspace, CUDNN_ATTR_VARIANT_PACK_WORKSPACE),
      SAME(cudnn::kEngineNumericalNotes, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE),
      SAME(cudnn::kFloat, CUDNN_DATA_FLOAT),
      SAME(cudnn::kDouble, CUDNN_DATA_DOUBLE),
      SAME(cudnn::kHalf, CUDNN_DATA_HALF),
      SAME(cudnn::kBFloat16, CUDNN_DATA_BFLOAT16),
      SAME(cudnn::kCrossCorrelation, CUDNN_CROSS_CORRELATION),
      SAME(cudnn::kModeFallback, CUDNN_HEUR_MODE_FALLBACK),
      SAME(cudnn::kModeA, CUDNN_HEUR_MODE_A),
      SAME(cudnn::kTensorCore, CUDNN_NUMERICAL_NOTE_TENSOR_CORE),
      SAME(cudnn::kDownConvertInputs, CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS),
      SAME(cudnn::kReducedPrecisionReduction, CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION),
      SAME(cudnn::kNondeterministic, CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC),
  };
  for (const Number& n : numbers) EXPECT_EQ(n.ours, n.theirs) << n.name;
  EXPECT_LE(CUDNN_NUMERICAL_NOTE_TYPE_COUNT, cudnn::kMaxNumericalNotes);
}

}  // namespace
}  // namespace ferry::cuda
