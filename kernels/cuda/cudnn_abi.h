#pragma once

#include <cuda_runtime.h>

#include <cstdint>

// The part of cuDNN 9's backend interface that Ferry uses, so that it builds where the library's
// headers are not installed. tests/kernels/cuda/vendor_abi_test.cc compares it with NVIDIA's
// headers where they are. Names are NVIDIA's without their prefix.
namespace ferry::cuda::cudnn {

using Handle = void*;
using Descriptor = void*;

inline constexpr int kSuccess = 0;

enum DescriptorType : int {
  kConvolution = 1,
  kEngine = 2,
  kEngineConfig = 3,
  kEngineHeuristics = 4,
  kExecutionPlan = 5,
  kOperationForward = 10,
  kOperationBackwardData = 12,
  kOperationGraph = 15,
  kVariantPack = 16,
  kTensor = 17,
};

enum AttributeType : int {
  kTypeHandle = 0,
  kTypeDataType = 1,
  kTypeInt64 = 3,
  kTypeFloat = 4,
  kTypeDouble = 5,
  kTypePointer = 6,
  kTypeConvolutionMode = 7,
  kTypeHeuristicMode = 8,
  kTypeNumericalNote = 11,
  kTypeDescriptor = 15,
};

enum Attribute : int {
  kConvolutionComputeType = 100,
  kConvolutionMode = 101,
  kConvolutionDilations = 102,
  kConvolutionStrides = 103,
  kConvolutionPostPaddings = 104,
  kConvolutionPrePaddings = 105,
  kConvolutionSpatialDims = 106,
  kHeuristicsMode = 200,
  kHeuristicsGraph = 201,
  kHeuristicsResults = 202,
  kEngineConfigEngine = 300,
  kPlanHandle = 400,
  kPlanEngineConfig = 401,
  kPlanWorkspaceSize = 402,
  kForwardAlpha = 700,
  kForwardBeta = 701,
  kForwardConvolution = 702,
  kForwardW = 703,
  kForwardX = 704,
  kForwardY = 705,
  kBackwardDataAlpha = 706,
  kBackwardDataBeta = 707,
  kBackwardDataConvolution = 708,
  kBackwardDataW = 709,
  kBackwardDataX = 710,
  kBackwardDataY = 711,
  kGraphHandle = 800,
  kGraphOperations = 801,
  kTensorAlignment = 900,
  kTensorDataType = 901,
  kTensorDimensions = 902,
  kTensorStrides = 903,
  kTensorId = 906,
  kPackIds = 1000,
  kPackPointers = 1001,
  kPackWorkspace = 1003,
  kEngineNumericalNotes = 1303,
};

enum DataType : int { kFloat = 0, kDouble = 1, kHalf = 2, kBFloat16 = 9 };
inline constexpr int kCrossCorrelation = 1;          // cudnnConvolutionMode_t
inline constexpr int kModeFallback = 2, kModeA = 3;  // cudnnBackendHeurMode_t
enum NumericalNote : int {
  kTensorCore = 0,
  kDownConvertInputs = 1,
  kReducedPrecisionReduction = 2,
  kNondeterministic = 4,
};
inline constexpr int kMaxNumericalNotes = 32;

using CreateFn = int(Handle*);
using SetStreamFn = int(Handle, cudaStream_t);
using CreateDescriptorFn = int(int type, Descriptor*);
using DescriptorFn = int(Descriptor);
using SetAttributeFn = int(Descriptor, int name, int type, int64_t count, const void* values);
using GetAttributeFn = int(Descriptor, int name, int type, int64_t wanted, int64_t* count,
                           void* values);
using ExecuteFn = int(Handle, Descriptor plan, Descriptor pack);

}  // namespace ferry::cuda::cudnn
