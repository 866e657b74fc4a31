#pragma once

#include <string>

#include "devices/device.h"

// The door between libferry and the CUDA backend. The backend for GPUs lives in libferry_cuda.so,
// which libferry opens at run time and asks for its one exported symbol; the emulated one is linked
// into libferry.
namespace ferry {

struct DevicePlugin {
  const char* version;  // must be kPluginVersion of libferry: the two share C++ types
  // How many devices there are; 0 with the reason in *why. Never throws.
  int (*device_count)(std::string* why);
  // The backend of device `index`, made on the first call, never destroyed. Throws Error.
  DeviceBackend& (*backend)(int index);
  // As DeviceBackend::missing_libraries, without a device: opens the libraries.
  std::string (*missing_libraries)();
};

inline constexpr const char* kPluginVersion = FERRY_VERSION;
inline constexpr const char* kCudaPluginSymbol = "ferry_cuda_plugin";

// The emulated GPUs, sim:0 and on (devices/emulation).
const DevicePlugin& sim_plugin();

}  // namespace ferry
