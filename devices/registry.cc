#include <string>

#include "devices/device.h"
#include "ferry/error.h"

namespace ferry {

int device_count(DeviceKind kind, std::string* why) {
  if (kind == DeviceKind::cpu) return 1;
  if (why != nullptr) *why = "this build has no " + std::string(to_string(kind)) + " backend";
  return 0;
}

DeviceBackend& backend(Device device) {
  std::string why;
  device_count(device.kind(), &why);
  throw Error(ErrorCode::device_missing, "there is no device " + device.str() + ": " + why + ".");
}

}  // namespace ferry
