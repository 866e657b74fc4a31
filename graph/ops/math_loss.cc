// Losses.
#include "graph/ops/rules.h"

namespace ferry {
namespace {

// NegativeLogLikelihoodLoss (opset 22): input [N, C, D1, ...], target [N, D1, ...], weight? [C] ->
// loss; ignore_index?, reduction.
// SoftmaxCrossEntropyLoss (opset 13): scores, labels, weights? -> output, log_prob?; the same.
void infer_loss(InferContext& context, int outputs) {
  expect_arity(context, 2, 3, outputs);
  const DType dtype = expect_same_dtype(context, {0, 2}, kFloatTypes);
  expect_dtype(context, 1, TypeSet{int32, int64});
  expect_min_rank(context, 0, 2);
  if (context.has_input(2)) expect_rank(context, 2, 1);
  std::optional<Dims> losses = context.shape(1);
  if (context.shape(0)) {
    const Dims& x = *context.shape(0);
    Dims targets{x[0]};
    targets.insert(targets.end(), x.begin() + 2, x.end());
    expect_rank(context, 1, static_cast<int64_t>(targets.size()));
    for (size_t i = 0; context.shape(1) && i < targets.size(); ++i) {
      targets[i] = expect_equal(context, targets[i], (*context.shape(1))[i],
                                "sizes " + std::to_string(i) + " of the targets");
    }
    if (context.has_input(2) && context.shape(2)) {
      expect_equal(context, x[1], (*context.shape(2))[0], "the classes and the weights");
    }
    losses = std::move(targets);
  }
  const std::string& reduction = context.attributes().get_string("reduction");
  if (reduction != "none" && reduction != "mean" && reduction != "sum") {
    context.fail("the attribute 'reduction' is \"" + reduction + "\", expected none, mean or sum");
  }
  context.set_output(0, dtype, reduction == "none" ? std::move(losses) : Dims{});
  context.set_output(1, dtype, context.shape(0));
}

void infer_negative_log_likelihood(InferContext& context) { infer_loss(context, 1); }
void infer_softmax_cross_entropy(InferContext& context) { infer_loss(context, 2); }

constexpr OpRule kRules[] = {
    {"NegativeLogLikelihoodLoss", infer_negative_log_likelihood, each<1>},
    {"SoftmaxCrossEntropyLoss", infer_softmax_cross_entropy, each<1>},
};

}  // namespace

std::span<const OpRule> math_loss_rules() { return kRules; }

}  // namespace ferry
