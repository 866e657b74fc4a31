// CumSum: a block walks each line in chunks of its size and carries the sum from chunk to chunk.
#include "devices/cuda/launch.h"
#include "kernels/axis.h"
#include "kernels/cuda/block_scan.h"
#include "kernels/cuda/element.h"
#include "kernels/cuda/families.h"
#include "kernels/cuda/map.h"
#include "kernels/host_input.h"
#include "kernels/scalar.h"

namespace ferry::cuda {
namespace {

constexpr unsigned kThreads = 256;

struct Line {
  int64_t size, inner;
  bool exclusive, reverse;
};

template <typename T>
__global__ void cumsum_kernel(const T* in, T* out, Line line) {
  using C = Compute<T>;
  __shared__ C carry;
  const int64_t first = blockIdx.x / line.inner * line.size * line.inner + blockIdx.x % line.inner;
  in += first;
  out += first;
  if (threadIdx.x == 0) carry = C(0);
  for (int64_t chunk = 0; chunk < line.size; chunk += kThreads) {
    const int64_t position = chunk + threadIdx.x;
    const bool inside = position < line.size;
    const int64_t at = (line.reverse ? line.size - 1 - position : position) * line.inner;
    const C value = inside ? static_cast<C>(in[at]) : C(0);
    const Scan<C> sum = block_scan<kThreads>(value);
    const C total = Add::apply(carry, sum.through);
    if (inside) out[at] = static_cast<T>(line.exclusive ? Add::apply(carry, sum.before) : total);
    __syncthreads();  // everyone has read the carry
    if (threadIdx.x == kThreads - 1) carry = total;
    __syncthreads();
  }
}

using SumTypes =
    TypeList<float, double, __half, __nv_bfloat16, int32_t, int64_t, uint32_t, uint64_t>;

struct State : KernelState {
  explicit State(const AxisView& lines) : view(lines) {}
  AxisView view;
  DType dtype = DType::undefined;
  bool exclusive = false, reverse = false;
};

std::unique_ptr<KernelState> prepare(const NodeFacts& node, Prepare&) {
  const Shape& shape = node.input(0).shape;
  map_count(shape);
  const int64_t axis = host_axis(*host_scalar(node, 1, "axis"), static_cast<int64_t>(shape.size()));
  auto state = std::make_unique<State>(AxisView(shape, axis));
  state->dtype = node.input(0).dtype;
  state->exclusive = node.attributes->get_int("exclusive") != 0;
  state->reverse = node.attributes->get_int("reverse") != 0;
  return state;
}

void run(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const State*>(kernel_state);
  const AxisView& view = state.view;
  if (view.outer * view.size * view.inner == 0) return;
  visit(state.dtype, SumTypes(), [&]<typename T>() {
    check(launch<cumsum_kernel<T>>(static_cast<unsigned>(view.outer * view.inner), kThreads, 0,
                                   stream_of(context).activate(), context.input<T>(0),
                                   context.output<T>(0),
                                   Line{view.size, view.inner, state.exclusive, state.reverse}),
          "launch a kernel");
  });
}

constexpr Kernel kKernels[] = {
    {.op = "CumSum",
     .types = type_set(SumTypes()),
     .prepare = prepare,
     .run = run,
     .supports = countable,
     .host_inputs = {1}},
};

}  // namespace

KernelFamily math_cumsum_kernels() { return kKernels; }

}  // namespace ferry::cuda
