#include <cstdlib>
#include <stdexcept>

#include "tests/devices/emulation_support.h"

// Streams, events, host work, lost devices and injected failures.
namespace ferry::emulation {
namespace {

using cuda::launch;

using StreamTest = EmulationTest;

constexpr int kCount = 4096;

__global__ void add_kernel(const float* a, const float* b, float* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = a[i] + b[i];
}

// Two uploads, one kernel and one download, each on a stream of its own.
class Pipeline {
 public:
  // `kernel_waits`: whether the kernel's stream waits for the upload, as it must.
  bool run(bool kernel_waits) {
    for (int i = 0; i < kCount; ++i) host_in_[i] = static_cast<float>(i + round_);
    ++round_;
    for (int i = 0; i < kCount; ++i) host_out_[i] = -1;
    const size_t bytes = in_.bytes();
    EXPECT_CUDA(cudaMemcpyAsync(in_.data(), host_in_.data(), bytes, cudaMemcpyHostToDevice, up_));
    EXPECT_CUDA(cudaEventRecord(uploaded_, up_));
    if (kernel_waits) {
      EXPECT_CUDA(cudaStreamWaitEvent(compute_, uploaded_));
    }
    EXPECT_CUDA(launch<add_kernel>(kCount / 256, 256, 0, compute_, in_.data(), in_.data(),
                                   out_.data(), kCount));
    EXPECT_CUDA(cudaEventRecord(computed_, compute_));
    EXPECT_CUDA(cudaStreamWaitEvent(down_, computed_));
    EXPECT_CUDA(
        cudaMemcpyAsync(host_out_.data(), out_.data(), bytes, cudaMemcpyDeviceToHost, down_));
    EXPECT_CUDA(cudaStreamSynchronize(down_));
    bool right = true;
    for (int i = 0; i < kCount; ++i) right = right && host_out_[i] == 2 * host_in_[i];
    EXPECT_CUDA(cudaDeviceSynchronize());
    return right;
  }

 private:
  TestStream up_, compute_, down_;
  TestEvent uploaded_, computed_;
  DeviceArray<float> in_{kCount}, out_{kCount};
  PinnedArray<float> host_in_{kCount}, host_out_{kCount};
  int round_ = 1;
};

TEST_F(StreamTest, EventsOrderStreams) {
  for (const StreamMode mode : {StreamMode::threads, StreamMode::lazy}) {
    for (uint64_t seed = 0; seed < 10; ++seed) {
      configure({.mode = mode, .seed = seed, .max_delay_us = 100});
      Pipeline pipeline;
      for (int i = 0; i < 3; ++i) EXPECT_TRUE(pipeline.run(true)) << "seed " << seed;
    }
  }
}

#if defined(__SANITIZE_THREAD__)
TEST_F(StreamTest, AMissingWaitIsADataRace) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const auto race = [] {
    Pipeline().run(false);
    std::exit(0);  // ThreadSanitizer changes the code when it has reported a race
  };
  EXPECT_EXIT(race(), ::testing::ExitedWithCode(66), "data race");
}
#else
TEST_F(StreamTest, AMissingWaitGivesWrongDataForSomeSeeds) {
  for (const StreamMode mode : {StreamMode::threads, StreamMode::lazy}) {
    int wrong = 0;
    for (uint64_t seed = 0; seed < 20; ++seed) {
      configure({.mode = mode, .seed = seed, .max_delay_us = 300});
      Pipeline pipeline;
      bool right = true;
      for (int i = 0; i < 3; ++i) right = pipeline.run(false) && right;
      wrong += !right;
    }
    EXPECT_GE(wrong, 10) << (mode == StreamMode::lazy ? "lazy" : "threads");
  }
}
#endif

TEST_F(StreamTest, LazyOrderIsFixedByTheSeed) {
  const auto order = [](uint64_t seed) {
    configure({.mode = StreamMode::lazy, .seed = seed});
    const TestStream a, b, c;
    std::string text;
    for (int i = 0; i < 5; ++i) {
      for (const auto& [stream, name] :
           {std::pair<cudaStream_t, char>{a, 'a'}, {b, 'b'}, {c, 'c'}}) {
        EXPECT_CUDA(queue_host_work("note", stream, [&text, name = name] { text += name; }));
      }
    }
    EXPECT_CUDA(cudaDeviceSynchronize());
    return text;
  };
  EXPECT_EQ(order(1), order(1));
  EXPECT_NE(order(1), order(2));
}

TEST_F(StreamTest, EventsTellWhetherAndWhen) {
  configure({.mode = StreamMode::lazy});
  const TestStream stream;
  const TestEvent start(cudaEventDefault), end(cudaEventDefault), untimed, never(cudaEventDefault);
  EXPECT_CUDA(cudaEventQuery(never));  // never recorded: nothing to wait for
  EXPECT_CUDA(cudaEventSynchronize(never));
  ASSERT_CUDA(cudaEventRecord(start, stream));
  ASSERT_CUDA(cudaEventRecord(end, stream));
  float milliseconds = -1;
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, start, end), cudaErrorNotReady);
  EXPECT_EQ(cudaEventQuery(end), cudaErrorNotReady);  // asking runs one operation
  EXPECT_CUDA(cudaEventQuery(end));
  EXPECT_CUDA(cudaEventElapsedTime(&milliseconds, start, end));
  EXPECT_GE(milliseconds, 0);
  ASSERT_CUDA(cudaEventRecord(untimed, stream));
  EXPECT_CUDA(cudaEventSynchronize(untimed));
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, start, untimed), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, start, never), cudaErrorInvalidResourceHandle);
}

TEST_F(StreamTest, StreamQueryTellsWhetherWorkIsLeft) {
  configure({.mode = StreamMode::lazy});
  const TestStream stream;
  EXPECT_CUDA(cudaStreamQuery(stream));
  for (int i = 0; i < 2; ++i) ASSERT_CUDA(queue_host_work("nothing", stream, [] {}));
  EXPECT_EQ(cudaStreamQuery(stream), cudaErrorNotReady);
  EXPECT_CUDA(cudaStreamQuery(stream));
}

TEST_F(StreamTest, TheNullStreamIsRefused) {
  const DeviceArray<float> memory(16);
  const TestEvent event;
  void* pointer = nullptr;
  const cudaStream_t null = nullptr;
  EXPECT_EQ(launch<add_kernel>(1, 1, 0, null, memory.data(), memory.data(), memory.data(), 1),
            cudaErrorInvalidResourceHandle);
  EXPECT_NE(diagnosis().find("the null stream"), std::string::npos) << diagnosis();
  EXPECT_EQ(cudaMemsetAsync(memory.data(), 0, 4, null), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaMallocAsync(&pointer, 4, null), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaFreeAsync(memory.data(), null), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaStreamSynchronize(null), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaStreamWaitEvent(null, event), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaEventRecord(event, null), cudaErrorInvalidResourceHandle);
  cudaStream_t blocking = nullptr;
  EXPECT_EQ(cudaStreamCreateWithFlags(&blocking, 0), cudaErrorInvalidValue);
}

TEST_F(StreamTest, WorkBelongsToTheDeviceOfItsStream) {
  ASSERT_CUDA(cudaSetDevice(1));
  const TestStream of_one;
  ASSERT_CUDA(cudaSetDevice(0));
  const TestEvent of_zero;
  const DeviceArray<float> memory(1);
  EXPECT_EQ(launch<add_kernel>(1, 1, 0, of_one, memory.data(), memory.data(), memory.data(), 1),
            cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaEventRecord(of_zero, of_one), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaSetDevice(2), cudaErrorInvalidDevice);
  EXPECT_EQ(cudaSetDevice(-1), cudaErrorInvalidDevice);
}

TEST_F(StreamTest, DevicesAreCounted) {
  int count = -1;
  cudaDeviceProp properties{};
  ASSERT_CUDA(cudaGetDeviceCount(&count));
  EXPECT_EQ(count, 2);
  ASSERT_CUDA(cudaGetDeviceProperties(&properties, 1));
  EXPECT_STREQ(properties.name, "emulated sm_90");
  EXPECT_EQ(properties.totalGlobalMem, size_t{16} << 30);
  EXPECT_EQ(cudaGetDeviceProperties(&properties, 2), cudaErrorInvalidDevice);
  configure({.devices = 0});
  EXPECT_EQ(cudaGetDeviceCount(&count), cudaErrorNoDevice);
  EXPECT_EQ(count, 0);
  void* pointer = nullptr;
  EXPECT_EQ(cudaMalloc(&pointer, 4), cudaErrorNoDevice);
}

TEST_F(StreamTest, HostWorkRunsInOrderAndMayTouchDeviceMemory) {
  const TestStream stream;
  const DeviceArray<float> a(std::vector<float>{1, 2}), out(2);
  ASSERT_CUDA(launch<add_kernel>(1, 2, 0, stream, a.data(), a.data(), out.data(), 2));
  ASSERT_CUDA(queue_host_work("scale", stream, [&] {
    auto* values = static_cast<float*>(kernel_view(out.data()));
    for (int i = 0; i < 2; ++i) values[i] *= 10;
  }));
  EXPECT_EQ(out.read(stream), (std::vector<float>{20, 40}));
  ASSERT_CUDA(queue_host_work("gemm", stream, [] { throw std::runtime_error("no algorithm"); }));
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaErrorLaunchFailure);
  EXPECT_EQ(diagnosis(), "gemm: no algorithm");
}

TEST_F(StreamTest, WorkAfterAFailureDoesNothing) {
  const TestStream stream;
  const DeviceArray<int> memory(std::vector<int>{1});
  const PinnedArray<int> host(1);
  host[0] = 7;
  ASSERT_CUDA(queue_host_work("bad", stream, [] { throw std::runtime_error("bad"); }));
  cudaMemcpyAsync(host.data(), memory.data(), 4, cudaMemcpyDeviceToHost, stream);
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaErrorLaunchFailure);
  EXPECT_EQ(host[0], 7);
}

// One of everything; stops at the first error. Gives back what it took.
cudaError_t exercise() {
  cudaStream_t stream = nullptr;
  cudaEvent_t event = nullptr;
  void *device = nullptr, *host = nullptr, *ordered = nullptr;
  cudaError_t error = cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
  if (!error) error = cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
  if (!error) error = cudaMalloc(&device, 64);
  if (!error) error = cudaHostAlloc(&host, 64, cudaHostAllocDefault);
  if (!error) error = cudaMallocAsync(&ordered, 64, stream);
  if (!error) error = cudaMemcpyAsync(device, host, 64, cudaMemcpyHostToDevice, stream);
  if (!error) error = cudaMemsetAsync(ordered, 0, 64, stream);
  if (!error) error = cudaEventRecord(event, stream);
  if (!error) error = cudaStreamWaitEvent(stream, event);
  if (!error) error = cudaEventSynchronize(event);
  if (!error) error = cudaStreamSynchronize(stream);
  if (ordered) cudaFreeAsync(ordered, stream);
  if (stream) cudaStreamDestroy(stream);
  if (event) cudaEventDestroy(event);
  cudaFree(device);
  cudaFreeHost(host);
  return error;
}

TEST_F(StreamTest, EveryCallCanBeMadeToFail) {
  configure({});
  ASSERT_CUDA(exercise());
  const int64_t calls = api_calls();
  EXPECT_EQ(calls, 11);
  for (const bool sticky : {false, true}) {
    for (int64_t call = 1; call <= calls; ++call) {
      configure({.failure = {call, cudaErrorUnknown, sticky}});
      EXPECT_EQ(exercise(), cudaErrorUnknown) << call;
      EXPECT_EQ(diagnosis(), "injected failure");
      EXPECT_EQ(exercise(), sticky ? cudaErrorUnknown : cudaSuccess) << call;
    }
  }
}

TEST_F(StreamTest, TheLastErrorIsReportedOnce) {
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  void* pointer = nullptr;
  configure({.memory_limit = 0});
  EXPECT_EQ(cudaMalloc(&pointer, 4), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaPeekAtLastError(), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  EXPECT_STREQ(cudaGetErrorName(cudaErrorMemoryAllocation), "cudaErrorMemoryAllocation");
  EXPECT_STREQ(cudaGetErrorString(cudaErrorMemoryAllocation), "out of memory");
}

}  // namespace
}  // namespace ferry::emulation
