// Softmax and LogSoftmax along one axis: a block per line.
#include "devices/cuda/launch.h"
#include "kernels/axis.h"
#include "kernels/cuda/block_reduce.h"
#include "kernels/cuda/element.h"
#include "kernels/cuda/families.h"
#include "kernels/cuda/map.h"

namespace ferry::cuda {
namespace {

template <typename T, bool kLogarithm>
__global__ void softmax_kernel(const T* in, T* out, int64_t size, int64_t inner) {
  using C = Compute<T>;
  const int64_t outer = blockIdx.x / inner;
  const int64_t first = outer * size * inner + blockIdx.x % inner;
  in += first;
  out += first;
  C largest = -INFINITY;
  for (int64_t i = threadIdx.x; i < size; i += blockDim.x) {
    largest = Max::apply(largest, static_cast<C>(in[i * inner]));
  }
  largest = block_reduce<Max>(largest, static_cast<C>(-INFINITY));
  C sum = C(0);
  for (int64_t i = threadIdx.x; i < size; i += blockDim.x) {
    sum += exp(static_cast<C>(in[i * inner]) - largest);
  }
  sum = block_reduce<Add>(sum, C(0));
  const C scale = kLogarithm ? log(sum) : C(1) / sum;
  for (int64_t i = threadIdx.x; i < size; i += blockDim.x) {
    const C shifted = static_cast<C>(in[i * inner]) - largest;
    out[i * inner] = static_cast<T>(kLogarithm ? shifted - scale : exp(shifted) * scale);
  }
}

struct State : KernelState {
  uint32_t lines = 0;
  int64_t size = 1, inner = 1;
  DType dtype = DType::undefined;
};

std::unique_ptr<KernelState> prepare(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<State>();
  const Shape& shape = node.input(0).shape;
  state->dtype = node.input(0).dtype;
  state->lines = map_count(shape);
  if (shape.empty() || state->lines == 0) return state;
  const int64_t rank = static_cast<int64_t>(shape.size());
  const AxisView view(shape, axis_of(node.attributes->get_int("axis"), rank));
  state->size = view.size;
  state->inner = view.inner;
  state->lines = static_cast<uint32_t>(view.outer * view.inner);
  return state;
}

template <bool kLogarithm>
void run(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const State*>(kernel_state);
  if (state.lines == 0) return;
  visit(state.dtype, FloatTypes(), [&]<typename T>() {
    check(launch<softmax_kernel<T, kLogarithm>>(state.lines, reduce_threads(state.size), 0,
                                                stream_of(context).activate(), context.input<T>(0),
                                                context.output<T>(0), state.size, state.inner),
          "launch a kernel");
  });
}

constexpr Kernel kKernels[] = {
    {.op = "LogSoftmax",
     .types = kFloatTypes,
     .prepare = prepare,
     .run = run<true>,
     .supports = countable},
    {.op = "Softmax",
     .types = kFloatTypes,
     .prepare = prepare,
     .run = run<false>,
     .supports = countable},
};

}  // namespace

KernelFamily math_softmax_kernels() { return kKernels; }

}  // namespace ferry::cuda
