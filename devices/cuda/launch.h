#pragma once

#include <cuda_runtime.h>

// How a kernel is launched: the only place where the build for GPUs (nvcc) and the build for the
// emulated GPU (g++, FERRY_EMULATED_CUDA) differ for the author of a .cu file.
//
//   launch<add_kernel<float>>(grid, block, shared_bytes, stream, a, b, out, n);
//
// converts the arguments to the kernel's parameter types and returns the launch's error.
// FERRY_DYNAMIC_SHARED(T, name) declares, inside a kernel, the `shared_bytes` of its launch.
namespace ferry::cuda {

#ifdef FERRY_EMULATED_CUDA

template <auto kKernel, typename... Arguments>
cudaError_t launch(dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream,
                   Arguments... arguments) {
  return emulation::launch_kernel<kKernel>(kKernel, __PRETTY_FUNCTION__, grid, block, shared_bytes,
                                           stream, arguments...);
}

#define FERRY_DYNAMIC_SHARED(T, name) \
  T* name = static_cast<T*>(::ferry::emulation::dynamic_shared_memory())

#else

template <auto kKernel, typename... Arguments>
cudaError_t launch(dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream,
                   Arguments... arguments) {
  // clang-format takes <<< for shifts.
  // clang-format off
  kKernel<<<grid, block, shared_bytes, stream>>>(arguments...);
  // clang-format on
  return cudaGetLastError();
}

#define FERRY_DYNAMIC_SHARED(T, name)                                   \
  extern __shared__ __align__(16) unsigned char ferry_dynamic_shared[]; \
  T* name = reinterpret_cast<T*>(ferry_dynamic_shared)

#endif

}  // namespace ferry::cuda
