// Normalisation, dropout and the pools.
#include <algorithm>

#include "graph/ops/identity.h"
#include "graph/ops/rules.h"
#include "graph/ops/window.h"

namespace ferry {
namespace {

// BatchNormalization (opset 15): X [N, C, ...], scale, B, input_mean, input_var [C] -> Y,
// running_mean?, running_var?; epsilon, momentum, training_mode.
void infer_batch_normalization(InferContext& context) {
  expect_arity(context, 5, 5, 3);
  expect_dtype(context, 0, kFloatTypes);
  expect_same_dtype(context, {1, 2}, kFloatTypes);
  const DType statistics = expect_same_dtype(context, {3, 4}, kFloatTypes);
  expect_min_rank(context, 0, 1);
  Dim channels;
  if (context.shape(0)) channels = context.rank(0) > 1 ? (*context.shape(0))[1] : Dim(1);
  for (int i = 1; i < 5; ++i) {
    expect_rank(context, i, 1);
    if (context.shape(i)) {
      channels = expect_equal(context, channels, (*context.shape(i))[0],
                              "the channels of input 0 and of " + input_name(i));
    }
  }
  const bool training = context.attributes().get_int("training_mode") != 0;
  if (!training && context.output_count() > 1) {
    context.fail("the node has " + std::to_string(context.output_count()) +
                 " outputs, expected one where training_mode is 0");
  }
  context.set_output(0, context.dtype(0), context.shape(0));
  context.set_output(1, statistics, Dims{channels});
  context.set_output(2, statistics, Dims{channels});
}

// LayerNormalization (opset 17): X, Scale, B? -> Y, Mean?, InvStdDev?; axis, epsilon, stash_type.
void infer_layer_normalization(InferContext& context) {
  expect_arity(context, 2, 3, 3);
  const DType dtype = expect_one_dtype(context, kFloatTypes);
  const int64_t stash_type = context.attributes().get_int("stash_type");
  if (stash_type != 1 && stash_type != 16) {
    context.fail("the attribute 'stash_type' is " + std::to_string(stash_type) +
                 ", expected 1 (float32) or 16 (bfloat16)");
  }
  context.set_output(0, dtype, context.shape(0));
  std::optional<Dims> statistics;
  if (context.shape(0)) {
    statistics = context.shape(0);
    const int64_t rank = context.rank(0);
    const int64_t axis = normalize_axis(context, context.attributes().get_int("axis"), rank);
    std::fill(statistics->begin() + axis, statistics->end(), Dim(1));
    for (int i : {1, 2}) expect_broadcast(context, i, *context.shape(0));
  }
  const DType stash = static_cast<DType>(stash_type);
  context.set_output(1, stash, statistics);
  context.set_output(2, stash, std::move(statistics));
}

// Dropout (opset 22): data, ratio?, training_mode? -> output, mask?; seed?.
void infer_dropout(InferContext& context) {
  expect_arity(context, 1, 3, 2);
  expect_dtype(context, 0, kFloatTypes | kFloat8Types);
  if (context.has_input(1)) expect_dtype(context, 1, kFloatTypes | kFloat8Types);
  if (context.has_input(2)) expect_dtype(context, 2, kBool);
  for (int i : {1, 2}) expect_one_element(context, i);
  context.set_output(0, context.dtype(0), context.shape(0));
  context.set_output(1, boolean, context.shape(0));
}

// Flatten (opset 25): input -> output [d0 * ... , d_axis * ...]; axis.
void infer_flatten(InferContext& context) {
  expect_arity(context, 1, 1);
  expect_dtype(context, 0, kEveryType);
  if (!context.shape(0)) return context.set_output(0, context.dtype(0), unknown_dims(2));
  const Dims& shape = *context.shape(0);
  const int64_t rank = context.rank(0);
  const int64_t given = context.attributes().get_int("axis");
  if (given < -rank || given > rank) {
    context.fail("the attribute 'axis' is " + std::to_string(given) + ", expected -" +
                 std::to_string(rank) + " to " + std::to_string(rank));
  }
  const size_t axis = static_cast<size_t>(given < 0 ? given + rank : given);
  const std::span<const Dim> dims(shape);
  context.set_output(0, context.dtype(0),
                     Dims{product(dims.subspan(0, axis)), product(dims.subspan(axis))});
}

// MaxPool, AveragePool (opset 22): X [N, C, D1, ...] -> Y, Indices? (MaxPool); kernel_shape,
// strides?, pads?, dilations?, auto_pad, ceil_mode; count_include_pad (AveragePool),
// storage_order (MaxPool).
void infer_pool(InferContext& context, TypeSet types, int outputs) {
  expect_arity(context, 1, 1, outputs);
  expect_dtype(context, 0, types);
  const auto& kernel = context.attributes().get_ints("kernel_shape");
  std::optional<Dims> shape;
  if (context.shape(0)) {
    expect_min_rank(context, 0, 3);
    const Dims kernel_dims(kernel.begin(), kernel.end());
    shape = window_shape(context, kernel_dims, context.attributes().get_int("ceil_mode") != 0);
  }
  context.set_output(0, context.dtype(0), shape);
  context.set_output(1, int64, std::move(shape));
}

void infer_max_pool(InferContext& context) {
  infer_pool(context, kFloatTypes | TypeSet{int8, uint8}, 2);
}

void infer_average_pool(InferContext& context) { infer_pool(context, kFloatTypes, 1); }

// LpPool (opset 22): as AveragePool, with p.
// GlobalAveragePool, GlobalMaxPool (opset 22), GlobalLpPool: X [N, C, D1, ...] -> Y [N, C, 1, ...].
void infer_global_pool(InferContext& context) {
  expect_arity(context, 1, 1);
  expect_dtype(context, 0, kFloatTypes);
  expect_min_rank(context, 0, 2);
  std::optional<Dims> shape = context.shape(0);
  if (shape) std::fill(shape->begin() + 2, shape->end(), Dim(1));
  context.set_output(0, context.dtype(0), std::move(shape));
}

constexpr OpRule kRules[] = {
    {.op = "AveragePool", .infer = infer_average_pool, .flops = pool_flops, .rank = RankRule::same},
    {.op = "BatchNormalization",
     .infer = infer_batch_normalization,
     .flops = each<2>,
     .rank = RankRule::same},
    {.op = "Dropout",
     .infer = infer_dropout,
     .flops = each<1>,
     .rank = RankRule::same,
     .random = true,
     .gives_input = dropout_gives_input},
    {.op = "Flatten", .infer = infer_flatten, .flops = moves_bytes, .traffic = Traffic::view},
    {.op = "GlobalAveragePool",
     .infer = infer_global_pool,
     .flops = each_input,
     .rank = RankRule::same},
    {"GlobalLpPool", infer_global_pool, each<1>},
    {"GlobalMaxPool", infer_global_pool, each_input},
    {"LayerNormalization", infer_layer_normalization, each<8>},
    {"LpPool", infer_average_pool, each<1>},
    {.op = "MaxPool", .infer = infer_max_pool, .flops = pool_flops, .rank = RankRule::same},
};

}  // namespace

std::span<const OpRule> nn_rules() { return kRules; }

}  // namespace ferry
