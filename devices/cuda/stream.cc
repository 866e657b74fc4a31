#include "devices/cuda/stream.h"

#include "devices/cuda/backend.h"
#include "devices/cuda/error.h"
#include "ferry/error.h"

namespace ferry::cuda {
namespace {

constexpr cudaMemcpyKind kKindOf[] = {
    cudaMemcpyHostToDevice,    // CopyDirection::host_to_device
    cudaMemcpyDeviceToHost,    // device_to_host
    cudaMemcpyDeviceToDevice,  // device_to_device
};

cudaEvent_t native(Event& event) { return static_cast<CudaEvent&>(event).native(); }

}  // namespace

CudaEvent::CudaEvent(int device, bool timing) : device_(device) {
  const DeviceScope scope(device_);
  check(cudaEventCreateWithFlags(&event_, timing ? cudaEventDefault : cudaEventDisableTiming),
        "create an event");
}

CudaEvent::~CudaEvent() { cudaEventDestroy(event_); }

bool CudaEvent::done() {
  const DeviceScope scope(device_);
  const cudaError_t state = cudaEventQuery(event_);
  if (state == cudaErrorNotReady) return false;
  check(state, "ask for an event");
  if (fault_record_) fault_record_->check();
  return true;
}

void CudaEvent::wait() {
  const DeviceScope scope(device_);
  check(cudaEventSynchronize(event_), "wait for an event");
  if (fault_record_) fault_record_->check();
}

double CudaEvent::seconds_since(Event& earlier) {
  const DeviceScope scope(device_);
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, cuda::native(earlier), event_), "take a time");
  return static_cast<double>(milliseconds) * 1e-3;
}

CudaGraph::CudaGraph(cudaGraph_t graph) {
  check(cudaGraphInstantiate(&executable_, graph, 0), "instantiate a graph");
}

CudaGraph::~CudaGraph() { cudaGraphExecDestroy(executable_); }

CudaStream::CudaStream(CudaBackend& backend) : backend_(backend) {
  const DeviceScope scope(backend_.index());
  fault_record_ = std::make_shared<FaultRecord>();
  check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "create a stream");
}

CudaStream::~CudaStream() {
  staging_.reset();
  cudaStreamDestroy(stream_);
}

cudaStream_t CudaStream::activate() {
  check(cudaSetDevice(backend_.index()), "select a device");
  return stream_;
}

void CudaStream::record(Event& event) {
  const DeviceScope scope(backend_.index());
  check(cudaEventRecord(cuda::native(event), stream_), "record an event");
  static_cast<CudaEvent&>(event).set_fault_record(fault_record_);
}

void CudaStream::wait(Event& event) {
  const DeviceScope scope(backend_.index());
  check(cudaStreamWaitEvent(stream_, cuda::native(event), 0), "make a stream wait");
}

void CudaStream::synchronize() {
  const DeviceScope scope(backend_.index());
  check(cudaStreamSynchronize(stream_), "finish the work on " + backend_.device().str());
  fault_record_->check();
}

StagingRing& CudaStream::staging() {
  if (capturing_) {
    throw Error(ErrorCode::internal,
                "a copy of pageable host memory cannot be captured; the host side must be pinned.");
  }
  if (!staging_) staging_ = std::make_unique<StagingRing>(stream_);
  return *staging_;
}

void CudaStream::copy(void* destination, const void* source, size_t bytes,
                      CopyDirection direction) {
  if (bytes == 0) return;
  if (direction == CopyDirection::host_to_device) traffic_.to_device += static_cast<int64_t>(bytes);
  if (direction == CopyDirection::device_to_host) traffic_.to_host += static_cast<int64_t>(bytes);
  const DeviceScope scope(backend_.index());
  if (direction == CopyDirection::host_to_device && !backend_.is_pinned(source, bytes)) {
    staging().upload(destination, source, bytes);
  } else if (direction == CopyDirection::device_to_host &&
             !backend_.is_pinned(destination, bytes)) {
    staging().download(destination, source, bytes);
  } else {
    check(
        cudaMemcpyAsync(destination, source, bytes, kKindOf[static_cast<int>(direction)], stream_),
        "copy " + std::to_string(bytes) + " bytes");
  }
}

void CudaStream::fill(void* destination, uint8_t byte, size_t bytes) {
  if (bytes == 0) return;
  const DeviceScope scope(backend_.index());
  check(cudaMemsetAsync(destination, byte, bytes, stream_), "fill memory");
}

void CudaStream::begin_capture() {
  const DeviceScope scope(backend_.index());
  // Thread-local: other threads may allocate and wait meanwhile.
  check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), "begin a capture");
  capturing_ = true;
}

std::unique_ptr<RecordedGraph> CudaStream::end_capture() {
  const DeviceScope scope(backend_.index());
  capturing_ = false;
  cudaGraph_t graph = nullptr;
  check(cudaStreamEndCapture(stream_, &graph), "end a capture");
  const std::unique_ptr<std::remove_pointer_t<cudaGraph_t>, cudaError_t (*)(cudaGraph_t)> owner(
      graph, &cudaGraphDestroy);
  return std::make_unique<CudaGraph>(graph);
}

void CudaStream::launch(RecordedGraph& graph) {
  const DeviceScope scope(backend_.index());
  check(cudaGraphLaunch(static_cast<CudaGraph&>(graph).native(), stream_), "launch a graph");
}

}  // namespace ferry::cuda
