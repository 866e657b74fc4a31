// Pad.
#include <algorithm>
#include <vector>

#include "kernels/axis.h"
#include "kernels/cuda/families.h"
#include "kernels/cuda/map.h"
#include "kernels/cuda/unit.h"
#include "kernels/cuda/walk.h"
#include "kernels/host_input.h"

namespace ferry::cuda {
namespace {

enum class PadMode : int32_t { constant, edge, reflect, wrap };

struct PadAxis {
  FastDivide output;             // its size
  int64_t size, before, stride;  // of the input; elements put before it
};

// Where position `at` of an axis comes from; -1 for the constant.
__device__ inline int64_t pad_source(PadMode mode, const PadAxis& axis, int64_t at) {
  int64_t source = at - axis.before;
  if (source >= 0 && source < axis.size) return source;
  if (mode == PadMode::constant) return -1;
  if (mode == PadMode::edge) return source < 0 ? 0 : axis.size - 1;
  if (mode == PadMode::wrap) return (source % axis.size + axis.size) % axis.size;
  if (axis.size == 1) return 0;
  const int64_t period = 2 * (axis.size - 1);
  source = (source % period + period) % period;
  return source < axis.size ? source : period - source;
}

template <typename T>
struct PadMap {
  PadAxis axes[kMaxAxes];  // innermost first
  int32_t rank;
  PadMode mode;
  const T* in;
  const T* value;  // nullptr: zeros
  T* out;

  __device__ void operator()(uint32_t index) const {
    int64_t from = 0;
    bool outside = false;
    uint32_t rest = index;
    for (int i = 0; i < rank; ++i) {
      const uint32_t next = axes[i].output.divide(rest);
      const int64_t source = pad_source(mode, axes[i], rest - next * axes[i].output.divisor);
      rest = next;
      outside = outside || source < 0;
      from += source * axes[i].stride;
    }
    out[index] = outside ? (value ? *value : T()) : in[from];
  }
};

struct State : KernelState {
  DType dtype = DType::undefined;
  PadMode mode = PadMode::constant;
  Shape input, output;
  HostInts pads, axes;
  bool has_value = false;
  uint32_t count = 0;
};

constexpr std::pair<std::string_view, PadMode> kModes[] = {
    {"constant", PadMode::constant},
    {"edge", PadMode::edge},
    {"reflect", PadMode::reflect},
    {"wrap", PadMode::wrap},
};

std::unique_ptr<KernelState> prepare(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<State>();
  state->dtype = node.input(0).dtype;
  state->input = node.input(0).shape;
  state->output = node.output(0).shape;
  state->count = map_count(state->output);
  map_count(state->input);
  state->pads = HostInts(node, 1);
  state->axes = HostInts(node, 3);
  state->has_value = node.has_input(2);
  for (const auto& [name, mode] : kModes) {
    if (name == node.attributes->get_string("mode")) state->mode = mode;
  }
  return state;
}

void run(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const State*>(kernel_state);
  const std::vector<int64_t> pads = state.pads.read(&context);
  const std::vector<int64_t> axes = state.axes.read(&context);
  const auto rank = static_cast<int64_t>(state.input.size());
  std::vector<int64_t> before(state.input.size(), 0);
  for (size_t i = 0; i < pads.size() / 2; ++i) {
    const int64_t axis = state.axes.present() ? axis_of(axes[i], rank) : static_cast<int64_t>(i);
    if (axis < 0 || axis >= rank) {
      throw Error(ErrorCode::runtime, "an axis of the padding is outside the input's " +
                                          std::to_string(rank) + " axes");
    }
    before[axis] = pads[i];
  }
  if (state.count == 0) return;
  if (numel_of(state.input) == 0 && state.mode != PadMode::constant) {
    throw Error(ErrorCode::runtime, "an input without elements can only be padded by a constant");
  }
  const Shape strides = dense_strides(state.input);
  visit_unit(state.dtype, [&]<typename T>() {
    PadMap<T> map{.rank = static_cast<int32_t>(rank),
                  .mode = state.mode,
                  .in = context.input<T>(0),
                  .value = state.has_value ? context.input<T>(2) : nullptr,
                  .out = context.output<T>(0)};
    for (int64_t i = 0; i < rank; ++i) {
      const int64_t axis = rank - 1 - i;
      map.axes[i] = {FastDivide(static_cast<uint32_t>(state.output[axis])), state.input[axis],
                     before[axis], strides[axis]};
    }
    launch_map(context, state.count, map);
  });
}

Support within_axes(const NodeFacts& node) {
  if (!node.input(0).has_shape || node.input(0).rank() <= kMaxAxes) return Support::yes();
  return Support::no(ReasonCode::rank_or_layout,
                     "the input has " + std::to_string(node.input(0).rank()) + " axes");
}

constexpr Kernel kKernels[] = {
    {.op = "Pad",
     .types = kByteTypes,
     .prepare = prepare,
     .run = run,
     .supports = within_axes,
     .host_inputs = {1, 3}},
};

}  // namespace

KernelFamily tensor_pad_kernels() { return kKernels; }

}  // namespace ferry::cuda
