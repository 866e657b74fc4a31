#pragma once

#include <span>
#include <string>

#include "devices/plugin.h"

namespace ferry {

// The CUDA backend, from libferry_cuda.so: looked for in the folders of the environment variable
// FERRY_CUDA_PATH (separated by ':'), in libferry's own folder and in that of the program, then
// where the system looks. nullptr with the reason in *why (if given) when it is not there, cannot
// be loaded, or is of another version. Opened once per process; thread-safe.
const DevicePlugin* cuda_plugin(std::string* why);

// The same search in the given folders (then the system's), each time anew.
const DevicePlugin* open_cuda_plugin(std::span<const std::string> folders, std::string* why);

}  // namespace ferry
