// GridSample: the elements and weights of a point of the grid are found once for all channels.
#include "kernels/cpu/element.h"
#include "kernels/cpu/engine/loop.h"
#include "kernels/cpu/engine/through_float.h"
#include "kernels/cpu/families.h"
#include "kernels/limits.h"
#include "kernels/sample.h"

namespace ferry::cpu {
namespace {

struct State : KernelState {
  Sampler sampler;
  void (*run)(const Sampler&, const RunContext&) = nullptr;
};

template <typename T, typename Grid>
void run_sample(const Sampler& sampler, const RunContext& context) {
  const T* in = context.input<T>(0);
  const Grid* grid = context.input<Grid>(1);
  T* out = context.output<T>(0);
  for_range(context, sampler.batches * sampler.output, 20 + 4 * sampler.channels,
            [&](int64_t begin, int64_t end) {
              int64_t offsets[Sampler::kMaxTaps];
              T weights[Sampler::kMaxTaps];
              for (int64_t point = begin; point < end; ++point) {
                int taps = 0;
                sampler.sample<T>([&](int axis) { return grid[point * sampler.axes + axis]; },
                                  [&](int64_t offset, T weight) {
                                    offsets[taps] = offset;
                                    weights[taps++] = weight;
                                  });
                const int64_t first = point / sampler.output * sampler.channels;
                for (int64_t channel = first; channel < first + sampler.channels; ++channel) {
                  const T* from = in + channel * sampler.input;
                  T sum = 0;
                  for (int i = 0; i < taps; ++i) sum += weights[i] * from[offsets[i]];
                  out[channel * sampler.output + point % sampler.output] = sum;
                }
              }
            });
}

std::unique_ptr<KernelState> prepare(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<State>();
  state->sampler = Sampler::of(node);
  visit(node.input(0).dtype, RealTypes(), [&]<typename T>() {
    visit(node.input(1).dtype, RealTypes(),
          [&]<typename Grid>() { state->run = run_sample<T, Grid>; });
  });
  return state;
}

void run(const KernelState* kernel_state, const RunContext& context) {
  const State& state = *static_cast<const State*>(kernel_state);
  if (state.sampler.output == 0 || state.sampler.channels == 0) return;
  state.run(state.sampler, context);
}

Support real_grid(const NodeFacts& node) {
  const DType dtype = node.input(1).dtype;
  if (kReal.contains(dtype)) return Support::yes();
  return Support::no(ReasonCode::dtype, "input 1 is " + std::string(to_string(dtype)));
}

constexpr Kernel low_float() {
  Kernel kernel = low_float_row<prepare, run>("GridSample", Sampler::fits);
  kernel.types = kFloatTypes;  // the grid alone may be what is widened
  return kernel;
}

constexpr Kernel kKernels[] = {
    {.op = "GridSample",
     .types = kReal,
     .prepare = prepare,
     .run = run,
     .supports = all_of<Sampler::fits, real_grid>},
    low_float(),
};

}  // namespace

KernelFamily tensor_sample_kernels() { return kKernels; }

}  // namespace ferry::cpu
