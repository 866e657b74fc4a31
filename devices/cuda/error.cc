#include "devices/cuda/error.h"

#include <string>

#include "ferry/error.h"
#ifdef FERRY_EMULATED_CUDA
#include "devices/emulation/emulation.h"
#endif

namespace ferry::cuda {
namespace {

ErrorCode code_of(cudaError_t error) {
  switch (error) {
    case cudaErrorMemoryAllocation:
      return ErrorCode::out_of_memory;
    case cudaErrorNoDevice:
    case cudaErrorInvalidDevice:
      return ErrorCode::device_missing;
    default:
      return ErrorCode::device_failed;
  }
}

std::string diagnosis() {
#ifdef FERRY_EMULATED_CUDA
  const std::string text = emulation::diagnosis();
  return text.empty() ? text : ": " + text;
#else
  return "";
#endif
}

}  // namespace

void check(cudaError_t error, std::string_view action) {
  if (error == cudaSuccess) return;
  std::string message = "CUDA could not " + std::string(action) + ": " + cudaGetErrorString(error) +
                        " (" + cudaGetErrorName(error) + ")" + diagnosis() + ".";
  cudaGetLastError();  // reported here, so it must not surface again at the next launch
  throw Error(code_of(error), std::move(message));
}

DeviceScope::DeviceScope(int device) {
  check(cudaGetDevice(&previous_), "tell the current device");
  if (previous_ == device) return;
  check(cudaSetDevice(device), "select device " + std::to_string(device));
  changed_ = true;
}

DeviceScope::~DeviceScope() {
  if (changed_) cudaSetDevice(previous_);
}

}  // namespace ferry::cuda
