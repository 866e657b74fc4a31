// Conv and ConvTranspose, through the seam to the library (dnn.h).
#include "kernels/cuda/activation.h"
#include "kernels/cuda/bias.h"
#include "kernels/cuda/dnn.h"
#include "kernels/cuda/families.h"
#include "kernels/cuda/map.h"
#include "kernels/cuda/window3.h"
#include "kernels/epilogue.h"

namespace ferry::cuda {
namespace {

struct State : KernelState {
  ConvProblem problem;
  // nullptr: no term is added, so y is the bias alone, and its activation.
  std::unique_ptr<ConvPlan> plan;
};

std::unique_ptr<KernelState> prepare_problem(const ConvProblem& problem, Prepare& prepare) {
  auto state = std::make_unique<State>();
  state->problem = problem;
  const bool terms =
      problem.x_size() > 0 && problem.in_channels > 0 && problem.window.kernel_size() > 0;
  const bool elements = problem.batch > 0 && problem.out_channels > 0 && problem.y_size() > 0;
  if (terms && elements) {
    state->plan = make_library_conv(problem, prepare.backend()->device().index());
    if (!state->plan) state->plan = make_plain_conv(problem);
    prepare.set_workspace(state->plan->workspace_bytes());
  }
  return state;
}

ConvProblem common_problem(const NodeFacts& node) {
  ConvProblem problem;
  problem.dtype = node.input(0).dtype;
  problem.bias = node.has_input(2);
  problem.activation = activation_of(*node.attributes);
  problem.batch = node.input(0).shape[0];
  problem.groups = node.attributes->get_int("group");
  return problem;
}

std::vector<int64_t> kernel_of(const NodeFacts& node) {
  const Shape& w = node.input(1).shape;
  return {w.begin() + 2, w.end()};
}

std::unique_ptr<KernelState> prepare_conv(const NodeFacts& node, Prepare& prepare) {
  const Shape& w = node.input(1).shape;
  ConvProblem problem = common_problem(node);
  problem.in_channels = w[1];
  problem.out_channels = w[0] / problem.groups;
  problem.window = Window::forward(node, kernel_of(node));
  return prepare_problem(problem, prepare);
}

std::unique_ptr<KernelState> prepare_conv_transpose(const NodeFacts& node, Prepare& prepare) {
  const Shape& w = node.input(1).shape;
  ConvProblem problem = common_problem(node);
  problem.transposed = true;
  problem.in_channels = w[0] / problem.groups;
  problem.out_channels = w[1];
  problem.window = Window::transposed(node, kernel_of(node));
  return prepare_problem(problem, prepare);
}

void run(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const State*>(kernel_state);
  const ConvProblem& problem = state.problem;
  const void* bias = problem.bias ? context.inputs[2] : nullptr;
  if (state.plan) {
    return state.plan->run(stream_of(context).activate(), context.inputs[0], context.inputs[1],
                           bias, context.outputs[0], context.workspace);
  }
  const cudaStream_t stream = stream_of(context).activate();
  spread_bias(stream, problem.dtype, bias, context.outputs[0], problem.batch,
              problem.groups * problem.out_channels, problem.y_size());
  queue_activation(stream, problem.activation, problem.dtype, context.outputs[0],
                   problem.y_elements());
}

constexpr auto kSupports = all_of<within_three_axes, countable, supports_activation>;

constexpr Kernel kKernels[] = {
    {.op = "Conv",
     .types = kFloatTypes,
     .prepare = prepare_conv,
     .run = run,
     .supports = kSupports},
    {.op = "ConvTranspose",
     .types = kFloatTypes,
     .prepare = prepare_conv_transpose,
     .run = run,
     .supports = kSupports},
};

}  // namespace

KernelFamily nn_conv_kernels() { return kKernels; }

}  // namespace ferry::cuda
