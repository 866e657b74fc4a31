#include <string>
#include <thread>

#include "tests/devices/emulation_support.h"

// Capture and graphs: what is recorded, how it is replayed, and what a capture forbids.
namespace ferry::emulation {
namespace {

using GraphTest = EmulationTest;

// A capture in progress on a stream that ends with the test.
cudaError_t end_capture(cudaStream_t stream) {
  cudaGraph_t graph = nullptr;
  const cudaError_t error = cudaStreamEndCapture(stream, &graph);
  EXPECT_EQ(graph == nullptr, error != cudaSuccess);
  if (graph) cudaGraphDestroy(graph);
  return error;
}

void begin(cudaStream_t stream, cudaStreamCaptureMode mode = cudaStreamCaptureModeThreadLocal) {
  ASSERT_CUDA(cudaStreamBeginCapture(stream, mode));
}

TEST_F(GraphTest, CapturedWorkRunsOnlyWhenReplayed) {
  const TestStream stream;
  const PinnedArray<int> host(1);
  const DeviceArray<int> device(1);
  host[0] = 1;
  begin(stream);
  ASSERT_CUDA(cudaMemcpyAsync(device.data(), host.data(), 4, cudaMemcpyHostToDevice, stream));
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  ASSERT_CUDA(cudaStreamEndCapture(stream, &graph));
  ASSERT_CUDA(cudaGraphInstantiate(&executable, graph, 0));
  ASSERT_CUDA(cudaGraphDestroy(graph));
  EXPECT_EQ(device.read(stream), std::vector<int>{-1});
  for (int value = 2; value < 5; ++value) {
    host[0] = value;
    ASSERT_CUDA(cudaGraphLaunch(executable, stream));
    EXPECT_EQ(device.read(stream), std::vector<int>{value});
  }
  EXPECT_CUDA(cudaGraphExecDestroy(executable));
}

TEST_F(GraphTest, ReplaysVaryTheOrderWithinTheDependencies) {
  const TestStream a, b;
  const TestEvent fork, join;
  std::string text;
  const auto note = [&](cudaStream_t stream, char c) {
    ASSERT_CUDA(queue_host_work("note", stream, [&text, c] { text += c; }));
  };
  begin(a);
  note(a, '<');
  ASSERT_CUDA(cudaEventRecord(fork, a));
  ASSERT_CUDA(cudaStreamWaitEvent(b, fork));
  note(a, 'x');
  note(b, 'y');
  ASSERT_CUDA(cudaEventRecord(join, b));
  ASSERT_CUDA(cudaStreamWaitEvent(a, join));
  note(a, '>');
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  ASSERT_CUDA(cudaStreamEndCapture(a, &graph));
  ASSERT_CUDA(cudaGraphInstantiate(&executable, graph, 0));
  int seen[2] = {};
  for (int i = 0; i < 20; ++i) {
    text.clear();
    ASSERT_CUDA(cudaGraphLaunch(executable, b));
    ASSERT_CUDA(cudaStreamSynchronize(b));
    ASSERT_TRUE(text == "<xy>" || text == "<yx>") << text;
    ++seen[text == "<xy>"];
  }
  EXPECT_GT(seen[0], 0);
  EXPECT_GT(seen[1], 0);
  cudaGraphExecDestroy(executable);
  cudaGraphDestroy(graph);
}

TEST_F(GraphTest, AStreamThatJoinedMustBeJoinedAgain) {
  const TestStream a, b;
  const TestEvent fork;
  const DeviceArray<int> memory(1);
  begin(a);
  ASSERT_CUDA(cudaMemsetAsync(memory.data(), 0, 4, a));
  ASSERT_CUDA(cudaEventRecord(fork, a));
  ASSERT_CUDA(cudaStreamWaitEvent(b, fork));
  ASSERT_CUDA(cudaMemsetAsync(memory.data(), 1, 4, b));
  EXPECT_EQ(end_capture(a), cudaErrorStreamCaptureUnjoined);
  // Both streams work normally afterwards.
  EXPECT_CUDA(cudaMemsetAsync(memory.data(), 0, 4, b));
  EXPECT_CUDA(cudaStreamSynchronize(b));
  EXPECT_CUDA(cudaStreamSynchronize(a));
}

struct ForbiddenCase {
  const char* name;
  cudaError_t error;
  cudaError_t (*call)(cudaStream_t capturing, cudaEvent_t outside, void* memory);
};

const ForbiddenCase kForbidden[] = {
    {"StreamSynchronize", cudaErrorStreamCaptureUnsupported,
     [](cudaStream_t s, cudaEvent_t, void*) { return cudaStreamSynchronize(s); }},
    {"StreamQuery", cudaErrorStreamCaptureUnsupported,
     [](cudaStream_t s, cudaEvent_t, void*) { return cudaStreamQuery(s); }},
    {"DeviceSynchronize", cudaErrorStreamCaptureUnsupported,
     [](cudaStream_t, cudaEvent_t, void*) { return cudaDeviceSynchronize(); }},
    {"EventSynchronize", cudaErrorStreamCaptureUnsupported,
     [](cudaStream_t, cudaEvent_t e, void*) { return cudaEventSynchronize(e); }},
    {"EventQuery", cudaErrorStreamCaptureUnsupported,
     [](cudaStream_t, cudaEvent_t e, void*) { return cudaEventQuery(e); }},
    {"Malloc", cudaErrorStreamCaptureUnsupported,
     [](cudaStream_t, cudaEvent_t, void*) {
       void* pointer = nullptr;
       return cudaMalloc(&pointer, 4);
     }},
    {"MallocAsync", cudaErrorStreamCaptureUnsupported,
     [](cudaStream_t s, cudaEvent_t, void*) {
       void* pointer = nullptr;
       return cudaMallocAsync(&pointer, 4, s);
     }},
    {"HostAlloc", cudaErrorStreamCaptureUnsupported,
     [](cudaStream_t, cudaEvent_t, void*) {
       void* pointer = nullptr;
       return cudaHostAlloc(&pointer, 4, 0);
     }},
    {"Free", cudaErrorStreamCaptureUnsupported,
     [](cudaStream_t, cudaEvent_t, void* memory) { return cudaFree(memory); }},
    {"FreeAsync", cudaErrorStreamCaptureUnsupported,
     [](cudaStream_t s, cudaEvent_t, void* memory) { return cudaFreeAsync(memory, s); }},
    {"WaitForOutsideEvent", cudaErrorStreamCaptureIsolation,
     [](cudaStream_t s, cudaEvent_t e, void*) { return cudaStreamWaitEvent(s, e); }},
};

TEST_F(GraphTest, WhatACaptureForbidsInvalidatesIt) {
  const DeviceArray<int> memory(1);
  for (const ForbiddenCase& c : kForbidden) {
    SCOPED_TRACE(c.name);
    const TestStream stream, other;
    const TestEvent outside;
    ASSERT_CUDA(cudaEventRecord(outside, other));
    ASSERT_CUDA(cudaStreamSynchronize(other));
    begin(stream);
    EXPECT_EQ(c.call(stream, outside, memory.data()), c.error);
    EXPECT_EQ(cudaMemsetAsync(memory.data(), 0, 4, stream), cudaErrorStreamCaptureInvalidated);
    EXPECT_EQ(end_capture(stream), cudaErrorStreamCaptureInvalidated);
  }
}

TEST_F(GraphTest, ACaptureOfAnotherThreadForbidsOnlyInGlobalMode) {
  const TestStream stream;
  for (const cudaStreamCaptureMode mode :
       {cudaStreamCaptureModeThreadLocal, cudaStreamCaptureModeGlobal}) {
    begin(stream, mode);
    cudaError_t error = cudaSuccess;
    std::thread([&] {
      void* pointer = nullptr;
      error = cudaMalloc(&pointer, 4);
      cudaFree(pointer);
    }).join();
    const bool global = mode == cudaStreamCaptureModeGlobal;
    EXPECT_EQ(error, global ? cudaErrorStreamCaptureUnsupported : cudaSuccess);
    EXPECT_EQ(end_capture(stream), global ? cudaErrorStreamCaptureInvalidated : cudaSuccess);
  }
}

TEST_F(GraphTest, CapturedEventsBelongToTheirCapture) {
  const TestStream a, b, c;
  const TestEvent of_a, of_c;
  begin(a);
  ASSERT_CUDA(cudaEventRecord(of_a, a));
  EXPECT_EQ(cudaEventQuery(of_a), cudaErrorCapturedEvent);
  EXPECT_EQ(cudaEventSynchronize(of_a), cudaErrorCapturedEvent);
  begin(c);
  ASSERT_CUDA(cudaEventRecord(of_c, c));
  EXPECT_EQ(cudaStreamWaitEvent(a, of_c), cudaErrorStreamCaptureMerge);
  EXPECT_EQ(end_capture(c), cudaErrorStreamCaptureInvalidated);
  EXPECT_EQ(end_capture(a), cudaErrorStreamCaptureInvalidated);
  EXPECT_EQ(cudaStreamWaitEvent(b, of_a), cudaErrorCapturedEvent);
}

TEST_F(GraphTest, CapturesBeginAndEndOnTheirStream) {
  const TestStream a, b;
  const TestEvent fork;
  EXPECT_EQ(end_capture(a), cudaErrorIllegalState);
  EXPECT_EQ(cudaStreamBeginCapture(nullptr, cudaStreamCaptureModeGlobal),
            cudaErrorStreamCaptureUnsupported);
  begin(a);
  EXPECT_EQ(cudaStreamBeginCapture(a, cudaStreamCaptureModeGlobal), cudaErrorIllegalState);
  ASSERT_CUDA(cudaEventRecord(fork, a));
  ASSERT_CUDA(cudaStreamWaitEvent(b, fork));
  EXPECT_EQ(end_capture(b), cudaErrorStreamCaptureUnmatched);
  EXPECT_EQ(end_capture(a), cudaErrorStreamCaptureInvalidated);
}

}  // namespace
}  // namespace ferry::emulation
