// Operators that give the same elements another shape. Shape and Size are the host's: they read no
// element.
#include "kernels/cuda/families.h"

namespace ferry::cuda {
namespace {

struct ViewState : KernelState {
  size_t bytes = 0;
};

std::unique_ptr<KernelState> prepare_view(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<ViewState>();
  state->bytes = dtype_bytes(node.input(0).dtype, numel_of(node.input(0).shape));
  return state;
}

// For an executor that wants the output in memory of its own.
void run_view(const KernelState* state, const RunContext& context) {
  if (context.inputs[0] == context.outputs[0]) return;
  context.stream->copy(context.outputs[0], context.inputs[0],
                       static_cast<const ViewState*>(state)->bytes,
                       CopyDirection::device_to_device);
}

Support not_strings(const NodeFacts& node) {
  if (node.input(0).dtype != DType::string) return Support::yes();
  return Support::no(ReasonCode::string_type, "input 0 is string");
}

constexpr Kernel view(std::string_view op, Ports host_inputs = {}) {
  return {.op = op,
          .types = kAnyType,
          .prepare = prepare_view,
          .run = run_view,
          .supports = not_strings,
          .host_inputs = host_inputs,
          .view = true};
}

constexpr Kernel kKernels[] = {
    view("Flatten"),      view("Identity"),       view("Reshape", {1}),
    view("Squeeze", {1}), view("Unsqueeze", {1}),
};

}  // namespace

KernelFamily tensor_shape_kernels() { return kKernels; }

}  // namespace ferry::cuda
