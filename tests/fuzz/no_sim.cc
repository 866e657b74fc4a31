// Stands in for the emulated GPUs, which fuzzing the importer does not need.
#include "devices/plugin.h"
#include "ferry/error.h"

namespace ferry {

const DevicePlugin& sim_plugin() {
  static const DevicePlugin none = {
      kPluginAbi,
      kPluginVersion,
      [](std::string* why) {
        *why = "this program is built without sim";
        return 0;
      },
      [](int) -> DeviceBackend& {
        throw Error(ErrorCode::device_missing, "this program is built without sim.");
      },
      [] { return std::span<const std::span<const Kernel>>(); },
      [] { return std::string(); },
  };
  return none;
}

}  // namespace ferry
