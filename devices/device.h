#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "ferry/device.h"

// The interface between Ferry and what can hold and work on tensors: allocation, copies, and the
// order of work. One implementation for the host (devices/cpu) and one for CUDA (devices/cuda),
// which is compiled against the CUDA runtime for GPUs and against devices/emulation for `sim`.
//
// Errors: every function throws ferry::Error (out_of_memory, device_failed) unless it is noexcept.
// Once a device has failed, every later call throws device_failed.
namespace ferry {

struct Kernel;  // kernels/kernel.h

struct DeviceProperties {
  std::string name;  // "NVIDIA H100 80GB HBM3", "emulated sm_90"
  bool simulated = false;
  size_t memory_bytes = 0;  // all of it
  int compute_major = 0;    // CUDA compute capability; 0 on the CPU
  int compute_minor = 0;
  int multiprocessors = 0;  // cores on the CPU
};

// Where work on a device comes from: what an error names that only the device can see.
struct WorkSite {
  std::string node, op;
};

enum class CopyDirection : uint8_t { host_to_device, device_to_host, device_to_device };

// A point in a stream's order that others can wait for. Reusable: recording again moves it.
class Event {
 public:
  virtual ~Event() = default;
  virtual bool done() = 0;  // true when never recorded
  virtual void wait() = 0;  // blocks the host
  // Seconds between two recorded events that were created with timing; both must be done.
  virtual double seconds_since(Event& earlier) = 0;
};

// Work recorded once and replayed with one call.
class RecordedGraph {
 public:
  virtual ~RecordedGraph() = default;
};

// An ordered queue of device work. Not thread-safe: one host thread at a time.
class Stream {
 public:
  virtual ~Stream() = default;
  virtual void record(Event& event) = 0;
  virtual void wait(Event& event) = 0;  // later work here starts after `event`; the host goes on
  virtual void synchronize() = 0;       // blocks the host until all work so far is done
  // Copies `bytes` in stream order. Host memory that is not pinned makes the call wait for the
  // copy. The two ranges must not overlap, and must stay valid until the copy is done.
  virtual void copy(void* destination, const void* source, size_t bytes,
                    CopyDirection direction) = 0;
  virtual void fill(void* destination, uint8_t byte, size_t bytes) = 0;
  // Between begin and end, work on this stream (and on streams that wait for it) is recorded, not
  // done; allocation and synchronisation are errors. After an error in between, end_capture() is
  // still to be called (it may throw too): until then memory cannot be freed by this thread.
  virtual void begin_capture() = 0;
  virtual std::unique_ptr<RecordedGraph> end_capture() = 0;
  virtual void launch(RecordedGraph& graph) = 0;
  // cudaStream_t for the CUDA backend; nullptr on the CPU.
  virtual void* native() = 0;

  // Bytes that copy() has moved between host and device so far; what launch() replays is not in it.
  struct Traffic {
    int64_t to_host = 0, to_device = 0;
  };
  const Traffic& traffic() const { return traffic_; }

 protected:
  Traffic traffic_;
};

// One device. Lives until the process ends; thread-safe.
class DeviceBackend {
 public:
  virtual ~DeviceBackend() = default;
  virtual Device device() const = 0;
  virtual const DeviceProperties& properties() const = 0;
  virtual size_t free_bytes() = 0;

  // 256-byte aligned; ready for use on every stream on return. bytes = 0 gives nullptr.
  virtual void* allocate(size_t bytes) = 0;
  virtual void free(void* pointer) noexcept = 0;
  // Page-locked host memory that this device can copy from and to asynchronously.
  virtual void* allocate_pinned(size_t bytes) = 0;
  virtual void free_pinned(void* pointer) noexcept = 0;

  virtual std::unique_ptr<Stream> create_stream() = 0;
  virtual std::unique_ptr<Event> create_event(bool timing = false) = 0;
  virtual void synchronize() = 0;
};

// The backend of `device`. Throws Error device_missing that says what was looked for and how to
// get it. Thread-safe; the first call for a kind opens it.
DeviceBackend& backend(Device device);

// How many devices of a kind there are, without throwing; `why` (if given) says why there are none.
int device_count(DeviceKind kind, std::string* why = nullptr);

// What devices of a kind can run (kernels/kernel.h), the CPU apart; empty where there is no way to
// run anything on it. And why vendor libraries are missing there, "" when none is.
std::span<const std::span<const Kernel>> device_kernels(DeviceKind kind);
std::string missing_libraries(DeviceKind kind);

}  // namespace ferry
