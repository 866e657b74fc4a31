#include "cli/interrupt.h"

#include <unistd.h>

#include <atomic>
#include <csignal>

namespace ferry::cli {
namespace {

// Lock-free, so that a handler may use them.
std::atomic<bool> writing{false};
std::atomic<int> pending{0};
static_assert(std::atomic<int>::is_always_lock_free);

void handle(int signal) {
  if (!writing) _exit(128 + signal);
  pending = signal;
}

}  // namespace

void handle_signals() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a limit on file sizes is an error of the write
  struct sigaction action {};
  action.sa_handler = handle;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

WritingFile::WritingFile() { writing = true; }

WritingFile::~WritingFile() {
  writing = false;
  if (pending != 0) _exit(128 + pending);
}

}  // namespace ferry::cli
