#include "devices/emulation/fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
extern "C" {
void __sanitizer_start_switch_fiber(void** fake_stack_save, const void* bottom, size_t size);
void __sanitizer_finish_switch_fiber(void* fake_stack, const void** bottom_old, size_t* size_old);
}
#endif
#if defined(FERRY_EMULATION_TSAN)
extern "C" {
void* __tsan_get_current_fiber();
void* __tsan_create_fiber(unsigned flags);
void __tsan_switch_to_fiber(void* fiber, unsigned flags);
void __tsan_destroy_fiber(void* fiber);
}
#endif

#if defined(__x86_64__)
extern "C" void ferry_emulation_switch_stack(void** save_stack_pointer, void* stack_pointer);

// Saves what the System V ABI calls preserved, changes stacks, restores the same from there. A
// signal mask is not part of it: that would be a system call per switch.
asm(R"(
.text
.globl ferry_emulation_switch_stack
.hidden ferry_emulation_switch_stack
.type ferry_emulation_switch_stack, @function
ferry_emulation_switch_stack:
  .cfi_startproc
  endbr64
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .cfi_endproc
.size ferry_emulation_switch_stack, .-ferry_emulation_switch_stack
)");
#endif

namespace ferry::emulation {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kStackBytes = size_t{64} << 10;
constexpr size_t kSlotBytes = kStackBytes + kPage;  // a guard page below each stack
constexpr size_t kFibersPerChunk = 64;

void leave(Fiber& from, Fiber& to, [[maybe_unused]] bool for_good) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(for_good ? nullptr : &from.asan_stack, to.stack, to.stack_bytes);
#elif defined(FERRY_EMULATION_TSAN)
  if (!from.tsan_fiber) from.tsan_fiber = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(to.tsan_fiber, 0);
#endif
#if defined(__x86_64__)
  ferry_emulation_switch_stack(&from.stack_pointer, to.stack_pointer);
#else
  swapcontext(&from.context, &to.context);
#endif
}

}  // namespace

void switch_fiber(Fiber& from, Fiber& to) {
  leave(from, to, false);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(from.asan_stack, nullptr, nullptr);
#endif
}

void abandon_fiber(Fiber& from, Fiber& to) {
  leave(from, to, true);
  std::abort();
}

void enter_fiber([[maybe_unused]] Fiber& main) {
#if defined(__SANITIZE_ADDRESS__)
  const void* bottom = nullptr;
  size_t bytes = 0;
  __sanitizer_finish_switch_fiber(nullptr, &bottom, &bytes);
  if (!main.stack) {
    main.stack = static_cast<char*>(const_cast<void*>(bottom));
    main.stack_bytes = bytes;
  }
#endif
}

FiberPool::~FiberPool() {
#if defined(FERRY_EMULATION_TSAN)
  for (const auto& fiber : fibers_) __tsan_destroy_fiber(fiber->tsan_fiber);
#endif
  for (char* chunk : chunks_) {
#if defined(__SANITIZE_ADDRESS__)
    // Whoever gets these addresses next finds no red zones of frames that were here.
    __asan_unpoison_memory_region(chunk, kFibersPerChunk * kSlotBytes);
#endif
    munmap(chunk, kFibersPerChunk * kSlotBytes);
  }
}

Fiber& FiberPool::create() {
  const size_t slot = fibers_.size() % kFibersPerChunk;
  if (slot == 0) {
    void* chunk = mmap(nullptr, kFibersPerChunk * kSlotBytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (chunk == MAP_FAILED) throw std::bad_alloc();
    chunks_.push_back(static_cast<char*>(chunk));
  }
  char* guard = chunks_.back() + slot * kSlotBytes;
  if (mprotect(guard, kPage, PROT_NONE) != 0) throw std::bad_alloc();
  fibers_.push_back(std::make_unique<Fiber>());
  Fiber& fiber = *fibers_.back();
  fiber.stack = guard + kPage;
  fiber.stack_bytes = kStackBytes;
  prepare(fiber);
#if defined(FERRY_EMULATION_TSAN)
  fiber.tsan_fiber = __tsan_create_fiber(0);
#endif
  return fiber;
}

void FiberPool::restart_all() {
  for (const auto& fiber : fibers_) {
    prepare(*fiber);
  }
}

void FiberPool::prepare(Fiber& fiber) {
#if defined(__SANITIZE_ADDRESS__)
  // Frames that were abandoned here, or on an older stack at this address, left red zones.
  __asan_unpoison_memory_region(fiber.stack, fiber.stack_bytes);
  fiber.asan_stack = nullptr;
#endif
#if defined(__x86_64__)
  auto** top = reinterpret_cast<void**>(fiber.stack + fiber.stack_bytes);
  *--top = nullptr;  // the entry's return address: the end of the stack for debuggers
  *--top = reinterpret_cast<void*>(entry_);
  for (int i = 0; i < 6; ++i) *--top = nullptr;  // the preserved registers
  fiber.stack_pointer = top;
#else
  getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = fiber.stack;
  fiber.context.uc_stack.ss_size = fiber.stack_bytes;
  fiber.context.uc_link = nullptr;
  makecontext(&fiber.context, entry_, 0);
#endif
}

bool FiberPool::is_stack_overflow(const void* address) const {
  const auto at = reinterpret_cast<uintptr_t>(address);
  for (const auto& fiber : fibers_) {
    const auto bottom = reinterpret_cast<uintptr_t>(fiber->stack);
    if (at >= bottom - kPage && at < bottom) return true;
  }
  return false;
}

}  // namespace ferry::emulation
