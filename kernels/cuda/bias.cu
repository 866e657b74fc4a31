#include "kernels/cuda/bias.h"
#include "kernels/cuda/element.h"
#include "kernels/cuda/map.h"

namespace ferry::cuda {
namespace {

template <typename T>
struct BiasMap {
  FastDivide positions, channels;
  const T* bias;  // or nullptr
  T* y;

  __device__ void operator()(uint32_t index) const {
    const uint32_t plane = positions.divide(index);
    const uint32_t channel = plane - channels.divide(plane) * channels.divisor;
    y[index] = bias ? bias[channel] : static_cast<T>(0.0f);
  }
};

}  // namespace

void spread_bias(cudaStream_t stream, DType dtype, const void* bias, void* y, int64_t images,
                 int64_t channels, int64_t positions) {
  const uint32_t count = map_count({images, channels, positions});
  if (count == 0) return;
  visit(dtype, FloatTypes(), [&]<typename T>() {
    launch_map(stream, count,
               BiasMap<T>{FastDivide(positions), FastDivide(channels), static_cast<const T*>(bias),
                          static_cast<T*>(y)});
  });
}

}  // namespace ferry::cuda
