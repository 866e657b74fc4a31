// GridSample: an element of the output a thread, by the geometry of kernels/sample.h.
#include "kernels/cuda/arithmetic.h"
#include "kernels/cuda/element.h"
#include "kernels/cuda/families.h"
#include "kernels/cuda/map.h"
#include "kernels/limits.h"
#include "kernels/sample.h"

namespace ferry::cuda {
namespace {

template <typename T>
struct SampleMap {
  Sampler sampler;
  FastDivide output, channels;
  const T* in;
  const void* grid;
  DType grid_dtype;
  T* out;

  __device__ void operator()(uint32_t index) const {
    using C = Compute<T>;
    const uint32_t channel = output.divide(index);  // of all batches
    const uint32_t batch = channels.divide(channel);
    const int64_t point = batch * sampler.output + (index - channel * output.divisor);
    const T* from = in + channel * sampler.input;
    C sum = 0;
    sampler.sample<C>(
        [&](int axis) { return load_as<C>(grid, grid_dtype, point * sampler.axes + axis); },
        [&](int64_t offset, C weight) { sum += weight * static_cast<C>(from[offset]); });
    out[index] = static_cast<T>(sum);
  }
};

struct State : KernelState {
  Sampler sampler;
  uint32_t count = 0;
  DType dtype = DType::undefined, grid = DType::undefined;
};

std::unique_ptr<KernelState> prepare(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<State>();
  state->sampler = Sampler::of(node);
  map_count(node.input(0).shape);
  state->count = map_count(node.output(0).shape);
  state->dtype = node.input(0).dtype;
  state->grid = node.input(1).dtype;
  return state;
}

void run(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const State*>(kernel_state);
  if (state.count == 0) return;
  visit(state.dtype, FloatTypes(), [&]<typename T>() {
    launch_map(context, state.count,
               SampleMap<T>{state.sampler, FastDivide(state.sampler.output),
                            FastDivide(state.sampler.channels), context.input<T>(0),
                            context.inputs[1], state.grid, context.output<T>(0)});
  });
}

constexpr Kernel kKernels[] = {
    {.op = "GridSample",
     .types = kFloatTypes,
     .prepare = prepare,
     .run = run,
     .supports = all_of<countable, Sampler::fits>},
};

}  // namespace

KernelFamily tensor_sample_kernels() { return kKernels; }

}  // namespace ferry::cuda
