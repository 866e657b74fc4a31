# The CUDA backend: compiled for the emulated GPU (this folder) and for GPUs (plugin/).
set(FERRY_CUDA_SOURCES
  devices/cuda/backend.cc
  devices/cuda/error.cc
  devices/cuda/fault_word.cc
  devices/cuda/plugin.cc
  devices/cuda/staging.cc
  devices/cuda/stream.cc
  kernels/cuda/blas_plain.cu
  kernels/cuda/generator.cu
  kernels/cuda/logical.cu
  kernels/cuda/math_binary.cu
  kernels/cuda/math_cumsum.cu
  kernels/cuda/math_matrix.cu
  kernels/cuda/math_softmax.cu
  kernels/cuda/math_unary.cu
  kernels/cuda/reduction.cu
  kernels/cuda/table.cc
  kernels/cuda/tensor_gather.cu
  kernels/cuda/tensor_map.cu
  kernels/cuda/tensor_move.cu
  kernels/cuda/tensor_pad.cu
  kernels/cuda/tensor_shape.cc
  kernels/cuda/walk.cu)
list(TRANSFORM FERRY_CUDA_SOURCES PREPEND ${PROJECT_SOURCE_DIR}/)
