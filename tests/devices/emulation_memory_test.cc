#include <cmath>
#include <cstring>

#include "tests/devices/emulation_support.h"

// Allocation, copies, and accesses that no device memory allows.
namespace ferry::emulation {
namespace {

using cuda::launch;

using MemoryTest = EmulationTest;
using MemoryDeathTest = EmulationTest;

__global__ void write_at_kernel(float* data, int64_t index) { data[index] = 1.0f; }

// The error and diagnosis of writing element `index` of `data`.
std::pair<cudaError_t, std::string> write_at(float* data, int64_t index) {
  const TestStream stream;
  EXPECT_CUDA(launch<write_at_kernel>(1, 1, 0, stream, data, index));
  const cudaError_t error = cudaStreamSynchronize(stream);
  return {error, diagnosis()};
}

TEST_F(MemoryTest, FreshMemoryIsNaN) {
  const TestStream stream;
  const DeviceArray<float> plain(100);
  for (const float value : plain.read(stream)) EXPECT_TRUE(std::isnan(value));
  void* ordered = nullptr;
  ASSERT_CUDA(cudaMallocAsync(&ordered, 400, stream));
  std::vector<float> values(100);
  ASSERT_CUDA(cudaMemcpyAsync(values.data(), ordered, 400, cudaMemcpyDeviceToHost, stream));
  for (const float value : values) EXPECT_TRUE(std::isnan(value));
  ASSERT_CUDA(cudaFreeAsync(ordered, stream));
  ASSERT_CUDA(cudaStreamSynchronize(stream));
}

TEST_F(MemoryTest, NoBytesAreNoPointer) {
  void* pointer = this;
  ASSERT_CUDA(cudaMalloc(&pointer, 0));
  EXPECT_EQ(pointer, nullptr);
  EXPECT_CUDA(cudaFree(nullptr));
}

TEST_F(MemoryTest, AddressesHaveTheAlignmentAsked) {
  for (const size_t bytes : {1, 4, 255, 256, 4096, 4097}) {
    const DeviceArray<char> memory(bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory.data()) % 256, 0u) << bytes;
  }
}

TEST_F(MemoryTest, WritesFarOutsideFaultAtOnce) {
  for (const int64_t index : {int64_t{200}, int64_t{-1000}}) {  // the pages after and before
    const DeviceArray<float> data(100);
    const auto [error, text] = write_at(data.data(), index);
    EXPECT_EQ(error, cudaErrorIllegalAddress);
    EXPECT_NE(text.find("out of bounds"), text.npos) << text;
    EXPECT_NE(text.find("write_at_kernel"), text.npos) << text;
    configure({});
  }
}

#if !defined(__SANITIZE_ADDRESS__)  // which stops these two at the access itself
TEST_F(MemoryTest, AWriteIntoTheSlackIsFoundWhenTheMemoryIsFreed) {
  void* data = nullptr;
  ASSERT_CUDA(cudaMalloc(&data, 400));
  EXPECT_EQ(write_at(static_cast<float*>(data), 100).first, cudaSuccess);
  EXPECT_EQ(cudaFree(data), cudaErrorIllegalAddress);
  EXPECT_NE(diagnosis().find("bytes just after allocation"), std::string::npos) << diagnosis();
}

TEST_F(MemoryTest, AWriteIntoTheSlackBeforeIsFoundToo) {
  void* data = nullptr;
  ASSERT_CUDA(cudaMalloc(&data, 400));
  EXPECT_EQ(write_at(static_cast<float*>(data), -1).first, cudaSuccess);
  EXPECT_EQ(cudaFree(data), cudaErrorIllegalAddress);
  EXPECT_NE(diagnosis().find("bytes just before allocation"), std::string::npos) << diagnosis();
}
#endif

TEST_F(MemoryTest, SmallAlignmentFindsAnOverrunByOne) {
  configure({.alignment = 16});
  const DeviceArray<float> data(100);
  const auto [error, text] = write_at(data.data(), 100);
  EXPECT_EQ(error, cudaErrorIllegalAddress);
  EXPECT_NE(text.find("at byte 400 of allocation"), text.npos) << text;
  EXPECT_NE(text.find("past its end"), text.npos) << text;
}

TEST_F(MemoryTest, UseAfterFreeIsNamed) {
  void* data = nullptr;
  ASSERT_CUDA(cudaMalloc(&data, 400));
  ASSERT_CUDA(cudaFree(data));
  const auto [error, text] = write_at(static_cast<float*>(data), 0);
  EXPECT_EQ(error, cudaErrorIllegalAddress);
  EXPECT_NE(text.find("freed memory was touched"), text.npos) << text;
}

TEST_F(MemoryTest, FreedMemoryRestsBeforeItIsUsedAgain) {
  void* first = nullptr;
  ASSERT_CUDA(cudaMalloc(&first, 400));
  ASSERT_CUDA(cudaFree(first));
  int allocations = 0;
  for (void* next = nullptr; next != first && allocations < 100; ++allocations) {
    ASSERT_CUDA(cudaMalloc(&next, 400));
    ASSERT_CUDA(cudaFree(next));
  }
  EXPECT_GT(allocations, 16);
  EXPECT_LT(allocations, 100);
}

__global__ void follow_kernel(float** table) { *table[0] = 1.0f; }

TEST_F(MemoryTest, APointerReadFromDeviceMemoryIsRefused) {
  const DeviceArray<float> target(1);
  const DeviceArray<float*> table(std::vector<float*>{target.data()});
  const TestStream stream;
  ASSERT_CUDA(launch<follow_kernel>(1, 1, 0, stream, table.data()));
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaErrorIllegalAddress);
  EXPECT_NE(diagnosis().find("did not come through its arguments"), std::string::npos);
}

TEST_F(MemoryTest, MemoryOfAnotherDeviceIsOutOfReach) {
  ASSERT_CUDA(cudaSetDevice(1));
  const DeviceArray<float> other(1);
  ASSERT_CUDA(cudaSetDevice(0));
  const auto [error, text] = write_at(other.data(), 0);
  EXPECT_EQ(error, cudaErrorIllegalAddress);
  EXPECT_NE(text.find("of another device"), text.npos) << text;
  // Only device 0 is lost.
  ASSERT_CUDA(cudaSetDevice(1));
  EXPECT_EQ(write_at(other.data(), 0).first, cudaSuccess);
  ASSERT_CUDA(cudaSetDevice(0));
}

TEST_F(MemoryTest, PeerCopiesCrossDevices) {
  const DeviceArray<int> here(std::vector<int>{1, 2, 3});
  ASSERT_CUDA(cudaSetDevice(1));
  const TestStream stream;
  const DeviceArray<int> there(3);
  EXPECT_CUDA(cudaMemcpyPeerAsync(there.data(), 1, here.data(), 0, 12, stream));
  EXPECT_EQ(there.read(stream), (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(cudaMemcpyPeerAsync(there.data(), 0, here.data(), 1, 12, stream),
            cudaErrorInvalidValue);
  ASSERT_CUDA(cudaSetDevice(0));
}

TEST_F(MemoryTest, TheMemoryLimitIsPerDevice) {
  configure({.memory_limit = 1000});
  void *a = nullptr, *b = nullptr, *c = nullptr;
  ASSERT_CUDA(cudaMalloc(&a, 600));
  EXPECT_EQ(cudaMalloc(&b, 600), cudaErrorMemoryAllocation);
  EXPECT_NE(diagnosis().find("600 of 1000 are in use"), std::string::npos) << diagnosis();
  EXPECT_EQ(cudaMalloc(&b, SIZE_MAX), cudaErrorMemoryAllocation);
  EXPECT_CUDA(cudaMalloc(&b, 400));
  size_t free_bytes = 1, total = 0;
  ASSERT_CUDA(cudaMemGetInfo(&free_bytes, &total));
  EXPECT_EQ(free_bytes, 0u);
  EXPECT_EQ(total, 1000u);
  ASSERT_CUDA(cudaSetDevice(1));
  EXPECT_CUDA(cudaMalloc(&c, 600));
  ASSERT_CUDA(cudaSetDevice(0));
  for (void* pointer : {a, b, c}) EXPECT_CUDA(cudaFree(pointer));
}

TEST_F(MemoryTest, WrongFreesAreRefused) {
  const DeviceArray<char> memory(100);
  int local = 0;
  EXPECT_EQ(cudaFree(memory.data() + 1), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFree(&local), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFreeHost(&local), cudaErrorInvalidValue);
  void* once = nullptr;
  ASSERT_CUDA(cudaMalloc(&once, 8));
  ASSERT_CUDA(cudaFree(once));
  EXPECT_EQ(cudaFree(once), cudaErrorInvalidValue);
}

TEST_F(MemoryTest, CopiesCheckDirectionAndRange) {
  const TestStream stream;
  const DeviceArray<char> a(100), b(100);
  const PinnedArray<char> host(200);
  struct Case {
    void* to;
    const void* from;
    size_t bytes;
    cudaMemcpyKind kind;
    cudaError_t error;
  };
  const Case cases[] = {
      {a.data(), host.data(), 100, cudaMemcpyHostToDevice, cudaSuccess},
      {a.data(), host.data(), 100, cudaMemcpyDefault, cudaSuccess},
      {a.data(), b.data(), 100, cudaMemcpyDeviceToDevice, cudaSuccess},
      {host.data(), a.data() + 40, 60, cudaMemcpyDeviceToHost, cudaSuccess},
      {a.data(), host.data(), 0, cudaMemcpyHostToDevice, cudaSuccess},
      {a.data(), host.data(), 100, cudaMemcpyDeviceToHost, cudaErrorInvalidMemcpyDirection},
      {host.data(), a.data(), 100, cudaMemcpyDeviceToDevice, cudaErrorInvalidMemcpyDirection},
      {a.data(), host.data(), 101, cudaMemcpyHostToDevice, cudaErrorInvalidValue},
      {host.data(), a.data() + 41, 60, cudaMemcpyDeviceToHost, cudaErrorInvalidValue},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(cudaMemcpyAsync(c.to, c.from, c.bytes, c.kind, stream), c.error) << &c - cases;
  }
  EXPECT_EQ(cudaMemsetAsync(a.data(), 7, 101, stream), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemsetAsync(host.data(), 7, 1, stream), cudaErrorInvalidValue);
  EXPECT_CUDA(cudaMemsetAsync(a.data(), 7, 100, stream));
  EXPECT_EQ(a.read(stream), std::vector<char>(100, 7));
}

TEST_F(MemoryTest, PageableCopiesWaitAndPinnedOnesDoNot) {
  configure({.mode = StreamMode::lazy});  // nothing runs unless somebody waits
  const TestStream stream;
  const DeviceArray<int> device(std::vector<int>{5});
  int pageable = 0;
  ASSERT_CUDA(cudaMemcpyAsync(&pageable, device.data(), 4, cudaMemcpyDeviceToHost, stream));
  EXPECT_EQ(pageable, 5);
  const PinnedArray<int> pinned(1);
  EXPECT_EQ(pinned[0], -1);  // fresh memory is filled with ones
  ASSERT_CUDA(cudaMemcpyAsync(pinned.data(), device.data(), 4, cudaMemcpyDeviceToHost, stream));
  EXPECT_EQ(pinned[0], -1);
  ASSERT_CUDA(cudaStreamSynchronize(stream));
  EXPECT_EQ(pinned[0], 5);
}

TEST_F(MemoryDeathTest, TheHostMustNotTouchDeviceMemory) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const DeviceArray<int> memory(100);
  EXPECT_DEATH({ *static_cast<volatile int*>(memory.data() + 3) = 1; },
               "host touched device memory at byte 12 of allocation #[0-9]+ of 400 bytes");
}

TEST_F(MemoryDeathTest, OtherFaultsStillEndTheProcess) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const DeviceArray<int> memory(1);  // the handler is installed
  // volatile keeps the compiler from seeing the null pointer.
  int* volatile nowhere = nullptr;
  EXPECT_DEATH({ *static_cast<volatile int*>(nowhere) = 1; }, "");
}

}  // namespace
}  // namespace ferry::emulation
