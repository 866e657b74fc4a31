// Pad.
#include <vector>

#include "kernels/cuda/families.h"
#include "kernels/cuda/map.h"
#include "kernels/cuda/unit.h"
#include "kernels/cuda/walk.h"
#include "kernels/pad.h"

namespace ferry::cuda {
namespace {

struct PadAxis {
  FastDivide output;             // its size
  int64_t size, before, stride;  // of the input; elements put before it
};

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
      const int64_t at = rest - next * axes[i].output.divisor;
      const int64_t source = pad_source(mode, at, axes[i].before, axes[i].size);
      rest = next;
      outside = outside || source < 0;
      from += source * axes[i].stride;
    }
    out[index] = outside ? (value ? *value : T()) : in[from];
  }
};

struct State : KernelState {
  explicit State(const NodeFacts& node)
      : dtype(node.input(0).dtype), form(node), count(map_count(form.output)) {
    map_count(form.input);
  }
  DType dtype;
  PadForm form;
  uint32_t count;
};

std::unique_ptr<KernelState> prepare(const NodeFacts& node, Prepare&) {
  return std::make_unique<State>(node);
}

void run(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const State*>(kernel_state);
  const PadForm& form = state.form;
  if (state.count == 0) return;
  const auto rank = static_cast<int64_t>(form.input.size());
  const Shape strides = contiguous_strides(form.input);
  visit_unit(state.dtype, [&]<typename T>() {
    PadMap<T> map{.rank = static_cast<int32_t>(rank),
                  .mode = form.mode,
                  .in = context.input<T>(0),
                  .value = form.value.pointer<T>(context),
                  .out = context.output<T>(0)};
    for (int64_t i = 0; i < rank; ++i) {
      const int64_t axis = rank - 1 - i;
      map.axes[i] = {FastDivide(form.output[axis]), form.input[axis], form.before[axis],
                     strides[axis]};
    }
    launch_map(context, state.count, map);
  });
}

Support few_axes(const NodeFacts& node) {
  if (!node.input(0).has_shape || node.input(0).rank() <= kMaxAxes) return Support::yes();
  return Support::no(ReasonCode::rank_or_layout,
                     "the input has " + std::to_string(node.input(0).rank()) + " axes");
}

constexpr Kernel kKernels[] = {
    {.op = "Pad",
     .types = kByteTypes,
     .prepare = prepare,
     .run = run,
     .supports = all_of<countable, few_axes>,
     .host_inputs = {1, 3}},
};

}  // namespace

KernelFamily tensor_pad_kernels() { return kKernels; }

}  // namespace ferry::cuda
