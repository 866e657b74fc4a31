#pragma once

#include <cstdint>
#include <string>

namespace ferry {

// "512 B", "7.4 MiB": binary units, one digit after the point.
std::string human_bytes(int64_t bytes);

}  // namespace ferry
