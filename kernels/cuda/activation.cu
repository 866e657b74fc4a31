#include <algorithm>

#include "kernels/cuda/activation.h"
#include "kernels/cuda/map.h"
#include "kernels/cuda/unary_operators.h"

namespace ferry::cuda {
namespace {

template <typename T>
struct ActivationMap {
  Activation activation;
  T* data;

  __device__ void operator()(uint32_t index) const {
    data[index] = static_cast<T>(activate(activation, static_cast<Compute<T>>(data[index])));
  }
};

}  // namespace

void queue_activation(cudaStream_t stream, const Activation& activation, DType dtype, void* data,
                      int64_t count) {
  if (activation.kind == ActivationKind::none) return;
  constexpr int64_t kLargest = int64_t{1} << 30;
  visit(dtype, FloatTypes(), [&]<typename T>() {
    for (int64_t done = 0; done < count; done += kLargest) {
      launch_map(stream, static_cast<uint32_t>(std::min(kLargest, count - done)),
                 ActivationMap<T>{activation, static_cast<T*>(data) + done});
    }
  });
}

}  // namespace ferry::cuda
