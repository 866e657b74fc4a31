#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <numeric>
#include <vector>

#include "devices/copy.h"
#include "devices/device.h"
#include "devices/emulation/emulation.h"
#include "ferry/error.h"
#include "ferry/tensor.h"

// The CUDA backend through the Device interface, on every device of this machine: sim always, cuda
// where there is a GPU.
namespace ferry {
namespace {

using ::testing::HasSubstr;

std::vector<Device> all_devices() {
  std::vector<Device> devices;
  for (const DeviceKind kind : {DeviceKind::sim, DeviceKind::cuda}) {
    for (int i = 0; i < device_count(kind); ++i) devices.emplace_back(kind, i);
  }
  return devices;
}

template <typename F>
void expect_error(ErrorCode code, std::string_view text, F&& f) {
  try {
    f();
    ADD_FAILURE() << "no Error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_THAT(error.what(), HasSubstr(text));
  }
}

class BackendTest : public ::testing::TestWithParam<Device> {
 protected:
  DeviceBackend& device() { return backend(GetParam()); }
  bool simulated() { return GetParam().kind() == DeviceKind::sim; }
  void TearDown() override {
    if (simulated()) emulation::configure({});
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, BackendTest, ::testing::ValuesIn(all_devices()),
                         [](const auto& instance) {
                           const Device device = instance.param;
                           return std::string(to_string(device.kind())) +
                                  std::to_string(device.index());
                         });

std::vector<char> pattern(size_t bytes) {
  std::vector<char> data(bytes);
  std::iota(data.begin(), data.end(), 1);
  return data;
}

TEST_P(BackendTest, TellsWhatItIs) {
  const DeviceProperties& properties = device().properties();
  EXPECT_EQ(device().device(), GetParam());
  EXPECT_EQ(properties.simulated, simulated());
  EXPECT_FALSE(properties.name.empty());
  EXPECT_GE(properties.compute_major, 8);
  EXPECT_GT(properties.multiprocessors, 0);
  EXPECT_LE(device().free_bytes(), properties.memory_bytes);
  EXPECT_EQ(&backend(GetParam()), &device());  // one object per device
}

TEST_P(BackendTest, CopiesGoThereAndBack) {
  // Below, at and beyond the size of a staging buffer, and around the whole ring.
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{1000}, size_t{1} << 20,
                             (size_t{1} << 20) + 1, (size_t{9} << 20) + 12345}) {
    SCOPED_TRACE(bytes);
    const auto stream = device().create_stream();
    const std::vector<char> in = pattern(bytes);
    std::vector<char> out(bytes, 0);
    void* a = device().allocate(bytes);
    void* b = device().allocate(bytes);
    EXPECT_EQ(a == nullptr, bytes == 0);
    stream->copy(a, in.data(), bytes, CopyDirection::host_to_device);
    stream->copy(b, a, bytes, CopyDirection::device_to_device);
    stream->copy(out.data(), b, bytes, CopyDirection::device_to_host);
    EXPECT_EQ(in, out);
    stream->synchronize();
    device().free(a);
    device().free(b);
  }
}

TEST_P(BackendTest, PageableSourcesMayChangeAsSoonAsTheCopyReturns) {
  const auto stream = device().create_stream();
  std::vector<char> in = pattern(size_t{6} << 20);
  const std::vector<char> expected = in;
  void* memory = device().allocate(in.size());
  stream->copy(memory, in.data(), in.size(), CopyDirection::host_to_device);
  std::fill(in.begin(), in.end(), 0);
  std::vector<char> out(in.size());
  stream->copy(out.data(), memory, out.size(), CopyDirection::device_to_host);
  EXPECT_EQ(out, expected);
  device().free(memory);
}

TEST_P(BackendTest, PinnedCopiesFollowTheStream) {
  const auto stream = device().create_stream();
  const auto event = device().create_event();
  constexpr size_t kBytes = 4096;
  auto* host = static_cast<char*>(device().allocate_pinned(kBytes));
  void* memory = device().allocate(kBytes);
  EXPECT_TRUE(event->done());  // never recorded
  stream->fill(memory, 0x5a, kBytes);
  stream->copy(host, memory, kBytes, CopyDirection::device_to_host);
  stream->record(*event);
  event->wait();
  EXPECT_TRUE(event->done());
  EXPECT_EQ(host[0], 0x5a);
  EXPECT_EQ(host[kBytes - 1], 0x5a);
  device().free(memory);
  device().free_pinned(host);
}

TEST_P(BackendTest, EventsOrderStreamsAndTakeTime) {
  const auto first = device().create_stream(), second = device().create_stream();
  const auto begin = device().create_event(true), end = device().create_event(true);
  constexpr size_t kBytes = size_t{1} << 16;
  auto* host = static_cast<char*>(device().allocate_pinned(2 * kBytes));
  std::memset(host, 3, kBytes);
  void* memory = device().allocate(kBytes);
  for (int i = 0; i < 20; ++i) {
    std::memset(host, i, kBytes);
    first->record(*begin);
    first->copy(memory, host, kBytes, CopyDirection::host_to_device);
    first->record(*end);
    second->wait(*end);
    second->copy(host + kBytes, memory, kBytes, CopyDirection::device_to_host);
    second->synchronize();
    ASSERT_EQ(host[kBytes], i);
    ASSERT_EQ(host[2 * kBytes - 1], i);
  }
  EXPECT_GE(end->seconds_since(*begin), 0);
  device().free(memory);
  device().free_pinned(host);
}

TEST_P(BackendTest, GraphsReplay) {
  const auto stream = device().create_stream();
  constexpr size_t kBytes = 1000;
  auto* in = static_cast<char*>(device().allocate_pinned(kBytes));
  auto* out = static_cast<char*>(device().allocate_pinned(kBytes));
  void* memory = device().allocate(kBytes);
  std::memset(out, 0, kBytes);
  stream->begin_capture();
  stream->copy(memory, in, kBytes, CopyDirection::host_to_device);
  stream->copy(out, memory, kBytes, CopyDirection::device_to_host);
  const std::unique_ptr<RecordedGraph> graph = stream->end_capture();
  stream->synchronize();
  EXPECT_EQ(out[0], 0);  // recorded, not done
  for (char value = 1; value < 4; ++value) {
    std::memset(in, value, kBytes);
    stream->launch(*graph);
    stream->synchronize();
    EXPECT_EQ(out[kBytes - 1], value);
  }
  device().free(memory);
  device().free_pinned(in);
  device().free_pinned(out);
}

TEST_P(BackendTest, ACaptureRefusesPageableCopiesAndWaits) {
  const auto stream = device().create_stream();
  void* memory = device().allocate(16);
  char host[16] = {};
  stream->begin_capture();
  expect_error(ErrorCode::internal, "must be pinned",
               [&] { stream->copy(memory, host, 16, CopyDirection::host_to_device); });
  expect_error(ErrorCode::device_failed, "capturing", [&] { stream->synchronize(); });
  expect_error(ErrorCode::device_failed, "capture", [&] { stream->end_capture(); });
  stream->copy(memory, host, 16, CopyDirection::host_to_device);  // works again
  stream->synchronize();
  device().free(memory);
}

TEST_P(BackendTest, RunningOutOfMemoryIsAnErrorAndNoMore) {
  expect_error(ErrorCode::out_of_memory, "could not allocate",
               [&] { device().allocate(size_t{1} << 50); });
  void* memory = device().allocate(1000);
  EXPECT_NE(memory, nullptr);
  device().free(memory);
}

TEST_P(BackendTest, TensorsMove) {
  const Tensor host = Tensor::from({{1, 2, 3}, {4, 5, 6}});
  const Tensor moved = host.to(GetParam());
  EXPECT_EQ(moved.device(), GetParam());
  EXPECT_EQ(moved.str(),
            "tensor([[1., 2., 3.],\n        [4., 5., 6.]], device='" + GetParam().str() + "')");
  EXPECT_EQ(moved.cpu().str(), host.str());
  EXPECT_TRUE(host.pin_memory(GetParam()).is_pinned());
}

TEST(SimBackendTest, ALostDeviceSaysWhyOnEveryCall) {
  DeviceBackend& sim = backend(Device("sim:0"));
  const auto stream = sim.create_stream();
  emulation::queue_host_work("gemm", static_cast<cudaStream_t>(stream->native()),
                             [] { throw Error(ErrorCode::internal, "no algorithm"); });
  for (int i = 0; i < 2; ++i) {
    expect_error(ErrorCode::device_failed, "gemm: no algorithm", [&] { stream->synchronize(); });
  }
  expect_error(ErrorCode::device_failed, "gemm: no algorithm", [&] { sim.allocate(4); });
  emulation::configure({});
  sim.free(sim.allocate(4));
}

TEST(SimBackendTest, EveryFailingCallBecomesAnErrorAndNothingLeaks) {
  DeviceBackend& sim = backend(Device("sim:0"));
  const auto exercise = [&] {
    const auto stream = sim.create_stream();
    const auto event = sim.create_event();
    const std::shared_ptr<Storage> memory = allocate_on(sim.device(), 4096);
    const std::shared_ptr<Storage> pinned = allocate_pinned_for(sim.device(), 4096);
    char pageable[4096] = {};
    stream->copy(memory->data(), pageable, sizeof pageable, CopyDirection::host_to_device);
    stream->copy(pinned->data(), memory->data(), 4096, CopyDirection::device_to_host);
    stream->record(*event);
    stream->wait(*event);
    stream->synchronize();
    stream->begin_capture();
    try {
      stream->fill(memory->data(), 0, 4096);
    } catch (const Error&) {
      try {
        stream->end_capture();
      } catch (const Error&) {
      }
      throw;
    }
    const auto graph = stream->end_capture();
    stream->launch(*graph);
    event->wait();
    stream->synchronize();
  };
  exercise();
  emulation::configure({});
  const emulation::Counters before = emulation::counters();
  exercise();
  const int64_t calls = emulation::api_calls();
  EXPECT_GT(calls, 20);
  for (int64_t call = 1; call <= calls; ++call) {
    emulation::configure({.failure = {call, cudaErrorUnknown, false}});
    expect_error(ErrorCode::device_failed, "injected failure", exercise);
    emulation::configure({});
    EXPECT_EQ(emulation::counters().allocations, before.allocations) << call;
    EXPECT_EQ(emulation::counters().pinned_allocations, before.pinned_allocations) << call;
  }
}

TEST(RegistryTest, MissingDevicesSayWhatWasLookedFor) {
  expect_error(ErrorCode::device_missing, "this machine has 2 of that kind",
               [] { backend(Device("sim:2")); });
  std::string why;
  if (device_count(DeviceKind::cuda, &why) == 0) {
    EXPECT_FALSE(why.empty());
    expect_error(ErrorCode::device_missing, why, [] { backend(Device("cuda:0")); });
    expect_error(ErrorCode::device_missing, "ferry doctor",
                 [] { (void)Tensor::from({1.0}).to(Device("cuda:0")); });
  } else {
    expect_error(ErrorCode::device_missing, "numbered from 0", [] { backend(Device("cuda:99")); });
  }
}

}  // namespace
}  // namespace ferry
