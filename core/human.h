#pragma once

#include <cstdint>
#include <string>

namespace ferry {

// "512 B", "7.4 MiB": binary units, one digit after the point.
std::string human_bytes(int64_t bytes);

// "75.6 ns", "3.49 us", "1.42 ms", "2.1 s": three significant digits.
std::string human_seconds(double seconds);

}  // namespace ferry
