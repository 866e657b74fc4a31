#pragma once

// Before a function that kernels of every device call: nvcc compiles it for the host and for GPUs.
#ifdef __CUDACC__
#define FERRY_HOST_DEVICE __host__ __device__
#else
#define FERRY_HOST_DEVICE
#endif
