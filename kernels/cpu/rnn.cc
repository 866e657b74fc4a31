// LSTM: one product for the inputs of all steps, then one small product a step for the recurrence.
#include <algorithm>
#include <cmath>

#include "core/storage.h"
#include "kernels/cpu/element.h"
#include "kernels/cpu/engine/gemm.h"
#include "kernels/cpu/engine/loop.h"
#include "kernels/cpu/engine/through_float.h"
#include "kernels/cpu/families.h"
#include "kernels/cpu/rnn_activation.h"
#include "kernels/lstm.h"
#include "kernels/sizes.h"

namespace ferry::cpu {
namespace {

struct State : KernelState, LstmForm {
  using LstmForm::LstmForm;
  std::vector<ActivationFunction> activations;  // f, g, h for each direction
  // Constant W and R of each direction as panels; nullptr where products read them as they lie.
  std::shared_ptr<const void> packed_w, packed_r;
  void (*run)(const State&, const RunContext&) = nullptr;

  int64_t gates() const { return 4 * hidden; }
};

// The parts of the workspace, in elements.
template <typename T>
struct Scratch {
  T* projected;  // [sequence * batch, 4 * hidden]: X * W^T + the biases
  T* step;       // [batch, 4 * hidden]
  T* h;          // [batch, hidden]
  T* c;
  T* bias;    // [4 * hidden]
  T* tanh_c;  // [hidden]

  // At least what the parts take.
  static int64_t size(const State& s) {
    const int64_t steps = numel_of(Shape{add_sizes(s.sequence, 2), s.batch, s.gates()});
    return add_sizes(steps, 2 * s.gates());
  }
  Scratch(const State& s, void* workspace) {
    T* next = static_cast<T*>(workspace);
    const auto take = [&](int64_t count) { return std::exchange(next, next + count); };
    projected = take(s.sequence * s.batch * s.gates());
    step = take(s.batch * s.gates());
    h = take(s.batch * s.hidden);
    c = take(s.batch * s.hidden);
    bias = take(s.gates());
    tanh_c = take(s.hidden);
  }
};

template <typename T>
using Panels = std::vector<PackedMatrix<T>>;  // one a direction

template <typename T>
void clip_row(const State& state, T* data, int64_t count) {
  if (!(state.clip < INFINITY)) return;
  const T limit = static_cast<T>(state.clip);
  for (int64_t i = 0; i < count; ++i) data[i] = std::clamp(data[i], -limit, limit);
}

// One row of a step: from its gates before activation to the new c and h.
template <typename T>
void advance(const State& state, const ActivationFunction* activations, const T* peepholes,
             const Scratch<T>& scratch, T* gates, T* h, T* c) {
  const int64_t n = state.hidden;
  T* input = gates;
  T* output = gates + n;
  T* forget = gates + 2 * n;
  T* cell = gates + 3 * n;
  if (peepholes != nullptr) {
    for (int64_t i = 0; i < n; ++i) {
      input[i] += peepholes[i] * c[i];
      forget[i] += peepholes[2 * n + i] * c[i];
    }
  }
  clip_row(state, input, n);
  clip_row(state, forget, 2 * n);
  activations[0](input, n);
  if (state.input_forget) {
    for (int64_t i = 0; i < n; ++i) forget[i] = T(1) - input[i];
  } else {
    activations[0](forget, n);
  }
  activations[1](cell, n);
  for (int64_t i = 0; i < n; ++i) c[i] = forget[i] * c[i] + input[i] * cell[i];
  if (peepholes != nullptr) {
    for (int64_t i = 0; i < n; ++i) output[i] += peepholes[n + i] * c[i];
  }
  clip_row(state, output, n);
  activations[0](output, n);
  std::copy_n(c, n, scratch.tanh_c);
  activations[2](scratch.tanh_c, n);
  for (int64_t i = 0; i < n; ++i) h[i] = output[i] * scratch.tanh_c[i];
}

template <typename T>
void load_state(const State& state, const RunContext& context, int input, int64_t direction,
                T* to) {
  for (int64_t b = 0; b < state.batch; ++b) {
    const int64_t row =
        state.batch_first ? b * state.directions + direction : direction * state.batch + b;
    if (state.has[input]) {
      std::copy_n(context.input<T>(input) + row * state.hidden, state.hidden,
                  to + b * state.hidden);
    } else {
      std::fill_n(to + b * state.hidden, state.hidden, T(0));
    }
  }
}

template <typename T>
void store_state(const State& state, const RunContext& context, int output, int64_t direction,
                 const T* from) {
  for (int64_t b = 0; b < state.batch; ++b) {
    const int64_t row =
        state.batch_first ? b * state.directions + direction : direction * state.batch + b;
    std::copy_n(from + b * state.hidden, state.hidden,
                context.output<T>(output) + row * state.hidden);
  }
}

// Row (step t, sample b) of X, and of one direction of Y.
int64_t x_row(const State& s, int64_t t, int64_t b) {
  return s.batch_first ? b * s.sequence + t : t * s.batch + b;
}
int64_t y_row(const State& s, int64_t t, int64_t b, int64_t direction) {
  return s.batch_first ? (b * s.sequence + t) * s.directions + direction
                       : (t * s.directions + direction) * s.batch + b;
}

template <typename T>
void run_direction(const State& state, const RunContext& context, int64_t direction) {
  const Scratch<T> scratch(state, context.workspace);
  const int64_t gates = state.gates();
  const int64_t hidden = state.hidden;
  const bool reverse = state.reverse_only || direction == 1;
  const ActivationFunction* activations = state.activations.data() + direction * 3;
  const T* peepholes = state.has[7] ? context.input<T>(7) + direction * 3 * hidden : nullptr;
  const int32_t* lengths = state.has[4] ? context.input<int32_t>(4) : nullptr;
  const auto length = [&](int64_t b) {
    if (lengths == nullptr) return state.sequence;
    if (lengths[b] < 0 || lengths[b] > state.sequence) {
      throw Error(ErrorCode::runtime, "sequence_lens holds " + std::to_string(lengths[b]) +
                                          ", expected 0 to " + std::to_string(state.sequence));
    }
    return int64_t{lengths[b]};
  };

  // X * W^T + Wb + Rb for every step at once.
  Gemm<T> project;
  project.m = state.sequence * state.batch;
  project.n = gates;
  project.k = state.input;
  project.a = {context.input<T>(0), state.input, 1};
  project.b = {context.input<T>(1) + direction * gates * state.input, 1, state.input};
  if (state.packed_w != nullptr) {
    project.packed_b = &(*static_cast<const Panels<T>*>(state.packed_w.get()))[direction];
  }
  project.c = scratch.projected;
  project.c_stride = gates;
  if (state.has[3]) {
    const T* bias = context.input<T>(3) + direction * 2 * gates;
    for (int64_t i = 0; i < gates; ++i) scratch.bias[i] = bias[i] + bias[gates + i];
    project.start = GemmStart::column_bias;
    project.bias = scratch.bias;
  }
  gemm(project, context.threads);

  load_state(state, context, 5, direction, scratch.h);
  load_state(state, context, 6, direction, scratch.c);
  Gemm<T> recur;
  recur.m = state.batch;
  recur.n = gates;
  recur.k = hidden;
  recur.a = {scratch.h, hidden, 1};
  recur.b = {context.input<T>(2) + direction * gates * hidden, 1, hidden};
  if (state.packed_r != nullptr) {
    recur.packed_b = &(*static_cast<const Panels<T>*>(state.packed_r.get()))[direction];
  }
  recur.c = scratch.step;
  recur.c_stride = gates;
  recur.start = GemmStart::accumulate;
  for (int64_t step = 0; step < state.sequence; ++step) {
    for (int64_t b = 0; b < state.batch; ++b) {
      const int64_t end = length(b);
      const int64_t t = reverse && step < end ? end - 1 - step : step;
      std::copy_n(scratch.projected + x_row(state, t, b) * gates, gates, scratch.step + b * gates);
    }
    gemm(recur, context.threads);
    for (int64_t b = 0; b < state.batch; ++b) {
      const int64_t end = length(b);
      const bool ended = step >= end;
      const int64_t t = reverse && !ended ? end - 1 - step : step;
      T* h = scratch.h + b * hidden;
      if (!ended) {
        advance(state, activations, peepholes, scratch, scratch.step + b * gates, h,
                scratch.c + b * hidden);
      }
      if (!state.y) continue;
      T* y = context.output<T>(0) + y_row(state, t, b, direction) * hidden;
      if (ended) {
        std::fill_n(y, hidden, T(0));
      } else {
        std::copy_n(h, hidden, y);
      }
    }
  }
  if (state.y_h) store_state(state, context, 1, direction, scratch.h);
  if (state.y_c) store_state(state, context, 2, direction, scratch.c);
}

template <typename T>
void run_lstm(const State& state, const RunContext& context) {
  for (int64_t d = 0; d < state.directions; ++d) run_direction<T>(state, context, d);
}

// The constant input [directions, gates, columns] as the panels of its transposes, for products of
// `rows` rows.
template <typename T>
std::shared_ptr<const void> pack(const NodeFacts& node, int input, int64_t rows, Prepare& prepare) {
  const TensorFacts& facts = node.input(input);
  if (facts.constant == nullptr || numel_of(facts.shape) == 0 || is_narrow(rows)) return nullptr;
  return prepare.cached(input, "gate columns", [&]() -> std::shared_ptr<const void> {
    auto panels = std::make_shared<Panels<T>>();
    const int64_t gates = facts.shape[1];
    const int64_t columns = facts.shape[2];
    for (int64_t d = 0; d < facts.shape[0]; ++d) {
      const T* from =
          static_cast<const T*>(facts.constant->storage()->unaligned()) + d * gates * columns;
      panels->push_back(
          PackedMatrix<T>::columns({from, 1, columns}, columns, gates, &prepare.threads()));
    }
    return panels;
  });
}

std::unique_ptr<KernelState> prepare_lstm(const NodeFacts& node, Prepare& prepare) {
  auto state = std::make_unique<State>(node);
  const DType dtype = node.input(0).dtype;
  state->activations = rnn_activations(*node.attributes, dtype);
  visit(dtype, RealTypes(), [&]<typename T>() {
    state->run = run_lstm<T>;
    state->packed_w = pack<T>(node, 1, state->sequence * state->batch, prepare);
    state->packed_r = pack<T>(node, 2, state->batch, prepare);
  });
  prepare.set_workspace(dtype_bytes(dtype, Scratch<float>::size(*state)));
  return state;
}

void run(const KernelState* kernel_state, const RunContext& context) {
  const State& state = *static_cast<const State*>(kernel_state);
  state.run(state, context);
}

constexpr Kernel kKernels[] = {
    {.op = "LSTM",
     .types = kReal,
     .prepare = prepare_lstm,
     .run = run,
     .supports = supports_rnn_activations},
    low_float_row<prepare_lstm, run>("LSTM", supports_rnn_activations),
};

}  // namespace

KernelFamily rnn_kernels() { return kKernels; }

}  // namespace ferry::cpu
