// Normalisations beside BatchNormalization and LayerNormalization.
#include "graph/ops/rules.h"

namespace ferry {
namespace {

void same_as_input(InferContext& context) {
  context.set_output(0, context.dtype(0), context.shape(0));
}

// RMSNormalization (opset 23): X, scale -> Y; axis, epsilon, stash_type.
void infer_rms_normalization(InferContext& context) {
  expect_arity(context, 2, 2);
  expect_one_dtype(context, kFloatTypes);
  if (context.rank(0) >= 0) {
    normalize_axis(context, context.attributes().get_int("axis"), context.rank(0));
    expect_broadcast(context, 1, *context.shape(0));
  }
  same_as_input(context);
}

// InstanceNormalization (opset 22): input [N, C, D1, ...], scale, B [C] -> output; epsilon.
// GroupNormalization (opset 21): X, scale, bias [C] -> Y; epsilon, num_groups, stash_type.
void infer_channel_normalization(InferContext& context) {
  expect_arity(context, 3, 3);
  expect_one_dtype(context, kFloatTypes);
  expect_min_rank(context, 0, 2);
  const int64_t* groups = context.attributes().find<int64_t>("num_groups");
  Dim channel_count;
  if (context.shape(0)) channel_count = (*context.shape(0))[1];
  for (int i : {1, 2}) {
    expect_rank(context, i, 1);
    if (context.shape(i)) {
      channel_count = expect_equal(context, channel_count, (*context.shape(i))[0],
                                   "the channels of input 0 and of " + input_name(i));
    }
  }
  if (groups != nullptr && context.shape(0)) {
    const Dim& channels = (*context.shape(0))[1];
    if (*groups < 1 || (channels.is_known() && channels.value() % *groups != 0)) {
      context.fail(std::to_string(*groups) + " groups do not divide the " + channels.str() +
                   " channels");
    }
  }
  same_as_input(context);
}

// MeanVarianceNormalization (opset 13): X -> Y; axes.
void infer_mean_variance(InferContext& context) {
  expect_arity(context, 1, 1);
  expect_dtype(context, 0, kFloatTypes);
  if (context.rank(0) >= 0) {
    normalize_axes(context, context.attributes().get_ints("axes"), context.rank(0));
  }
  same_as_input(context);
}

// LpNormalization (opset 22): input -> output; axis, p (1 or 2).
void infer_lp_normalization(InferContext& context) {
  expect_arity(context, 1, 1);
  expect_dtype(context, 0, kFloatTypes);
  const int64_t p = context.attributes().get_int("p");
  if (p != 1 && p != 2) {
    context.fail("the attribute 'p' is " + std::to_string(p) + ", expected 1 or 2");
  }
  if (context.rank(0) >= 0) {
    normalize_axis(context, context.attributes().get_int("axis"), context.rank(0));
  }
  same_as_input(context);
}

// LRN (opset 13): X [N, C, D1, ...] -> Y; alpha, beta, bias, size.
void infer_lrn(InferContext& context) {
  expect_arity(context, 1, 1);
  expect_dtype(context, 0, kFloatTypes);
  expect_min_rank(context, 0, 2);
  int_attribute(context, "size", 1);
  same_as_input(context);
}

constexpr OpRule kRules[] = {
    {"GroupNormalization", infer_channel_normalization, each<8>},
    {"InstanceNormalization", infer_channel_normalization, each<8>},
    {"LRN", infer_lrn, each<1>},
    {"LpNormalization", infer_lp_normalization, each<1>},
    {"MeanVarianceNormalization", infer_mean_variance, each<1>},
    {"RMSNormalization", infer_rms_normalization, each<6>},
};

}  // namespace

std::span<const OpRule> nn_norm_rules() { return kRules; }

}  // namespace ferry
