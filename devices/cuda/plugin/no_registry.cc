#include <string>

#include "devices/device.h"
#include "ferry/error.h"

// Devices are opened by libferry, not from inside this library. These definitions keep the linker
// from taking libferry's registry, and with it the emulated GPU, out of the archive.
namespace ferry {

int device_count(DeviceKind, std::string* why) {
  if (why) *why = "libferry_cuda.so opens no devices by itself";
  return 0;
}

DeviceBackend& backend(Device device) {
  throw Error(ErrorCode::internal,
              "libferry_cuda.so was asked to open " + device.str() + ", which libferry does.");
}

}  // namespace ferry
