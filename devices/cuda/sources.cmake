# The CUDA backend: compiled for the emulated GPU (this folder) and for GPUs (plugin/).
set(FERRY_CUDA_SOURCES
  devices/cuda/backend.cc
  devices/cuda/error.cc
  devices/cuda/fault_word.cc
  devices/cuda/plugin.cc
  devices/cuda/staging.cc
  devices/cuda/stream.cc
  kernels/cuda/blas_plain.cu
  kernels/cuda/math_binary.cu
  kernels/cuda/math_matrix.cu
  kernels/cuda/math_unary.cu
  kernels/cuda/table.cc
  kernels/cuda/walk.cc)
list(TRANSFORM FERRY_CUDA_SOURCES PREPEND ${PROJECT_SOURCE_DIR}/)
