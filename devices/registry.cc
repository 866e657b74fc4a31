#include <string>

#include "devices/device.h"
#include "devices/plugin_loader.h"
#include "ferry/error.h"

namespace ferry {
namespace {

const DevicePlugin* plugin_of(DeviceKind kind, std::string* why) {
  return kind == DeviceKind::sim ? &sim_plugin() : cuda_plugin(why);
}

std::string advice(DeviceKind kind) {
  if (kind == DeviceKind::sim) return "";
  return " `ferry doctor` shows what was looked for; Device(\"cpu\") always works.";
}

}  // namespace

int device_count(DeviceKind kind, std::string* why) {
  if (kind == DeviceKind::cpu) return 1;
  const DevicePlugin* plugin = plugin_of(kind, why);
  return plugin ? plugin->device_count(why) : 0;
}

DeviceBackend& backend(Device device) {
  if (device.is_cpu()) {
    throw Error(ErrorCode::internal, "the host has no DeviceBackend.");
  }
  std::string why;
  const int count = device_count(device.kind(), &why);
  if (count == 0) {
    throw Error(ErrorCode::device_missing,
                "there is no device " + device.str() + ": " + why + "." + advice(device.kind()));
  }
  if (device.index() < 0 || device.index() >= count) {
    throw Error(ErrorCode::device_missing, "there is no device " + device.str() +
                                               ": this machine has " + std::to_string(count) +
                                               " of that kind, numbered from 0." +
                                               advice(device.kind()));
  }
  return plugin_of(device.kind(), nullptr)->backend(device.index());
}

std::span<const std::span<const Kernel>> device_kernels(DeviceKind kind) {
  const DevicePlugin* plugin = plugin_of(kind, nullptr);
  return plugin ? plugin->kernels() : std::span<const std::span<const Kernel>>();
}

std::string missing_libraries(DeviceKind kind) {
  const DevicePlugin* plugin = plugin_of(kind, nullptr);
  return plugin ? plugin->missing_libraries() : "";
}

}  // namespace ferry
