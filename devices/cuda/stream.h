#pragma once

#include <cuda_runtime.h>

#include <memory>

#include "devices/cuda/fault_record.h"
#include "devices/cuda/staging.h"
#include "devices/device.h"

namespace ferry::cuda {

class CudaBackend;

class CudaEvent final : public Event {
 public:
  CudaEvent(int device, bool timing);
  ~CudaEvent() override;

  bool done() override;
  void wait() override;
  double seconds_since(Event& earlier) override;
  cudaEvent_t native() const { return event_; }
  // The stream that recorded this event last reports its kernels' faults here.
  void set_fault_record(std::shared_ptr<FaultRecord> record) { fault_record_ = std::move(record); }

 private:
  int device_;
  std::shared_ptr<FaultRecord> fault_record_;
  cudaEvent_t event_ = nullptr;
};

class CudaGraph final : public RecordedGraph {
 public:
  // Takes the captured graph, which may be destroyed afterwards.
  explicit CudaGraph(cudaGraph_t graph);
  ~CudaGraph() override;
  cudaGraphExec_t native() const { return executable_; }

 private:
  cudaGraphExec_t executable_ = nullptr;
};

// A non-blocking CUDA stream. Host memory that is not pinned passes through a staging ring of this
// stream: an upload returns as soon as its source has been read, a download when it is complete.
class CudaStream final : public Stream {
 public:
  explicit CudaStream(CudaBackend& backend);
  ~CudaStream() override;

  void record(Event& event) override;
  void wait(Event& event) override;
  void synchronize() override;
  void copy(void* destination, const void* source, size_t bytes, CopyDirection direction) override;
  void fill(void* destination, uint8_t byte, size_t bytes) override;
  void begin_capture() override;
  std::unique_ptr<RecordedGraph> end_capture() override;
  void launch(RecordedGraph& graph) override;
  void* native() override { return stream_; }

  // The stream, after making its device current on this thread: what kernel launches need. The
  // device stays current.
  cudaStream_t activate();
  // Where kernels on this stream report faults.
  Fault* fault() const { return fault_record_->device_address(); }

 private:
  StagingRing& staging();

  CudaBackend& backend_;
  cudaStream_t stream_ = nullptr;
  std::shared_ptr<FaultRecord> fault_record_;
  bool capturing_ = false;
  std::unique_ptr<StagingRing> staging_;  // made for the first copy that needs it
};

}  // namespace ferry::cuda
