#pragma once

#include <cstdint>
#include <source_location>

#include "devices/emulation/vector_types.h"

// The running thread block, as kernel code sees it. One host thread runs one block at a time; its
// device threads run one after the other on one stack until one of them has to wait (a barrier, a
// warp collective). That one then keeps the stack, and the next device thread starts on another: a
// kernel that never synchronises is a plain loop.

// In libferry these few words are worth a place in the static TLS block: without it each access
// from a kernel would be a call.
#define FERRY_KERNEL_TLS extern constinit thread_local __attribute__((tls_model("initial-exec")))

FERRY_KERNEL_TLS uint3 threadIdx;
FERRY_KERNEL_TLS uint3 blockIdx;
FERRY_KERNEL_TLS dim3 blockDim;
FERRY_KERNEL_TLS dim3 gridDim;

namespace ferry::emulation {

inline constexpr unsigned kMaxThreadsPerBlock = 1024;
inline constexpr unsigned kWarpSize = 32;

struct ThreadStart {
  uint3 index;
  unsigned linear;  // x + y * blockDim.x + z * blockDim.x * blockDim.y
};

struct ThreadBlock {
  const ThreadStart* order;  // entry k is the k-th thread to start
  unsigned next;             // the entry to start next
  unsigned threads;          // of the block
  unsigned alive;            // threads that have not ended
  unsigned waiting;          // threads parked in a barrier or a warp collective
  unsigned linear;           // of the running thread
  uint32_t warp_alive[kMaxThreadsPerBlock / kWarpSize];
};

FERRY_KERNEL_TLS ThreadBlock thread_block;
#undef FERRY_KERNEL_TLS

// Parks the running thread until every live thread of the block is here. Threads that wait at
// different source lines are a divergent barrier: the kernel fails with cudaErrorLaunchFailure.
void barrier(const std::source_location& where);

// Exchanges one word among the live lanes of `mask`. Returns the word of lane `source` (all ones if
// that lane takes no part); *nonzero gets the lanes whose word is not 0.
uint64_t warp_exchange(uint32_t mask, uint64_t word, unsigned source, uint32_t* nonzero);

// The block's dynamic shared memory, 16-byte aligned, filled with 0xff when the block starts.
void* dynamic_shared_memory();

// Called when a thread ends while others wait: the end may complete their barrier.
void release_waiters();

// Called by a fiber that found no thread to start: goes on with parked threads, then the next
// block. True when there are threads to start, false when this launch is over for the fiber.
bool next_turn();

// The body of every fiber: `thread()` is the kernel applied to its arguments.
template <typename F>
inline void run_device_threads(const F& thread) {
  do {
    while (thread_block.next < thread_block.threads) {
      const ThreadStart& start = thread_block.order[thread_block.next++];
      threadIdx = start.index;
      thread_block.linear = start.linear;
      thread();
      --thread_block.alive;
      thread_block.warp_alive[thread_block.linear / kWarpSize] &=
          ~(1u << thread_block.linear % kWarpSize);
      if (thread_block.waiting != 0) [[unlikely]]
        release_waiters();
    }
  } while (next_turn());
}

}  // namespace ferry::emulation
