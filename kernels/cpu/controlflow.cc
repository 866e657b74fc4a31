// If, Loop and Scan: what runs is the executor's (BodyRunner); these decide which body and how
// often.
#include <algorithm>
#include <array>

#include "kernels/cpu/element.h"
#include "kernels/cpu/engine/loop.h"
#include "kernels/cpu/engine/strided_copy.h"
#include "kernels/cpu/families.h"

namespace ferry::cpu {
namespace {

struct State : KernelState {
  int outputs = 0, carried = 0;
  std::array<bool, 2> has_scalar{};  // inputs 0 and 1
  std::vector<TensorFacts> output_facts;
};

std::unique_ptr<KernelState> prepare(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<State>();
  state->outputs = static_cast<int>(node.outputs.size());
  state->carried = std::max(0, static_cast<int>(node.inputs.size()) - 2);
  for (int i : {0, 1}) state->has_scalar[i] = node.has_input(i);
  state->output_facts = node.outputs;
  return state;
}

// The one element of input i, or `absent`.
template <typename T>
T scalar(const State& state, const RunContext& context, int i, T absent) {
  if (!state.has_scalar[i]) return absent;
  const Shape shape = context.allocator->input(i).shape();
  if (numel_of(shape) != 1) {
    throw Error(ErrorCode::runtime, "input " + std::to_string(i) + " has the shape " +
                                        to_string(std::span<const int64_t>(shape)) +
                                        ", expected one element");
  }
  return *context.input<T>(i);
}

void run_if(const KernelState* kernel_state, const RunContext& context) {
  const State& state = *static_cast<const State*>(kernel_state);
  // Any byte may come in a bool.
  const int branch = scalar<uint8_t>(state, context, 0, 0) != 0 ? 0 : 1;
  std::vector<Tensor> results = context.bodies->run(branch, {});
  for (int i = 0; i < state.outputs; ++i) {
    if (state.output_facts[i].present) context.allocator->set(i, std::move(results[i]));
  }
}

// Joins the slices of a scan output along a new axis.
void stack(const TensorFacts& facts, const RunContext& context, int output,
           const std::vector<Tensor>& slices, int64_t given_axis) {
  if (slices.empty()) {
    // No trip: the sizes that inference knows, 0 where it does not.
    const int64_t axis = axis_of(given_axis, std::max<int64_t>(1, facts.rank()));
    Shape shape(static_cast<size_t>(std::max<int64_t>(1, facts.rank())), 0);
    for (int64_t i = 0; i < facts.rank(); ++i) {
      if (i != axis) shape[i] = std::max<int64_t>(0, facts.shape[i]);
    }
    context.allocator->allocate(output, shape);
    return;
  }
  const Shape& slice = slices.front().shape();
  Shape shape = slice;
  const int64_t axis = axis_of(given_axis, static_cast<int64_t>(slice.size()) + 1);
  shape.insert(shape.begin() + axis, static_cast<int64_t>(slices.size()));
  void* to = context.allocator->allocate(output, shape);
  const AxisView view(shape, axis);
  const StridedCopy copy(facts.dtype,
                         {{view.outer, view.size * view.inner, view.inner}, {view.inner, 1, 1}});
  for (size_t i = 0; i < slices.size(); ++i) {
    if (slices[i].shape() != slice) {
      throw Error(ErrorCode::runtime,
                  "a scan output has the shape " + to_string(std::span<const int64_t>(slice)) +
                      " in the first trip and " +
                      to_string(std::span<const int64_t>(slices[i].shape())) + " in another");
    }
    const Tensor host = slices[i].cpu();
    copy.run(context, host.data(), to, 0, static_cast<int64_t>(i) * view.inner);
  }
}

void run_loop(const KernelState* kernel_state, const RunContext& context) {
  const State& state = *static_cast<const State*>(kernel_state);
  const int carried = state.carried;
  const int scans = state.outputs - carried;
  const int64_t trips = scalar<int64_t>(state, context, 0, INT64_MAX);
  bool goes_on = scalar<uint8_t>(state, context, 1, 1) != 0;
  std::vector<Tensor> values(static_cast<size_t>(carried) + 2);
  for (int i = 0; i < carried; ++i) values[i + 2] = context.allocator->input(i + 2);
  std::vector<std::vector<Tensor>> slices(static_cast<size_t>(scans));
  for (int64_t trip = 0; trip < trips && goes_on; ++trip) {
    values[0] = Tensor::scalar(trip);
    values[1] = Tensor::scalar(goes_on);
    std::vector<Tensor> results = context.bodies->run(0, values);
    goes_on = results[0].item() != 0;
    for (int i = 0; i < carried; ++i) values[i + 2] = std::move(results[i + 1]);
    for (int i = 0; i < scans; ++i) slices[i].push_back(std::move(results[carried + 1 + i]));
  }
  for (int i = 0; i < carried; ++i) {
    if (state.output_facts[i].present) context.allocator->set(i, values[i + 2]);
  }
  for (int i = 0; i < scans; ++i) {
    if (state.output_facts[carried + i].present) {
      stack(state.output_facts[carried + i], context, carried + i, slices[i], 0);
    }
  }
}

// ---- Scan ---------------------------------------------------------------------------------------

struct ScanState : KernelState {
  int64_t states = 0, scanned = 0, outputs = 0;
  std::vector<int64_t> input_axes, input_directions, output_axes, output_directions;
  std::vector<TensorFacts> output_facts;
};

std::unique_ptr<KernelState> prepare_scan(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<ScanState>();
  const Attributes& attributes = *node.attributes;
  state->scanned = attributes.get_int("num_scan_inputs");
  state->states = static_cast<int64_t>(node.inputs.size()) - state->scanned;
  state->outputs = static_cast<int64_t>(node.outputs.size());
  state->input_axes = attributes.get_ints("scan_input_axes");
  state->input_directions = attributes.get_ints("scan_input_directions");
  state->output_axes = attributes.get_ints("scan_output_axes");
  state->output_directions = attributes.get_ints("scan_output_directions");
  state->output_facts = node.outputs;
  return state;
}

// Position `at` of an axis of a host tensor, without that axis.
Tensor slice_of(const RunContext& context, const Tensor& from, int64_t axis, int64_t at) {
  const AxisView view(from.shape(), axis);
  Shape shape = from.shape();
  shape.erase(shape.begin() + axis);
  Tensor slice = Tensor::empty(std::move(shape), from.dtype());
  StridedCopy(from.dtype(), {{view.outer, view.inner, view.size * view.inner}, {view.inner, 1, 1}})
      .run(context, from.data(), slice.mutable_data(), at * view.inner);
  return slice;
}

void run_scan(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const ScanState*>(kernel_state);
  std::vector<Tensor> values(static_cast<size_t>(state.states + state.scanned));
  std::vector<Tensor> scanned;
  int64_t steps = -1;
  for (int64_t i = 0; i < state.states; ++i) {
    values[i] = context.allocator->input(static_cast<int>(i));
  }
  for (int64_t i = 0; i < state.scanned; ++i) {
    scanned.push_back(context.allocator->input(static_cast<int>(state.states + i)).cpu());
    const int64_t size = scanned.back().size(state.input_axes[i]);
    if (steps >= 0 && size != steps) {
      throw Error(ErrorCode::runtime, "the scanned axes have " + std::to_string(steps) + " and " +
                                          std::to_string(size) + " elements");
    }
    steps = size;
  }
  const int64_t scans = state.outputs - state.states;
  std::vector<std::vector<Tensor>> slices(static_cast<size_t>(scans));
  for (int64_t step = 0; step < steps; ++step) {
    for (int64_t i = 0; i < state.scanned; ++i) {
      const int64_t at = state.input_directions[i] != 0 ? steps - 1 - step : step;
      const int64_t axis = axis_of(state.input_axes[i], scanned[i].dim());
      values[state.states + i] = slice_of(context, scanned[i], axis, at);
    }
    std::vector<Tensor> results = context.bodies->run(0, values);
    for (int64_t i = 0; i < state.states; ++i) values[i] = std::move(results[i]);
    for (int64_t i = 0; i < scans; ++i) {
      slices[i].push_back(std::move(results[state.states + i]));
    }
  }
  for (int64_t i = 0; i < state.states; ++i) {
    if (state.output_facts[i].present) context.allocator->set(static_cast<int>(i), values[i]);
  }
  for (int64_t i = 0; i < scans; ++i) {
    const int output = static_cast<int>(state.states + i);
    const TensorFacts& facts = state.output_facts[output];
    if (!facts.present) continue;
    if (state.output_directions[i] != 0) std::reverse(slices[i].begin(), slices[i].end());
    stack(facts, context, output, slices[i], state.output_axes[i]);
  }
}

constexpr Kernel kKernels[] = {
    {.op = "If",
     .types = kBool,
     .prepare = prepare,
     .run = run_if,
     .host_inputs = {0},
     .late_outputs = Ports::all()},
    {.op = "Loop",
     .types = kAnyType,
     .prepare = prepare,
     .run = run_loop,
     .host_inputs = {0, 1},
     .late_outputs = Ports::all()},
    {.op = "Scan",
     .types = kAnyType,
     .prepare = prepare_scan,
     .run = run_scan,
     .late_outputs = Ports::all()},
};

}  // namespace

KernelFamily controlflow_kernels() { return kKernels; }

}  // namespace ferry::cpu
