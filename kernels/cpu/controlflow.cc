// If and Loop: what runs is the executor's (BodyRunner); these decide which body and how often.
#include <algorithm>
#include <cstring>

#include "kernels/cpu/element.h"
#include "kernels/cpu/families.h"

namespace ferry::cpu {
namespace {

struct State : KernelState {
  int inputs = 0, outputs = 0;
  std::vector<TensorFacts> output_facts;
};

std::unique_ptr<KernelState> prepare(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<State>();
  state->inputs = static_cast<int>(node.inputs.size());
  state->outputs = static_cast<int>(node.outputs.size());
  state->output_facts = node.outputs;
  return state;
}

void run_if(const KernelState* kernel_state, const RunContext& context) {
  const State& state = *static_cast<const State*>(kernel_state);
  const int branch = *context.input<bool>(0) ? 0 : 1;
  std::vector<Tensor> results = context.bodies->run(branch, {});
  for (int i = 0; i < state.outputs; ++i) {
    if (state.output_facts[i].present) context.allocator->set(i, std::move(results[i]));
  }
}

// Joins the slices of a scan output along a new first axis.
void stack(const State& state, const RunContext& context, int output,
           const std::vector<Tensor>& slices) {
  const TensorFacts& facts = state.output_facts[output];
  Shape shape{static_cast<int64_t>(slices.size())};
  if (slices.empty()) {
    // No trip: the sizes that inference knows, 0 where it does not.
    for (int64_t i = 1; i < facts.rank(); ++i)
      shape.push_back(std::max<int64_t>(0, facts.shape[i]));
    context.allocator->allocate(output, shape);
    return;
  }
  const Shape& slice = slices.front().shape();
  shape.insert(shape.end(), slice.begin(), slice.end());
  void* to = context.allocator->allocate(output, shape);
  for (size_t i = 0; i < slices.size(); ++i) {
    if (slices[i].shape() != slice) {
      throw Error(ErrorCode::runtime,
                  "a scan output has the shape " + to_string(std::span<const int64_t>(slice)) +
                      " in the first trip and " +
                      to_string(std::span<const int64_t>(slices[i].shape())) + " in another");
    }
    const Tensor host = slices[i].cpu();
    if (facts.dtype == DType::string) {
      std::copy_n(static_cast<const std::string*>(host.data()), host.numel(),
                  static_cast<std::string*>(to) + static_cast<int64_t>(i) * host.numel());
    } else {
      std::memcpy(static_cast<std::byte*>(to) + i * host.nbytes(), host.data(), host.nbytes());
    }
  }
}

void run_loop(const KernelState* kernel_state, const RunContext& context) {
  const State& state = *static_cast<const State*>(kernel_state);
  const int carried = state.inputs - 2;
  const int scans = state.outputs - carried;
  const int64_t trips = context.inputs[0] != nullptr ? *context.input<int64_t>(0) : INT64_MAX;
  bool goes_on = context.inputs[1] != nullptr ? *context.input<bool>(1) : true;
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
    if (state.output_facts[carried + i].present) stack(state, context, carried + i, slices[i]);
  }
}

constexpr Kernel kKernels[] = {
    {.op = "If", .types = kBool, .prepare = prepare, .run = run_if, .host_inputs = {0}},
    {.op = "Loop", .types = kAnyType, .prepare = prepare, .run = run_loop, .host_inputs = {0, 1}},
};

}  // namespace

KernelFamily controlflow_kernels() { return kKernels; }

}  // namespace ferry::cpu
