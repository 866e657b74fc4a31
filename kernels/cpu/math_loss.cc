// NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss.
#include <algorithm>
#include <cmath>

#include "kernels/cpu/element.h"
#include "kernels/cpu/engine/index.h"
#include "kernels/cpu/engine/loop.h"
#include "kernels/cpu/engine/through_float.h"
#include "kernels/cpu/families.h"

namespace ferry::cpu {
namespace {

enum class Reduction : uint8_t { none, mean, sum };

struct State : KernelState {
  AxisView view{Shape{1}, 0};  // of the scores [N, C, D1, ...]: axis C
  bool from_scores = false;    // the input is scores, not logarithms of probabilities
  bool wide = false, has_weight = false, log_prob = false;
  const int64_t* ignore = nullptr;
  int64_t ignore_index = 0;
  Reduction reduction = Reduction::mean;
  void (*run)(const State&, const RunContext&) = nullptr;
};

// loss = -weight[target] * log_prob[target], 0 where the target is ignored; mean divides by the sum
// of the weights.
template <typename T>
void run_loss(const State& state, const RunContext& context) {
  const auto [batch, classes, inner] = state.view;
  const T* x = context.input<T>(0);
  const void* targets = context.inputs[1];
  const T* weight = state.has_weight ? context.input<T>(2) : nullptr;
  T* loss = context.output<T>(0);
  T* log_prob = state.log_prob ? context.output<T>(1) : nullptr;
  double total = 0, total_weight = 0;
  for (int64_t i = 0; i < batch * inner; ++i) {
    const int64_t base = i / inner * classes * inner + i % inner;
    double log_sum = 0;
    if (state.from_scores) {
      double largest = -INFINITY, sum = 0;
      for (int64_t c = 0; c < classes; ++c) {
        largest = std::max(largest, static_cast<double>(x[base + c * inner]));
      }
      for (int64_t c = 0; c < classes; ++c) {
        sum += std::exp(static_cast<double>(x[base + c * inner]) - largest);
      }
      log_sum = largest + std::log(sum);
      for (int64_t c = 0; log_prob != nullptr && c < classes; ++c) {
        log_prob[base + c * inner] =
            static_cast<T>(static_cast<double>(x[base + c * inner]) - log_sum);
      }
    }
    const int64_t target = state.wide ? static_cast<const int64_t*>(targets)[i]
                                      : static_cast<const int32_t*>(targets)[i];
    const bool ignored = state.ignore != nullptr && target == state.ignore_index;
    double value = 0, scale = 0;
    if (!ignored) {
      if (target < 0 || target >= classes) {
        throw Error(ErrorCode::runtime, "the target " + std::to_string(target) +
                                            " is none of the " + std::to_string(classes) +
                                            " classes");
      }
      scale = weight != nullptr ? static_cast<double>(weight[target]) : 1;
      value = -scale * (static_cast<double>(x[base + target * inner]) - log_sum);
    }
    total += value;
    total_weight += scale;
    if (state.reduction == Reduction::none) loss[i] = static_cast<T>(value);
  }
  if (state.reduction == Reduction::sum) *loss = static_cast<T>(total);
  if (state.reduction == Reduction::mean) *loss = static_cast<T>(total / total_weight);
}

template <bool kFromScores>
std::unique_ptr<KernelState> prepare(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<State>();
  state->view = AxisView(node.input(0).shape, 1);
  state->from_scores = kFromScores;
  state->wide = node.input(1).dtype == int64;
  state->has_weight = node.has_input(2);
  state->log_prob = node.has_output(1);
  if (const int64_t* ignore = node.attributes->find<int64_t>("ignore_index")) {
    state->ignore_index = *ignore;
    state->ignore = &state->ignore_index;
  }
  const std::string& reduction = node.attributes->get_string("reduction");
  state->reduction = reduction == "none" ? Reduction::none
                                         : (reduction == "sum" ? Reduction::sum : Reduction::mean);
  state->run = visit(node.input(0).dtype, RealTypes(), []<typename T>() { return run_loss<T>; });
  return state;
}

void run(const KernelState* kernel_state, const RunContext& context) {
  const State& state = *static_cast<const State*>(kernel_state);
  state.run(state, context);
}

constexpr Kernel kKernels[] = {
    {.op = "NegativeLogLikelihoodLoss", .types = kReal, .prepare = prepare<false>, .run = run},
    low_float_row<prepare<false>, run>("NegativeLogLikelihoodLoss"),
    {.op = "SoftmaxCrossEntropyLoss", .types = kReal, .prepare = prepare<true>, .run = run},
    low_float_row<prepare<true>, run>("SoftmaxCrossEntropyLoss"),
};

}  // namespace

KernelFamily math_loss_kernels() { return kKernels; }

}  // namespace ferry::cpu
