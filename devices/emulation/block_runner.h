#pragma once

#include <cstdint>
#include <functional>
#include <source_location>
#include <string>
#include <vector>

#include "devices/emulation/emulation.h"
#include "devices/emulation/fiber.h"
#include "devices/emulation/thread_block.h"

namespace ferry::emulation {

struct KernelLaunch {
  const char* name = "";
  dim3 grid, block;
  size_t shared_bytes = 0;
  ThreadOrder order = ThreadOrder::forward;
  const std::function<void()>* body = nullptr;  // runs one fiber (run_device_threads)
};

// Runs kernels on the calling host thread, block after block. One per host thread.
class BlockRunner {
 public:
  struct Result {
    cudaError_t error = cudaSuccess;
    std::string diagnosis;  // set with an error
    uint64_t blocks = 0;
    uint64_t stack_switches = 0;
  };

  // This thread's runner, made on first use.
  static BlockRunner& current();
  // This thread's runner while it runs a kernel, else nullptr. Usable in a signal handler.
  static BlockRunner* running();

  Result run(const KernelLaunch& launch);

  // Ends the kernel of the running device thread with `error`; never returns to it. The kernel,
  // block and thread are added to the text.
  [[noreturn]] void fail(cudaError_t error, std::string text);

  // The running kernel, block and thread: "in kernel K, block (0,0,0), thread (3,0,0)".
  std::string place() const;
  bool is_stack_overflow(const void* address) const { return pool_.is_stack_overflow(address); }

  // What thread_block.h promises to kernels.
  void barrier(const std::source_location& where);
  uint64_t warp_exchange(uint32_t mask, uint64_t word, unsigned source, uint32_t* nonzero);
  void release_waiters();
  bool next_turn();
  void* dynamic_shared() { return shared_; }

  BlockRunner(const BlockRunner&) = delete;
  BlockRunner& operator=(const BlockRunner&) = delete;

 private:
  // A collective of the lanes of one mask. Its results are double-buffered: lanes that were
  // released read phase p while quicker lanes already arrive for p + 1.
  struct Collective {
    struct Phase {
      uint32_t arrived = 0, nonzero = 0;
      uint64_t words[kWarpSize];
    };
    uint32_t mask = 0;
    uint32_t arrived = 0;
    unsigned phase = 0;
    Phase phases[2];
    std::vector<Fiber*> waiting;
  };

  BlockRunner();
  ~BlockRunner();

  static void fiber_entry();
  void set_thread_order(const KernelLaunch& launch);
  bool next_block();
  Fiber& fresh_fiber();
  void switch_to(Fiber& fiber);
  void schedule();
  void park(std::vector<Fiber*>& waiting);
  void wake(std::vector<Fiber*>& waiting);
  void complete(Collective& collective);
  [[noreturn]] void fail_deadlock();

  FiberPool pool_;
  Fiber main_;
  Fiber* current_ = &main_;
  std::vector<Fiber*> idle_;   // have no device thread
  std::vector<Fiber*> ready_;  // a queue: entries from ready_head_ on
  size_t ready_head_ = 0;

  const KernelLaunch* launch_ = nullptr;
  uint64_t generation_ = 0;  // of launches: idle fibers of an older one return from its body
  uint64_t next_block_ = 0, block_count_ = 0;
  Result result_;

  std::vector<ThreadStart> order_;
  dim3 order_block_{0, 0, 0};
  ThreadOrder order_kind_ = ThreadOrder::forward;

  std::vector<Fiber*> at_barrier_;
  unsigned barrier_arrived_ = 0;
  std::source_location barrier_where_;
  std::vector<Collective> collectives_[kMaxThreadsPerBlock / kWarpSize];
  bool collectives_used_ = false;

  char* shared_pages_ = nullptr;
  char* shared_ = nullptr;
};

}  // namespace ferry::emulation
