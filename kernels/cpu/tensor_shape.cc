// Operators that give the same elements another shape, and those that turn shapes into data.
#include <algorithm>
#include <cstring>

#include "kernels/cpu/element.h"
#include "kernels/cpu/engine/loop.h"
#include "kernels/cpu/families.h"

namespace ferry::cpu {
namespace {

// ---- views --------------------------------------------------------------------------------------

struct ViewState : KernelState {
  int64_t count = 0;
  DType dtype = DType::undefined;
};

std::unique_ptr<KernelState> prepare_view(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<ViewState>();
  state->dtype = node.input(0).dtype;
  state->count = numel_of(node.input(0).shape);
  return state;
}

// For an executor that wants the output in memory of its own.
void run_view(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const ViewState*>(kernel_state);
  if (state.count == 0 || context.inputs[0] == context.outputs[0]) return;
  if (state.dtype == DType::string) {
    std::copy_n(context.input<std::string>(0), state.count, context.output<std::string>(0));
    return;
  }
  std::memcpy(context.outputs[0], context.inputs[0], dtype_bytes(state.dtype, state.count));
}

constexpr Kernel view(std::string_view op, Ports host_inputs = {}) {
  return {.op = op,
          .types = kAnyType,
          .prepare = prepare_view,
          .run = run_view,
          .host_inputs = host_inputs,
          .view = true};
}

// ---- Shape, Size --------------------------------------------------------------------------------

struct NumbersState : KernelState {
  std::vector<int64_t> numbers;
};

std::unique_ptr<KernelState> prepare_shape(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<NumbersState>();
  const Shape& shape = node.input(0).shape;
  const int64_t rank = static_cast<int64_t>(shape.size());
  const auto clamp = [&](int64_t axis) {
    return std::clamp<int64_t>(axis < 0 ? axis + rank : axis, 0, rank);
  };
  const int64_t start = clamp(node.attributes->get_int("start"));
  const int64_t end = std::max(start, clamp(node.attributes->get_int("end")));
  state->numbers.assign(shape.begin() + start, shape.begin() + end);
  return state;
}

std::unique_ptr<KernelState> prepare_size(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<NumbersState>();
  state->numbers = {numel_of(node.input(0).shape)};
  return state;
}

void run_numbers(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const NumbersState*>(kernel_state);
  std::copy(state.numbers.begin(), state.numbers.end(), context.output<int64_t>(0));
}

constexpr Kernel numbers(std::string_view op,
                         std::unique_ptr<KernelState> (*prepare)(const NodeFacts&, Prepare&)) {
  return {.op = op,
          .types = kAnyType,
          .prepare = prepare,
          .run = run_numbers,
          .metadata_inputs = {0},
          .host_outputs = {0}};
}

constexpr Kernel kKernels[] = {
    view("Flatten"),
    view("Identity"),
    view("Reshape", {1}),
    numbers("Shape", prepare_shape),
    numbers("Size", prepare_size),
    view("Squeeze", {1}),
    view("Unsqueeze", {1}),
};

}  // namespace

KernelFamily tensor_shape_kernels() { return kKernels; }

}  // namespace ferry::cpu
