#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cmath>
#include <numeric>

#include "tests/devices/emulation_support.h"

// The device language: thread indices, barriers, warp functions, shared memory, and the mistakes
// in kernels that must be diagnosed.
namespace ferry::emulation {
namespace {

using cuda::launch;

class KernelTest : public EmulationTest, public ::testing::WithParamInterface<ThreadOrder> {
 protected:
  void SetUp() override {
    EmulationTest::SetUp();
    configure({.order = GetParam(), .alignment = 16});
  }
};
INSTANTIATE_TEST_SUITE_P(Orders, KernelTest,
                         ::testing::Values(ThreadOrder::forward, ThreadOrder::reverse),
                         [](const auto& instance) {
                           return instance.param == ThreadOrder::forward ? "forward" : "reverse";
                         });

__global__ void indices_kernel(int* out) {
  const int block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  const int thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  const int threads = blockDim.x * blockDim.y * blockDim.z;
  out[block * threads + thread] = block * threads + thread;
}

TEST_P(KernelTest, EveryThreadOfEveryBlockRunsOnce) {
  const TestStream stream;
  const DeviceArray<int> out(2 * 3 * 4 * (5 * 6 * 7));
  const uint64_t blocks = counters().blocks;
  ASSERT_CUDA(launch<indices_kernel>({2, 3, 4}, {5, 6, 7}, 0, stream, out.data()));
  std::vector<int> expected(2 * 3 * 4 * (5 * 6 * 7));
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(out.read(stream), expected);
  EXPECT_EQ(counters().blocks - blocks, 24u);
}

__global__ void add_kernel(const float* a, const float* b, float* out, int64_t n) {
  const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i < n) out[i] = a[i] + b[i];
}

TEST_P(KernelTest, AKernelWithoutBarriersIsALoopOnOneStack) {
  const TestStream stream;
  const DeviceArray<float> a(std::vector<float>(1000, 1.5f)), b(std::vector<float>(1000, 2.0f));
  const DeviceArray<float> out(1000);
  const uint64_t switches = counters().stack_switches;
  ASSERT_CUDA(launch<add_kernel>(4, 256, 0, stream, a.data(), b.data(), out.data(), 1000));
  EXPECT_EQ(out.read(stream), std::vector<float>(1000, 3.5f));
  EXPECT_EQ(counters().stack_switches - switches, 2u);  // in and out again
}

// Sums by halving; the first `threads` threads of the block return early when `early_exit` is set.
__global__ void reduce_kernel(const int* in, int* out, bool early_exit) {
  FERRY_DYNAMIC_SHARED(int, partial);
  const unsigned t = threadIdx.x;
  partial[t] = in[blockIdx.x * blockDim.x + t];
  __syncthreads();
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    if (early_exit && t >= 2 * half) return;  // ended threads do not count at a barrier
    if (t < half) partial[t] += partial[t + half];
    __syncthreads();
  }
  if (t == 0) out[blockIdx.x] = partial[0];
}

TEST_P(KernelTest, BarriersOrderSharedMemory) {
  const TestStream stream;
  std::vector<int> values(8 * 512);
  std::iota(values.begin(), values.end(), 0);
  const DeviceArray<int> in(values), out(8);
  for (const bool early_exit : {false, true}) {
    ASSERT_CUDA(launch<reduce_kernel>(8, 512, 512 * sizeof(int), stream, in.data(), out.data(),
                                      early_exit));
    const std::vector<int> sums = out.read(stream);
    for (int block = 0; block < 8; ++block) {
      EXPECT_EQ(sums[block], 512 * (1024 * block + 511) / 2) << block << " " << early_exit;
    }
  }
}

__global__ void reverse_without_barrier_kernel(int* out) {
  __shared__ int values[64];
  values[threadIdx.x] = threadIdx.x;
  out[threadIdx.x] = values[63 - threadIdx.x];
}

TEST_F(EmulationTest, AMissingBarrierShowsInOneOfTheOrders) {
  const TestStream stream;
  const DeviceArray<int> out(64);
  int wrong = 0;
  for (const ThreadOrder order : {ThreadOrder::forward, ThreadOrder::reverse}) {
    configure({.order = order});
    ASSERT_CUDA(launch<reverse_without_barrier_kernel>(1, 64, 0, stream, out.data()));
    const std::vector<int> values = out.read(stream);
    for (int i = 0; i < 64; ++i) wrong += values[i] != 63 - i;
  }
  EXPECT_GT(wrong, 0);
}

__global__ void warp_kernel(int* out) {
  const int lane = threadIdx.x % warpSize;
  int* row = out + 8 * (blockIdx.x * blockDim.x + threadIdx.x);
  int sum = lane;
  for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_xor_sync(~0u, sum, offset);
  row[0] = sum;
  row[1] = __shfl_sync(~0u, lane * 10, 5);
  row[2] = __shfl_up_sync(~0u, lane, 3);
  row[3] = __shfl_down_sync(~0u, lane, 3);
  row[4] = static_cast<int>(__ballot_sync(~0u, lane % 2));
  row[5] = __any_sync(~0u, lane == 31) + 2 * __all_sync(~0u, lane < 31);
  row[6] = __shfl_sync(~0u, lane, 1, 8);
  if (lane < 4) row[7] = __shfl_xor_sync(0xfu, lane, 1);
  __syncwarp();
}

TEST_P(KernelTest, WarpFunctionsExchangeBetweenLanes) {
  const TestStream stream;
  const int threads = 96;
  const DeviceArray<int> out(8 * threads * 2);
  ASSERT_CUDA(launch<warp_kernel>(2, threads, 0, stream, out.data()));
  const std::vector<int> values = out.read(stream);
  for (int i = 0; i < threads * 2; ++i) {
    const int lane = i % threads % 32;
    const int* row = &values[8 * i];
    EXPECT_EQ(row[0], 496);
    EXPECT_EQ(row[1], 50);
    EXPECT_EQ(row[2], lane < 3 ? lane : lane - 3);
    EXPECT_EQ(row[3], lane > 28 ? lane : lane + 3);
    EXPECT_EQ(static_cast<unsigned>(row[4]), 0xaaaaaaaau);
    EXPECT_EQ(row[5], 1);
    EXPECT_EQ(row[6], lane / 8 * 8 + 1);
    if (lane < 4) {
      EXPECT_EQ(row[7], lane ^ 1);
    }
  }
}

__global__ void histogram_kernel(const int* in, int* bins, int* largest, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  atomicAdd(&bins[in[i] % 17], 1);
  atomicMax(largest, in[i]);
}

TEST_P(KernelTest, AtomicsAddUpAcrossBlocks) {
  const TestStream stream;
  std::vector<int> values(5000);
  std::iota(values.begin(), values.end(), 0);
  const DeviceArray<int> in(values), bins(std::vector<int>(17)), largest(std::vector<int>(1));
  ASSERT_CUDA(
      launch<histogram_kernel>(20, 256, 0, stream, in.data(), bins.data(), largest.data(), 5000));
  const std::vector<int> counts = bins.read(stream);
  for (int bin = 0; bin < 17; ++bin) EXPECT_EQ(counts[bin], bin < 5000 % 17 ? 295 : 294);
  EXPECT_EQ(largest.read(stream), std::vector<int>{4999});
}

__global__ void read_fresh_shared_kernel(float* out) {
  FERRY_DYNAMIC_SHARED(float, values);
  out[threadIdx.x] = values[threadIdx.x];
  values[threadIdx.x] = 1.0f;
}

TEST_F(EmulationTest, DynamicSharedMemoryOfABlockStartsAsNaN) {
  const TestStream stream;
  const DeviceArray<float> out(32);
  ASSERT_CUDA(launch<read_fresh_shared_kernel>(2, 32, 128, stream, out.data()));
  for (const float value : out.read(stream)) EXPECT_TRUE(std::isnan(value));
}

struct Sources {
  const float* from[3];
  int count;
};
__global__ void sum_sources_kernel(Sources sources, float* out) {
  float sum = 0;
  for (int i = 0; i < sources.count; ++i) sum += sources.from[i][threadIdx.x];
  out[threadIdx.x] = sum;
}

TEST_F(EmulationTest, PointersInsideStructArgumentsReachTheKernel) {
  const TestStream stream;
  const DeviceArray<float> a(std::vector<float>{1, 2}), b(std::vector<float>{10, 20}), out(2);
  const Sources sources{{a.data(), b.data(), a.data()}, 3};
  ASSERT_CUDA(launch<sum_sources_kernel>(1, 2, 0, stream, sources, out.data()));
  EXPECT_EQ(out.read(stream), (std::vector<float>{12, 24}));
}

__global__ void half_kernel(const __half* half, const __nv_bfloat16* bfloat, float* out) {
  out[0] = static_cast<float>(half[0]);
  out[1] = static_cast<float>(bfloat[0]);
}

TEST_F(EmulationTest, SixteenBitTypesConvertAsOnAGpu) {
  const TestStream stream;
  // 1/3 rounds to 0x3555 (0.33325195) in binary16 and to 0x3eab (0.33398438) in bfloat16.
  const DeviceArray<__half> half(std::vector<__half>{__float2half(1.0f / 3)});
  const DeviceArray<__nv_bfloat16> bfloat(std::vector<__nv_bfloat16>{__float2bfloat16(1.0f / 3)});
  const DeviceArray<float> out(2);
  ASSERT_CUDA(launch<half_kernel>(1, 1, 0, stream, half.data(), bfloat.data(), out.data()));
  EXPECT_EQ(out.read(stream), (std::vector<float>{0.333251953125f, 0.333984375f}));
  EXPECT_EQ(__bfloat16_as_ushort(__float2bfloat16(NAN)), 0x7fff);
  EXPECT_EQ(__half_as_ushort(__float2half(65536.0f)), 0x7c00);
}

// ---- mistakes ---------------------------------------------------------------------------------

// Runs one launch that must fail when it is waited for; returns the diagnosis.
template <auto kKernel, typename... Arguments>
std::string failure_of(cudaError_t expected, unsigned threads, Arguments... arguments) {
  const TestStream stream;
  EXPECT_CUDA(launch<kKernel>(2, threads, 256, stream, arguments...));
  EXPECT_EQ(cudaStreamSynchronize(stream), expected);
  EXPECT_EQ(cudaGetLastError(), expected);
  const std::string text = diagnosis();
  // Sticky: whatever comes next fails alike, until the runtime is told to start anew.
  void* memory = nullptr;
  EXPECT_EQ(cudaMalloc(&memory, 16), expected);
  EXPECT_EQ(cudaStreamSynchronize(stream), expected);
  configure({});
  EXPECT_CUDA(cudaMalloc(&memory, 16));
  EXPECT_CUDA(cudaFree(memory));
  return text;
}

__global__ void divergent_barrier_kernel() {
  if (threadIdx.x % 2 == 0) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}

TEST_F(EmulationTest, ABarrierInDivergentBranchesIsDiagnosed) {
  const std::string text = failure_of<divergent_barrier_kernel>(cudaErrorLaunchFailure, 64);
  EXPECT_NE(text.find("divergent barrier"), text.npos) << text;
  EXPECT_NE(text.find("in ferry::emulation::{anonymous}::divergent_barrier_kernel, block (0,0,0)"),
            text.npos)
      << text;
  EXPECT_NE(text.find("thread (1,0,0)"), text.npos) << text;
}

__global__ void barrier_that_one_skips_kernel(int* out) {
  if (threadIdx.x == 32) {
    out[0] = __shfl_sync(3u, 1, 0);  // lane 1 never comes: it waits below
  } else {
    __syncthreads();
  }
}

TEST_F(EmulationTest, ADeadlockNamesWhoWaitsWhere) {
  const DeviceArray<int> out(1);
  const std::string text =
      failure_of<barrier_that_one_skips_kernel>(cudaErrorLaunchFailure, 34, out.data());
  EXPECT_NE(text.find("deadlock: of 34 live threads 33 wait at __syncthreads and 1 in warp"),
            text.npos)
      << text;
}

__global__ void lane_outside_its_mask_kernel() { __shfl_sync(0x1u, 1, 0); }

TEST_F(EmulationTest, ALaneOutsideItsMaskIsDiagnosed) {
  const std::string text = failure_of<lane_outside_its_mask_kernel>(cudaErrorLaunchFailure, 2);
  EXPECT_NE(text.find("lane 1, which its mask leaves out"), text.npos) << text;
}

__global__ void deep_recursion_kernel(int* out, int depth) {
  volatile int frame[256];
  frame[depth % 256] = depth;
  if (depth > 0) deep_recursion_kernel(out, depth - 1);
  out[0] = frame[depth % 256];
}

TEST_F(EmulationTest, AStackOverflowIsDiagnosed) {
  const DeviceArray<int> out(1);
  const std::string text =
      failure_of<deep_recursion_kernel>(cudaErrorLaunchFailure, 1, out.data(), 1000);
  EXPECT_NE(text.find("overflowed its stack"), text.npos) << text;
}

TEST_F(EmulationTest, AfterAFailedKernelTheNextOneRunsClean) {
  failure_of<divergent_barrier_kernel>(cudaErrorLaunchFailure, 64);
  const TestStream stream;
  const DeviceArray<int> in(std::vector<int>(128, 1)), out(1);
  ASSERT_CUDA(launch<reduce_kernel>(1, 128, 512, stream, in.data(), out.data(), false));
  EXPECT_EQ(out.read(stream), std::vector<int>{128});
}

TEST_F(EmulationTest, LaunchesBeyondTheLimitsAreRefused) {
  struct Case {
    dim3 grid, block;
    size_t shared_bytes;
    cudaError_t error;
  };
  const Case cases[] = {
      {{1}, {1025}, 0, cudaErrorInvalidConfiguration},
      {{1}, {32, 33}, 0, cudaErrorInvalidConfiguration},
      {{1}, {1, 1, 65}, 0, cudaErrorInvalidConfiguration},
      {{0}, {1}, 0, cudaErrorInvalidConfiguration},
      {{1}, {0}, 0, cudaErrorInvalidConfiguration},
      {{1, 65536}, {1}, 0, cudaErrorInvalidConfiguration},
      {{1}, {1}, kMaxSharedBytes + 1, cudaErrorInvalidValue},
      {{1}, {1}, kMaxSharedBytes, cudaSuccess},
  };
  const TestStream stream;
  const DeviceArray<float> out(1);
  for (const Case& c : cases) {
    EXPECT_EQ(launch<read_fresh_shared_kernel>(c.grid, c.block, c.shared_bytes, stream, out.data()),
              c.error)
        << c.grid.x << " " << c.block.x << " " << c.shared_bytes;
  }
}

}  // namespace
}  // namespace ferry::emulation
