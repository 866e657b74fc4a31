#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "devices/emulation/annotate.h"
#include "devices/emulation/emulation.h"
#include "devices/emulation/memory.h"

// State shared by the files of the emulated runtime. One lock guards all of it; queued work runs
// without the lock.
namespace ferry::emulation {

struct Capture;

// One recording of an event: what a wait on it waits for.
struct EventRecord {
  bool done = false;
  std::chrono::steady_clock::time_point time;
  std::shared_ptr<Capture> capture;  // recorded while capturing: a set of graph nodes, never done
  std::vector<size_t> nodes;
};

struct Event {
  int device = 0;
  bool timing = false;
  std::shared_ptr<EventRecord> record;
};

struct Operation {
  std::function<void()> run;              // may be empty
  std::shared_ptr<EventRecord> wait_for;  // may start when this is done
  std::shared_ptr<char> queued;           // a point that ThreadSanitizer orders the launch before
};

struct GraphNode {
  std::function<void()> run;
  std::vector<size_t> dependencies;  // earlier nodes
};

struct Graph {
  int device = 0;
  std::vector<GraphNode> nodes;
};

struct GraphExec {
  std::shared_ptr<const Graph> graph;  // shared with the replays that are still queued
  uint64_t replays = 0;
};

struct Capture {
  Graph graph;
  Stream* origin = nullptr;
  std::vector<Stream*> joined;  // other streams that waited for an event of this capture
  std::thread::id thread;
  cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
  bool invalidated = false;
  bool ended = false;
};

struct Stream {
  int device = 0;
  std::deque<Operation> queue;
  bool busy = false;
  bool stop = false;
  std::mt19937_64 random;
  std::thread worker;
  std::shared_ptr<Capture> capture;
  std::vector<size_t> last_nodes;  // what the next captured node depends on

  bool idle() const { return queue.empty() && !busy; }
};

struct MemoryPool {
  uint64_t release_threshold = 0;
};

struct DeviceState {
  DeviceMemory memory;
  MemoryPool pool;
  cudaError_t sticky = cudaSuccess;  // after a failed kernel every call fails with this
  std::string diagnosis;
};

struct Runtime {
  std::mutex mutex;
  std::condition_variable changed;  // queues, events, busy flags
  Config config;
  std::mt19937_64 random;
  std::unique_ptr<DeviceState> devices[kMaxDevices];  // made on first use
  std::vector<Stream*> streams;
  std::map<const char*, size_t> pinned;
  int64_t api_calls = 0;
  Counters counters;

  DeviceState& device(int index);
  // The device whose memory `address` belongs to, -1 for host memory.
  int owner(const void* address) const;
};

// Never destroyed: worker threads may outlive static destruction.
Runtime& runtime();

// The device that is current on this thread.
int current_device();

// Returns `error` after remembering it for cudaGetLastError, and `diagnosis` for diagnosis(), both
// of this thread. cudaSuccess and cudaErrorNotReady leave them as they are.
cudaError_t remember(cudaError_t error, std::string diagnosis = "");

// Makes every later call on `device` fail with `error`. Needs the lock.
void lose_device(int device, cudaError_t error, std::string diagnosis);

// What every fallible API function does first: takes the lock, hides it from ThreadSanitizer, and
// gives the error of a lost device or of an injected failure.
class ApiCall {
 public:
  explicit ApiCall(int device);
  ApiCall() : ApiCall(current_device()) {}

  cudaError_t error() const { return error_; }
  std::unique_lock<std::mutex>& lock() { return lock_; }

 private:
  IgnoreSync ignore_sync_;
  std::unique_lock<std::mutex> lock_;
  cudaError_t error_ = cudaSuccess;
};

#define FERRY_API_CALL(call) \
  if (call.error() != cudaSuccess) return call.error()

// Appends an operation to a stream, or a node to its capture. Needs the lock.
cudaError_t enqueue(Stream* stream, std::function<void()> run,
                    std::shared_ptr<EventRecord> wait_for = nullptr);

// Blocks until `condition()` (under the lock) holds; in lazy mode by running queued work.
void wait_until(std::unique_lock<std::mutex>& lock, const std::function<bool()>& condition);

// Lazy mode: runs one runnable operation, false when there is none.
bool run_one_operation(std::unique_lock<std::mutex>& lock);

// A call that a capture of the calling thread (or a global one of any thread) forbids: invalidates
// that capture. Needs the lock.
bool forbidden_by_capture();

}  // namespace ferry::emulation
