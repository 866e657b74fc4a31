#include "devices/plugin.h"

// A library in the place of libferry_cuda.so that is not the one of this Ferry.
#ifdef FAKE_PLUGIN_ABI
namespace ferry {
namespace {
constexpr DevicePlugin kPlugin{.abi = FAKE_PLUGIN_ABI};
}  // namespace
extern "C" __attribute__((visibility("default"))) const DevicePlugin* ferry_cuda_plugin() {
  return &kPlugin;
}
}  // namespace ferry
#endif
