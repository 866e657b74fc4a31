#pragma once

#include <span>
#include <string>

#include "devices/device.h"

// The door between libferry and the CUDA backend. The backend for GPUs lives in libferry_cuda.so,
// which libferry opens at run time and asks for its one exported symbol; the emulated one is linked
// into libferry.
namespace ferry {

struct DevicePlugin {
  // Must be kPluginAbi of libferry. Checked before anything else here is read.
  int abi;
  const char* version;  // of the Ferry that it was built with, for messages
  // How many devices there are; 0 with the reason in *why. Never throws.
  int (*device_count)(std::string* why);
  // The backend of device `index`, made on the first call, never destroyed. Throws Error.
  DeviceBackend& (*backend)(int index);
  // What its devices can run (kernels/kernel.h), in order of preference.
  std::span<const std::span<const Kernel>> (*kernels)();
  // Why a vendor library that some kernels would use is missing, "" when none is: "cuDNN 9:
  // libcudnn.so.9 not found in ...". Opens the libraries.
  std::string (*missing_libraries)();
};

// Raised by hand with every change of a type that both sides of the door use: DevicePlugin, what
// devices/device.h and kernels/kernel.h declare, and the types of core/ in them.
inline constexpr int kPluginAbi = 1;
inline constexpr const char* kPluginVersion = FERRY_VERSION;
inline constexpr const char* kCudaPluginSymbol = "ferry_cuda_plugin";

// The emulated GPUs, sim:0 and on (devices/emulation).
const DevicePlugin& sim_plugin();

}  // namespace ferry
