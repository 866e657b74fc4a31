#pragma once

#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <vector>

#include "devices/cuda/launch.h"
#include "devices/emulation/emulation.h"

// What the tests of the emulated runtime share.
namespace ferry::emulation {

#define EXPECT_CUDA(call) EXPECT_EQ(call, cudaSuccess) << diagnosis()
#define ASSERT_CUDA(call) ASSERT_EQ(call, cudaSuccess) << diagnosis()

// Each test starts from the default configuration and must leave nothing allocated.
class EmulationTest : public ::testing::Test {
 protected:
  void SetUp() override {
    configure({});
    ASSERT_CUDA(cudaSetDevice(0));
    before_ = counters();
  }
  void TearDown() override {
    configure({});
    EXPECT_EQ(counters().allocations, before_.allocations);
    EXPECT_EQ(counters().pinned_allocations, before_.pinned_allocations);
  }

 private:
  Counters before_;
};

// A stream of the current device.
class TestStream {
 public:
  TestStream() { EXPECT_CUDA(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking)); }
  ~TestStream() { cudaStreamDestroy(stream_); }
  TestStream(const TestStream&) = delete;
  TestStream& operator=(const TestStream&) = delete;
  operator cudaStream_t() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

class TestEvent {
 public:
  explicit TestEvent(unsigned flags = cudaEventDisableTiming) {
    EXPECT_CUDA(cudaEventCreateWithFlags(&event_, flags));
  }
  ~TestEvent() { cudaEventDestroy(event_); }
  TestEvent(const TestEvent&) = delete;
  TestEvent& operator=(const TestEvent&) = delete;
  operator cudaEvent_t() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

// Device memory of `count` elements.
template <typename T>
class DeviceArray {
 public:
  explicit DeviceArray(size_t count) : count_(count) {
    EXPECT_CUDA(cudaMalloc(&data_, count * sizeof(T)));
  }
  explicit DeviceArray(const std::vector<T>& values) : DeviceArray(values.size()) {
    const TestStream stream;
    EXPECT_CUDA(
        cudaMemcpyAsync(data_, values.data(), count_ * sizeof(T), cudaMemcpyHostToDevice, stream));
  }
  ~DeviceArray() { cudaFree(data_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* data() const { return data_; }
  size_t bytes() const { return count_ * sizeof(T); }
  std::vector<T> read(cudaStream_t stream) const {
    std::vector<T> values(count_);
    EXPECT_CUDA(cudaMemcpyAsync(values.data(), data_, bytes(), cudaMemcpyDeviceToHost, stream));
    EXPECT_CUDA(cudaStreamSynchronize(stream));
    return values;
  }

 private:
  T* data_ = nullptr;
  size_t count_;
};

template <typename T>
class PinnedArray {
 public:
  explicit PinnedArray(size_t count) : count_(count) {
    EXPECT_CUDA(cudaHostAlloc(&data_, count * sizeof(T), cudaHostAllocDefault));
  }
  ~PinnedArray() { cudaFreeHost(data_); }
  PinnedArray(const PinnedArray&) = delete;
  PinnedArray& operator=(const PinnedArray&) = delete;

  T* data() const { return data_; }
  size_t bytes() const { return count_ * sizeof(T); }
  T& operator[](size_t i) const { return data_[i]; }

 private:
  T* data_ = nullptr;
  size_t count_;
};

}  // namespace ferry::emulation
