#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "devices/emulation/runtime_api.h"

// Controls and questions about the emulated runtime that CUDA has no name for: for tests, for the
// emulated side of the vendor seams, and for error messages.
namespace ferry::emulation {

enum class StreamMode : uint8_t {
  threads,  // a worker thread per stream: work really overlaps
  lazy,     // no threads: whoever waits runs one runnable operation at a time, chosen by the seed
};

// The order in which the blocks of a grid and the threads of a block start. A kernel that lacks a
// barrier gives different results under the two.
enum class ThreadOrder : uint8_t { forward, reverse };

struct InjectedFailure {
  int64_t at_call = 0;  // the n-th fallible API call from now fails, counted from 1; 0: none
  cudaError_t error = cudaErrorUnknown;
  bool sticky = false;  // the current device is lost from then on, as after a bad kernel
};

struct Config {
  StreamMode mode = StreamMode::threads;
  ThreadOrder order = ThreadOrder::forward;
  uint64_t seed = 0;
  int max_delay_us = 0;  // threads: each operation starts after a random delay up to this
  int devices = 2;       // 0 to kMaxDevices
  size_t memory_limit = size_t{16} << 30;  // of each device
  size_t alignment = 256;                  // a power of two; 16 finds overruns of one element
  InjectedFailure failure = {};
};

inline constexpr int kMaxDevices = 4;
inline constexpr size_t kMaxSharedBytes = size_t{48} << 10;  // dynamic, of one block

// Waits for all queued work, then applies `config` and forgets errors and diagnoses, as if the
// process were new. Streams, events and allocations stay valid. Not to be called while another
// thread uses the API.
void configure(const Config& config);
const Config& config();

// Fallible API calls since configure(): the range of InjectedFailure::at_call worth trying. Calls
// that give something back (free, destroy) never fail by injection.
int64_t api_calls();

// The text behind the last error of the device that is current on this thread: which kernel, block
// and thread did what to which allocation. Empty when there is nothing to tell.
std::string diagnosis();

struct Counters {
  uint64_t launches = 0;
  uint64_t blocks = 0;
  uint64_t stack_switches = 0;
  uint64_t allocations = 0;         // live now, on all devices
  uint64_t pinned_allocations = 0;  // live now
};
Counters counters();

// Queues work that stands for a call into a vendor library: it runs on the host in the order of the
// stream, and may touch device memory through kernel_view(). An exception thrown by it makes the
// device fail with cudaErrorLaunchFailure and its text as the diagnosis.
cudaError_t queue_host_work(const char* name, cudaStream_t stream, std::function<void()> work);

// The address at which queued work may touch device memory; other addresses are returned as they
// are.
void* kernel_view(const void* pointer);

}  // namespace ferry::emulation
