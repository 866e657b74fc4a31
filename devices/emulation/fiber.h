#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "devices/emulation/vector_types.h"

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace ferry::emulation {

// A stack of its own for the device threads that run on it, or the host thread's own stack. A fiber
// stays on the host thread that made it.
struct Fiber {
  char* stack = nullptr;  // lowest usable byte; nullptr for a host thread's stack until it is known
  size_t stack_bytes = 0;
  uint3 thread_index{};  // the device thread that is parked here
  unsigned linear = 0;

  // Kept by switch_fiber.
#if defined(__x86_64__)
  void* stack_pointer = nullptr;
#else
  ucontext_t context{};
#endif
  void* asan_stack = nullptr;
  void* tsan_fiber = nullptr;
};

// Leaves `from` and goes on where `to` was left, or at its entry.
void switch_fiber(Fiber& from, Fiber& to);
// The same from a place that is never returned to: a signal handler that ends a kernel.
[[noreturn]] void abandon_fiber(Fiber& from, Fiber& to);

// First thing on a fresh fiber: completes the switch from `main`.
void enter_fiber(Fiber& main);

// The fibers of one host thread.
class FiberPool {
 public:
  // `entry` never returns.
  explicit FiberPool(void (*entry)()) : entry_(entry) {}
  ~FiberPool();
  FiberPool(const FiberPool&) = delete;
  FiberPool& operator=(const FiberPool&) = delete;

  // A new fiber that starts at the entry; lives as long as the pool.
  Fiber& create();
  // Makes every fiber start at the entry again, whatever it was doing.
  void restart_all();
  const std::vector<std::unique_ptr<Fiber>>& fibers() const { return fibers_; }

  // Whether `address` lies in the guard page below one of the stacks.
  bool is_stack_overflow(const void* address) const;

 private:
  void prepare(Fiber& fiber);

  void (*entry_)();
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<char*> chunks_;
};

}  // namespace ferry::emulation
