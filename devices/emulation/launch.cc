#include <exception>

#include "devices/emulation/block_runner.h"
#include "devices/emulation/runtime.h"

// Kernel launches and work that stands for vendor libraries.

namespace ferry::emulation {
namespace {

bool is_valid(const dim3& grid, const dim3& block) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || block.x == 0 || block.y == 0 || block.z == 0) {
    return false;
  }
  const uint64_t threads = uint64_t{block.x} * block.y * block.z;
  return block.x <= 1024 && block.y <= 1024 && block.z <= 64 && threads <= kMaxThreadsPerBlock &&
         grid.x <= 0x7fffffffu && grid.y <= 65535 && grid.z <= 65535;
}

std::string text_of(const dim3& extent) {
  return "(" + std::to_string(extent.x) + "," + std::to_string(extent.y) + "," +
         std::to_string(extent.z) + ")";
}

// Whether the device is lost; then queued work does nothing, as on a GPU.
bool begin_work(int device, ThreadOrder* order) {
  const IgnoreSync ignore;
  const std::lock_guard lock(runtime().mutex);
  *order = runtime().config.order;
  return runtime().device(device).sticky == cudaSuccess;
}

void end_kernel(int device, BlockRunner::Result result) {
  const IgnoreSync ignore;
  const std::lock_guard lock(runtime().mutex);
  Counters& counters = runtime().counters;
  ++counters.launches;
  counters.blocks += result.blocks;
  counters.stack_switches += result.stack_switches;
  if (result.error != cudaSuccess) lose_device(device, result.error, std::move(result.diagnosis));
}

}  // namespace

void shift_device_addresses(void* argument, size_t bytes, cudaStream_t stream) {
  if (!stream) return;  // refused by queue_kernel
  const auto& device = runtime().devices[stream->device];
  if (device) device->memory.shift_addresses(argument, bytes);
}

cudaError_t queue_kernel(const char* name, dim3 grid, dim3 block, size_t shared_bytes,
                         cudaStream_t stream, std::function<void()> body) {
  ApiCall call;
  FERRY_API_CALL(call);
  if (!is_valid(grid, block)) {
    return remember(cudaErrorInvalidConfiguration,
                    std::string(name) + " was launched with a grid of " + text_of(grid) +
                        " blocks of " + text_of(block) + " threads");
  }
  if (shared_bytes > kMaxSharedBytes) {
    return remember(cudaErrorInvalidValue, std::string(name) + " was launched with " +
                                               std::to_string(shared_bytes) +
                                               " bytes of shared memory");
  }
  if (stream && stream->device != current_device()) {
    return remember(cudaErrorInvalidResourceHandle,
                    std::string(name) + " was launched on a stream of another device");
  }
  return enqueue(stream, [=, body = std::move(body)] {
    KernelLaunch launch{name, grid, block, shared_bytes, ThreadOrder::forward, &body};
    if (begin_work(stream->device, &launch.order)) {
      end_kernel(stream->device, BlockRunner::current().run(launch));
    }
  });
}

cudaError_t queue_host_work(const char* name, cudaStream_t stream, std::function<void()> work) {
  ApiCall call;
  FERRY_API_CALL(call);
  return enqueue(stream, [=, work = std::move(work)] {
    ThreadOrder unused;
    if (!begin_work(stream->device, &unused)) return;
    std::string failure;
    try {
      work();
      return;
    } catch (const std::exception& error) {
      failure = std::string(name) + ": " + error.what();
    }
    const IgnoreSync ignore;
    const std::lock_guard lock(runtime().mutex);
    lose_device(stream->device, cudaErrorLaunchFailure, std::move(failure));
  });
}

}  // namespace ferry::emulation
