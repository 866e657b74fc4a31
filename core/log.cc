#include "core/log.h"

#include <atomic>
#include <memory>
#include <mutex>

namespace ferry {
namespace {

constexpr int kNothing = 3;  // above every level

std::atomic<int> least_wanted{kNothing};
std::mutex mutex;  // guards `sink`; calls are made outside of it
std::shared_ptr<const LogSink> sink;

}  // namespace

void set_log_sink(LogSink next, LogLevel least) {
  const int level = next ? static_cast<int>(least) : kNothing;
  auto shared = next ? std::make_shared<const LogSink>(std::move(next)) : nullptr;
  const std::lock_guard lock(mutex);
  sink.swap(shared);
  least_wanted = level;
}

bool log_wants(LogLevel level) { return static_cast<int>(level) >= least_wanted; }

void log(LogLevel level, const std::string& line) {
  if (!log_wants(level)) return;
  std::shared_ptr<const LogSink> receiver;
  {
    const std::lock_guard lock(mutex);
    receiver = sink;
  }
  if (receiver != nullptr) (*receiver)(level, line);
}

}  // namespace ferry
