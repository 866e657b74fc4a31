// Attention.
#include "graph/ops/rules.h"

namespace ferry {
namespace {

// [batch, heads, steps, size] of a 3-D or 4-D input; nullopt while not known.
std::optional<Dims> heads_of(const InferContext& context, int i, const char* count) {
  const auto& shape = context.shape(i);
  if (!shape) return std::nullopt;
  if (shape->size() == 4) return shape;
  if (shape->size() != 3) {
    context.fail(input_name(i) + " has the shape " + to_string(*shape) + ", expected 3 or 4 axes");
  }
  const int64_t* heads = context.attributes().find<int64_t>(count);
  if (heads == nullptr || *heads < 1) {
    context.fail("the attribute '" + std::string(count) + "' is needed where " + input_name(i) +
                 " has 3 axes");
  }
  const Dim& width = (*shape)[2];
  if (width.is_known() && width.value() % *heads != 0) {
    context.fail(std::to_string(*heads) + " heads do not divide the " + width.str() +
                 " columns of " + input_name(i));
  }
  return Dims{(*shape)[0], *heads, (*shape)[1], floor_div(width, Dim(*heads))};
}

// Attention (opset 24): Q, K, V, attn_mask?, past_key?, past_value?, nonpad_kv_seqlen? -> Y,
// present_key?, present_value?, qk_matmul_output?; is_causal, kv_num_heads?, q_num_heads?,
// qk_matmul_output_mode, scale?, softcap, softmax_precision?. Q, K and V have 3 axes [batch, steps,
// heads * size] or 4 [batch, heads, steps, size].
void infer_attention(InferContext& context) {
  expect_arity(context, 3, 7, 4);
  for (int i : {0, 1, 2, 4, 5}) {
    if (context.has_input(i)) expect_dtype(context, i, kFloatTypes);
  }
  if (context.has_input(3)) expect_dtype(context, 3, kFloatTypes | kBool);
  if (context.has_input(6)) expect_dtype(context, 6, TypeSet{int64});
  if (context.has_input(4) != context.has_input(5)) {
    context.fail("past_key and past_value must be given together");
  }
  if (context.has_input(4) && context.shape(4) && context.shape(5)) {
    expect_rank(context, 4, 4);
    expect_rank(context, 5, 4);
    const Dims& past = *context.shape(4);
    // The size of a head of V is its own.
    expect_shape(context, 5, {past[0], past[1], past[2], Dim()}, "as past_key, but for the last");
  }
  const auto q = heads_of(context, 0, "q_num_heads");
  const auto k = heads_of(context, 1, "kv_num_heads");
  const auto v = heads_of(context, 2, "kv_num_heads");
  const DType dtype = context.dtype(0);
  if (!q || !k || !v) {
    context.set_output(0, dtype, unknown_dims(context.rank(0) >= 0 ? context.rank(0) : 0));
    if (context.rank(0) < 0) context.set_output(0, dtype, std::nullopt);
    for (int i : {1, 2, 3})
      context.set_output(i, i == 3 ? dtype : context.dtype(i), unknown_dims(4));
    return;
  }
  expect_rank(context, 1, context.rank(0));
  expect_rank(context, 2, context.rank(0));
  expect_equal(context, (*q)[0], (*k)[0], "the batches of Q and K");
  expect_equal(context, (*k)[0], (*v)[0], "the batches of K and V");
  expect_equal(context, (*k)[1], (*v)[1], "the heads of K and V");
  expect_equal(context, (*k)[2], (*v)[2], "the steps of K and V");
  expect_equal(context, (*q)[3], (*k)[3], "the head sizes of Q and K");
  if ((*q)[1].is_known() && (*k)[1].is_known() &&
      ((*k)[1].value() == 0 || (*q)[1].value() % (*k)[1].value() != 0)) {
    context.fail("the " + (*k)[1].str() + " heads of K do not divide the " + (*q)[1].str() +
                 " of Q");
  }
  Dim total = (*k)[2];
  for (int i : {4, 5}) {
    if (!context.has_input(i)) continue;
    expect_rank(context, i, 4);
    if (!context.shape(i)) {
      total = Dim();
      continue;
    }
    const Dims& past = *context.shape(i);
    const Dims& now = i == 4 ? *k : *v;
    for (int axis : {0, 1, 3}) {
      expect_equal(context, past[axis], now[axis],
                   "axes " + std::to_string(axis) + " of " + input_name(i) + " and of what is new");
    }
    if (i == 4) total = total + past[2];
  }
  if (context.has_input(3) && context.shape(3)) {
    const Dims& mask = *context.shape(3);
    if (mask.empty() || mask.size() > 4) {
      context.fail("the mask has the shape " + to_string(mask) + ", expected 1 to 4 axes");
    }
    if (mask.back().is_known() && total.is_known() && mask.back().value() > total.value()) {
      context.fail("the mask has the shape " + to_string(mask) + " for " + total.str() + " keys");
    }
    const Dims scores{(*q)[0], (*q)[1], (*q)[2]};
    for (size_t i = 1; i < mask.size(); ++i) {
      const Dim& size = mask[mask.size() - 1 - i];
      if (size == Dim(1)) continue;
      expect_equal(context, size, scores[3 - i], "the sizes of the mask and of the scores");
    }
  }
  if (context.has_input(6) && context.shape(6)) {
    expect_rank(context, 6, 1);
    expect_equal(context, (*context.shape(6))[0], (*q)[0], "the batch and nonpad_kv_seqlen");
  }
  Dims y = context.rank(0) == 4 ? Dims{(*q)[0], (*q)[1], (*q)[2], (*v)[3]}
                                : Dims{(*q)[0], (*q)[2], (*q)[1] * (*v)[3]};
  context.set_output(0, dtype, std::move(y));
  context.set_output(1, context.dtype(1), Dims{(*k)[0], (*k)[1], total, (*k)[3]});
  context.set_output(2, context.dtype(2), Dims{(*v)[0], (*v)[1], total, (*v)[3]});
  context.set_output(3, dtype, Dims{(*q)[0], (*q)[1], (*q)[2], total});
}

// RotaryEmbedding (opset 23): X, cos_cache, sin_cache, position_ids? -> Y; interleaved, num_heads?,
// rotary_embedding_dim (0: the whole head).
void infer_rotary_embedding(InferContext& context) {
  expect_arity(context, 3, 4);
  const DType dtype = expect_same_dtype(context, {0, 1, 2}, kFloatTypes);
  const auto x = heads_of(context, 0, "num_heads");
  const bool positions = context.has_input(3);
  if (positions) {
    expect_dtype(context, 3, TypeSet{int64});
    expect_rank(context, 3, 2);
  }
  for (int i : {1, 2}) {
    expect_rank(context, i, positions ? 2 : 3);
    if (!x || !context.shape(i)) continue;
    const Dims& cache = *context.shape(i);
    const int64_t given = context.attributes().get_int("rotary_embedding_dim");
    const Dim dim = given == 0 ? (*x)[3] : Dim(given);
    if (dim.is_known() && (*x)[3].is_known() &&
        (dim.value() < 0 || dim.value() > (*x)[3].value() || dim.value() % 2 != 0)) {
      context.fail("the attribute 'rotary_embedding_dim' is " + dim.str() +
                   ", expected an even number of at most " + (*x)[3].str());
    }
    expect_equal(context, cache.back(), floor_div(dim, Dim(2)),
                 "the last axis of " + input_name(i) + " and half of what is turned");
    if (!positions) {
      expect_equal(context, cache[0], (*x)[0], "the batches of X and of " + input_name(i));
      expect_equal(context, cache[1], (*x)[2], "the steps of X and of " + input_name(i));
    }
  }
  if (context.shape(1)) expect_shape(context, 2, *context.shape(1), "the shape of cos_cache");
  if (x && positions && context.shape(3)) {
    expect_equal(context, (*context.shape(3))[0], (*x)[0], "the batches of X and of the positions");
    expect_equal(context, (*context.shape(3))[1], (*x)[2], "the steps of X and of the positions");
  }
  context.set_output(0, dtype, context.shape(0));
}

constexpr OpRule kRules[] = {
    {"Attention", infer_attention, attention_flops},
    {"RotaryEmbedding", infer_rotary_embedding, each<1>},
};

}  // namespace

std::span<const OpRule> nn_attention_rules() { return kRules; }

}  // namespace ferry
