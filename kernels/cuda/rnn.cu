// LSTM: one product for the inputs of all steps, then for each step a small product and a kernel
// over the hidden units.
#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <utility>
#include <vector>

#include "devices/cuda/kernel_fault.h"
#include "kernels/cuda/blas.h"
#include "kernels/cuda/element.h"
#include "kernels/cuda/families.h"
#include "kernels/cuda/map.h"
#include "kernels/lstm.h"
#include "kernels/scratch.h"

namespace ferry::cuda {
namespace {

// ---- activations
// -----------------------------------------------------------------------------------

enum class Function : int32_t { sigmoid, tanh, relu };

constexpr std::pair<std::string_view, Function> kFunctions[] = {
    {"sigmoid", Function::sigmoid},
    {"tanh", Function::tanh},
    {"relu", Function::relu},
};

std::optional<Function> function_named(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const auto& [known, function] : kFunctions) {
    if (known == name) return function;
  }
  return std::nullopt;
}

template <typename C>
__device__ C activate(Function function, C x) {
  switch (function) {
    case Function::sigmoid: {
      const C e = exp(-fabs(x));
      return (x < C(0) ? e : C(1)) / (C(1) + e);
    }
    case Function::tanh:
      return tanh(x);
    case Function::relu:
      return x < C(0) ? C(0) : x;
  }
  return x;
}

// ---- one step: a thread for each hidden unit of each sample
// -------------------------------------------

// Rows of X, Y and the states, by step, sample and direction.
struct Layout {
  int64_t sequence, batch, directions;
  bool batch_first;

  __device__ int64_t x_row(int64_t t, int64_t b) const {
    return batch_first ? b * sequence + t : t * batch + b;
  }
  __device__ int64_t y_row(int64_t t, int64_t b, int64_t direction) const {
    return batch_first ? (b * sequence + t) * directions + direction
                       : (t * directions + direction) * batch + b;
  }
  __device__ int64_t state_row(int64_t b, int64_t direction) const {
    return batch_first ? b * directions + direction : direction * batch + b;
  }
};

template <typename T>
struct StepArguments {
  Layout layout;
  FastDivide hidden;
  int64_t direction, step;
  bool reverse, input_forget;
  float clip;
  Function functions[3];   // f, g, h
  const T* projected;      // X * W^T, [rows of X, 4 * hidden]: input, output, forget, cell
  const T* recurrent;      // h * R^T, [batch, 4 * hidden]
  const T* bias;           // [8 * hidden] of the direction, or nullptr
  const T* peepholes;      // [3 * hidden] of the direction, or nullptr
  const int32_t* lengths;  // or nullptr
  T* h;                    // [batch, hidden]
  T* c;
  T* y;  // or nullptr
};

template <typename T>
struct StepMap {
  StepArguments<T> p;

  __device__ void operator()(uint32_t index) const {
    using C = Compute<T>;
    const int64_t b = p.hidden.divide(index), n = p.hidden.divisor;
    const int64_t unit = index - b * n;
    int64_t end = p.lengths ? p.lengths[b] : p.layout.sequence;
    if (end > p.layout.sequence) end = p.layout.sequence;  // a fault, reported elsewhere
    const bool ended = p.step >= end;
    const int64_t t = p.reverse && !ended ? end - 1 - p.step : p.step;
    if (!ended) {
      const T* x = p.projected + p.layout.x_row(t, b) * 4 * n;
      const T* r = p.recurrent + b * 4 * n;
      const auto gate = [&](int64_t which) -> C {
        C sum = static_cast<C>(x[which * n + unit]) + static_cast<C>(r[which * n + unit]);
        if (p.bias) {
          sum += static_cast<C>(p.bias[which * n + unit]) +
                 static_cast<C>(p.bias[(4 + which) * n + unit]);
        }
        return sum;
      };
      const auto peephole = [&](int64_t which, C cell) -> C {
        return p.peepholes ? static_cast<C>(p.peepholes[which * n + unit]) * cell : C(0);
      };
      const auto clipped = [&](C value) -> C {
        const C limit = static_cast<C>(p.clip);
        return value > limit ? limit : value < -limit ? -limit : value;
      };
      const C old = static_cast<C>(p.c[index]);
      const C input = activate(p.functions[0], clipped(gate(0) + peephole(0, old)));
      const C forget = p.input_forget
                           ? C(1) - input
                           : activate(p.functions[0], clipped(gate(2) + peephole(2, old)));
      const C cell = forget * old + input * activate(p.functions[1], clipped(gate(3)));
      const C output = activate(p.functions[0], clipped(gate(1) + peephole(1, cell)));
      p.c[index] = static_cast<T>(cell);
      p.h[index] = static_cast<T>(output * activate(p.functions[2], cell));
    }
    if (p.y) {
      p.y[p.layout.y_row(t, b, p.direction) * n + unit] = ended ? static_cast<T>(0.0f) : p.h[index];
    }
  }
};

// Copies a state between [batch, hidden] of one direction and the node's layout; zeros without a
// source.
template <typename T>
struct StateMap {
  Layout layout;
  FastDivide hidden;
  int64_t direction;
  const T* node_in;  // one of node_in and node_out, or neither
  T* node_out;
  T* state;

  __device__ void operator()(uint32_t index) const {
    const int64_t b = hidden.divide(index);
    const int64_t at =
        layout.state_row(b, direction) * hidden.divisor + (index - b * hidden.divisor);
    if (node_out) {
      node_out[at] = state[index];
    } else {
      state[index] = node_in ? node_in[at] : static_cast<T>(0.0f);
    }
  }
};

// ---- the node
// --------------------------------------------------------------------------------------

struct State : KernelState, LstmForm {
  explicit State(const NodeFacts& node)
      : LstmForm(node),
        layout{sequence, batch, directions, batch_first},
        dtype(node.input(0).dtype) {}
  Layout layout;
  DType dtype;
  std::vector<Function> functions;           // three a direction
  std::unique_ptr<GemmPlan> project, recur;  // nullptr: that product has no elements
  size_t library_bytes = 0;

  int64_t states() const { return layout.batch * hidden; }
};

std::unique_ptr<GemmPlan> plan_product(const State& state, int64_t rows, int64_t depth,
                                       int device) {
  if (rows == 0 || state.hidden == 0) return nullptr;
  GemmProblem problem;
  problem.dtype = state.dtype;
  problem.m = rows;
  problem.n = 4 * state.hidden;
  problem.k = depth;
  problem.transpose_b = true;
  problem.alignment = static_cast<uint32_t>(dtype_bits(state.dtype) / 8);  // directions of W, R
  auto plan = make_library_gemm(problem, device);
  return plan ? std::move(plan) : make_plain_gemm(problem);
}

// The workspace: the library's, then X * W^T, h * R^T, h and c.
struct Scratch {
  size_t projected, recurrent, h, c, bytes;

  explicit Scratch(const State& state) {
    ScratchLayout layout(256);
    layout.take_bytes(state.library_bytes);
    projected = layout.take(state.dtype, state.layout.sequence * state.states() * 4);
    recurrent = layout.take(state.dtype, state.states() * 4);
    h = layout.take(state.dtype, state.states());
    c = layout.take(state.dtype, state.states());
    bytes = layout.bytes();
  }
};

std::unique_ptr<KernelState> prepare(const NodeFacts& node, Prepare& prepare) {
  auto state = std::make_unique<State>(node);
  for (const std::string& name : node.attributes->get<std::vector<std::string>>("activations")) {
    state->functions.push_back(*function_named(name));
  }
  const int64_t rows = map_count({state->layout.sequence, state->layout.batch});
  map_count({rows, 4 * state->hidden});
  map_count({state->layout.batch, 4 * state->hidden});
  const int device = prepare.backend()->device().index();
  state->project = plan_product(*state, rows, state->input, device);
  state->recur = plan_product(*state, state->layout.batch, state->hidden, device);
  for (const auto* plan : {state->project.get(), state->recur.get()}) {
    if (plan) state->library_bytes = std::max(state->library_bytes, plan->workspace_bytes());
  }
  prepare.set_workspace(Scratch(*state).bytes);
  return state;
}

template <typename T>
void run_direction(const State& state, const RunContext& context, int64_t direction) {
  const Scratch scratch(state);
  auto* workspace = static_cast<std::byte*>(context.workspace);
  const auto part = [&](size_t at) { return reinterpret_cast<T*>(workspace + at); };
  const cudaStream_t stream = stream_of(context).activate();
  const int64_t n = state.hidden;
  const auto count = static_cast<uint32_t>(state.states());
  const FastDivide hidden(static_cast<uint32_t>(n));
  // Where input i begins for this direction, `elements` each.
  const auto input = [&](int i, int64_t elements) {
    return state.has[i] ? context.input<T>(i) + direction * elements : nullptr;
  };
  const auto move_state = [&](const T* node_in, T* node_out, T* own) {
    launch_map(stream, count, StateMap<T>{state.layout, hidden, direction, node_in, node_out, own});
  };

  move_state(state.has[5] ? context.input<T>(5) : nullptr, nullptr, part(scratch.h));
  move_state(state.has[6] ? context.input<T>(6) : nullptr, nullptr, part(scratch.c));
  if (state.project) {
    state.project->run(stream, context.inputs[0], input(1, 4 * n * state.input),
                       part(scratch.projected), workspace);
  }
  StepArguments<T> step{
      .layout = state.layout,
      .hidden = hidden,
      .direction = direction,
      .step = 0,
      .reverse = state.reverse_only || direction == 1,
      .input_forget = state.input_forget,
      .clip = state.clip,
      .functions = {state.functions[direction * 3], state.functions[direction * 3 + 1],
                    state.functions[direction * 3 + 2]},
      .projected = part(scratch.projected),
      .recurrent = part(scratch.recurrent),
      .bias = input(3, 8 * n),
      .peepholes = input(7, 3 * n),
      .lengths = state.has[4] ? context.input<int32_t>(4) : nullptr,
      .h = part(scratch.h),
      .c = part(scratch.c),
      .y = state.y ? context.output<T>(0) : nullptr};
  for (; step.step < state.layout.sequence; ++step.step) {
    state.recur->run(stream, part(scratch.h), input(2, 4 * n * n), part(scratch.recurrent),
                     workspace);
    launch_map(stream, count, StepMap<T>{step});
  }
  if (state.y_h) move_state(nullptr, context.output<T>(1), part(scratch.h));
  if (state.y_c) move_state(nullptr, context.output<T>(2), part(scratch.c));
}

// The lengths are on the device, so a kernel checks them.
struct LengthMap {
  const int32_t* lengths;
  int64_t sequence;
  FaultReporter faults;
  __device__ void operator()(uint32_t index) const {
    if (lengths[index] < 0 || lengths[index] > sequence) {
      faults.report(KernelFault::length_out_of_range, lengths[index], sequence);
    }
  }
};

void run(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const State*>(kernel_state);
  if (state.states() == 0) return;
  if (state.has[4]) {
    launch_map(context, static_cast<uint32_t>(state.layout.batch),
               LengthMap{context.input<int32_t>(4), state.layout.sequence, reporter_of(context)});
  }
  visit(state.dtype, FloatTypes(), [&]<typename T>() {
    for (int64_t d = 0; d < state.layout.directions; ++d) run_direction<T>(state, context, d);
  });
}

// The gates of all steps are counted as a tensor is.
Support countable_gates(const NodeFacts& node) {
  const Support support = countable(node);
  if (!support.ok || !node.input(0).concrete() || !node.input(2).concrete()) return support;
  NodeFacts gates;
  gates.outputs = {node.input(0)};
  gates.outputs[0].shape.back() = node.input(2).shape[1];
  return countable(gates);
}

Support supports(const NodeFacts& node) {
  const Attributes& attributes = *node.attributes;
  const size_t directions = attributes.get_string("direction") == "bidirectional" ? 2 : 1;
  const auto& names = attributes.get<std::vector<std::string>>("activations");
  for (const std::string& name : names) {
    if (!function_named(name)) {
      return Support::no(ReasonCode::attribute, "the activation " + name + " is not written");
    }
  }
  if (names.size() >= 3 * directions) return countable_gates(node);
  return Support::no(ReasonCode::attribute, "there are " + std::to_string(names.size()) +
                                                " activations instead of three a direction");
}

constexpr Kernel kKernels[] = {
    {.op = "LSTM", .types = kFloatTypes, .prepare = prepare, .run = run, .supports = supports},
};

}  // namespace

KernelFamily rnn_kernels() { return kKernels; }

}  // namespace ferry::cuda
