#include "ferry/cuda.h"

#include "devices/device.h"

namespace ferry::cuda {

bool is_available() { return device_count() > 0; }
int device_count() { return ferry::device_count(DeviceKind::cuda); }
std::string why_unavailable() {
  std::string why;
  ferry::device_count(DeviceKind::cuda, &why);
  return why;
}
DeviceProperties device_properties(int index) {
  const ferry::DeviceProperties& from = backend(Device(DeviceKind::cuda, index)).properties();
  return {from.name, from.compute_major, from.compute_minor, from.memory_bytes,
          from.multiprocessors};
}
void synchronize(int index) { backend(Device(DeviceKind::cuda, index)).synchronize(); }

}  // namespace ferry::cuda
