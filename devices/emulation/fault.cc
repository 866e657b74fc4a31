#include "devices/emulation/fault.h"

#include <signal.h>
#include <unistd.h>

#include <cstring>
#include <mutex>
#include <string>

#include "devices/emulation/block_runner.h"
#include "devices/emulation/runtime.h"

#if defined(FERRY_EMULATION_TSAN)
// A failed kernel leaves the signal handler for good; ThreadSanitizer would take all that the
// thread does afterwards for work of a signal handler. Visible, for its library to find it.
extern "C" __attribute__((visibility("default"))) const char* __tsan_default_options() {
  return "report_signal_unsafe=0";
}
#endif

namespace ferry::emulation {
namespace {

struct sigaction previous_segv, previous_bus;

// What a fault at `address` means, "" when it has nothing to do with an emulated device. The
// runtime's lock is taken only if it is free: the fault may have come from under it.
std::string explain(const void* address, bool in_kernel) {
  const std::unique_lock lock(runtime().mutex, std::try_to_lock);
  for (int i = 0; i < kMaxDevices; ++i) {
    const auto& device = runtime().devices[i];
    if (!device) continue;
    const DeviceMemory& memory = device->memory;
    const std::string place = memory.in_device_view(address) || memory.in_kernel_view(address)
                                  ? memory.describe(address) + " of device " + std::to_string(i)
                                  : "";
    if (memory.in_device_view(address)) {
      return in_kernel ? "a kernel used a device address that did not come through its arguments, "
                         "or of another device than its stream's, " +
                             place
                       : "the host touched device memory " + place;
    }
    if (memory.in_kernel_view(address)) {
      return (memory.is_freed(address) ? "freed memory was touched "
                                       : "an access was out of bounds ") +
             place;
    }
  }
  return "";
}

void on_fault(int signal, siginfo_t* info, void*) {
  const void* address = info->si_addr;
  BlockRunner* runner = BlockRunner::running();
  std::string meaning = explain(address, runner != nullptr);
  if (runner && !meaning.empty()) runner->fail(cudaErrorIllegalAddress, std::move(meaning));
  if (runner && runner->is_stack_overflow(address)) {
    runner->fail(cudaErrorLaunchFailure, "a device thread overflowed its stack");
  }
  if (!meaning.empty()) {
    meaning = "ferry: " + meaning + "\n";
    [[maybe_unused]] const auto written = write(STDERR_FILENO, meaning.data(), meaning.size());
  }
  // On return the access faults again, this time for the handler that was there before.
  sigaction(signal, signal == SIGSEGV ? &previous_segv : &previous_bus, nullptr);
}

// The alternate signal stack of one thread.
class SignalStack {
 public:
  SignalStack() {
    stack_t old{};
    sigaltstack(nullptr, &old);
    if ((old.ss_flags & SS_DISABLE) == 0) return;  // a sanitizer has set one
    stack_t mine{};
    mine.ss_sp = bytes_ = new char[kBytes];
    mine.ss_size = kBytes;
    sigaltstack(&mine, nullptr);
  }
  ~SignalStack() {
    if (!bytes_) return;
    stack_t off{};
    off.ss_flags = SS_DISABLE;
    sigaltstack(&off, nullptr);
    delete[] bytes_;
  }

 private:
  static constexpr size_t kBytes = size_t{64} << 10;
  char* bytes_ = nullptr;
};

}  // namespace

void install_signal_stack() { static thread_local SignalStack stack; }

void install_fault_handler() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action {};
    action.sa_sigaction = on_fault;
    // SA_NODEFER: a failed kernel leaves the handler without returning from it.
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigaction(SIGSEGV, &action, &previous_segv);
    sigaction(SIGBUS, &action, &previous_bus);
  });
}

}  // namespace ferry::emulation
