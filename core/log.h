#pragma once

#include <string>

#include "ferry/log.h"

namespace ferry {

// Whether a line of this level would be read: for lines that cost something to make. Thread-safe.
bool log_wants(LogLevel level);

// Gives `line` to the application's sink, if it wants it. Thread-safe.
void log(LogLevel level, const std::string& line);

}  // namespace ferry
