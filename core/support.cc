#include "core/support.h"

#include <array>

namespace ferry {

std::string_view to_string(ReasonCode code) {
  static constexpr std::array<std::string_view, 16> kNames{
      "requested",   "pinned",       "cheaper_here",    "no_kernel",
      "opset",       "dtype",        "attribute",       "rank_or_layout",
      "size_limit",  "host_value",   "host_port",       "control_flow",
      "string_type", "memory_limit", "library_missing", "device_missing"};
  return kNames[static_cast<size_t>(code)];
}

}  // namespace ferry
