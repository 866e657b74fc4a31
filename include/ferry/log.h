#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "ferry/export.h"

namespace ferry {

enum class LogLevel : uint8_t {
  debug,    // which weights are uploaded, when
  info,     // one line for each placement of a model
  warning,  // what was found but cannot be used, such as a CUDA backend of another version
};

// Gets lines without a newline at the end. It may be called from several threads at once, must not
// throw, and must not call Ferry: whoever speaks may hold a lock.
using LogSink = std::function<void(LogLevel level, std::string_view line)>;

// Where Ferry's lines of `least` and above go from now on; without a sink, which is how a process
// starts, Ferry is silent. It never prints by itself. Thread-safe; a call that is under way in
// another thread may still reach the sink before.
FERRY_API void set_log_sink(LogSink sink, LogLevel least = LogLevel::info);

}  // namespace ferry
