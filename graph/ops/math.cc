// Elementwise arithmetic, the activations that ONNX files under math and nn alike, and CumSum.
#include "graph/ops/rules.h"

namespace ferry {
namespace {

// Unary operators, opset as named in the table below: X -> Y of the same type and shape.
template <TypeSet kTypes>
void infer_unary(InferContext& context) {
  expect_arity(context, 1, 1);
  expect_dtype(context, 0, kTypes);
  context.set_output(0, context.dtype(0), context.shape(0));
}

// Integer Div rounds toward zero; sizes are not negative, where it is floor_div.
Dim div(const Dim& a, const Dim& b) {
  if (a.is_known() && b.is_known()) {
    if (b.value() == 0 || (b.value() == -1 && a.value() == INT64_MIN)) return {};
    return a.value() / b.value();
  }
  return floor_div(a, b);
}
Dim larger(const Dim& a, const Dim& b) { return max(a, b); }
Dim smaller(const Dim& a, const Dim& b) { return min(a, b); }

// Add, Sub, Mul, Div (opset 14): A, B -> C, broadcast.
template <DimFunction kFunction>
void infer_arithmetic(InferContext& context) {
  expect_arity(context, 2, 2);
  broadcast_output(context, expect_one_dtype(context, kNumericTypes));
  combine_contents(context, kFunction);
}

// Max, Min (opset 13): data_0, ... -> result, broadcast.
template <DimFunction kFunction>
void infer_variadic(InferContext& context) {
  expect_arity(context, 1, kAnyCount);
  broadcast_output(context, expect_one_dtype(context, kNumericTypes));
  if (context.input_count() == 2) combine_contents(context, kFunction);
}

// Pow (opset 15): X, Y -> Z of X's type, broadcast; the exponent may have a type of its own.
void infer_pow(InferContext& context) {
  expect_arity(context, 2, 2);
  expect_dtype(context, 0, kFloatTypes | TypeSet{int32, int64});
  expect_dtype(context, 1, kNumericTypes);
  broadcast_output(context, context.dtype(0));
}

// Neg (opset 13): X -> Y.
void infer_neg(InferContext& context) {
  infer_unary<kFloatTypes | kSignedTypes>(context);
  if (auto contents = context.contents(0)) {
    for (Dim& dim : *contents) dim = subtract_contents(0, dim);
    context.set_contents(0, std::move(*contents));
  }
}

// Gelu (opset 20): X -> Y; approximate ("none" or "tanh").
void infer_gelu(InferContext& context) {
  infer_unary<kFloatTypes>(context);
  const std::string& approximate = context.attributes().get_string("approximate");
  if (approximate != "none" && approximate != "tanh") {
    context.fail("the attribute 'approximate' is \"" + approximate +
                 "\", expected \"none\" or \"tanh\"");
  }
}

// Clip (opset 13): input, min?, max? -> output; the bounds are scalars.
void infer_clip(InferContext& context) {
  expect_arity(context, 1, 3);
  const DType dtype = expect_one_dtype(context, kNumericTypes);
  for (int i : {1, 2}) expect_one_element(context, i);
  context.set_output(0, dtype, context.shape(0));
}

// Softmax, LogSoftmax, Hardmax (opset 13): input -> output; axis.
void infer_softmax(InferContext& context) {
  infer_unary<kFloatTypes>(context);
  if (context.rank(0) >= 0) {
    normalize_axis(context, context.attributes().get_int("axis"), context.rank(0));
  }
}

// Sum, Mean (opset 13): data_0, ... -> result, broadcast.
void infer_fold(InferContext& context) {
  expect_arity(context, 1, kAnyCount);
  broadcast_output(context, expect_one_dtype(context, kFloatTypes));
}

Dim remainder(const Dim& a, const Dim& b) {
  if (!a.is_known() || !b.is_known() || a.value() < 0 || b.value() <= 0) return {};
  return a.value() % b.value();
}

// PRelu (opset 16): X, slope -> Y of X's shape, to which the slope broadcasts.
void infer_prelu(InferContext& context) {
  expect_arity(context, 2, 2);
  const DType dtype =
      expect_one_dtype(context, kFloatTypes | TypeSet{int32, int64, uint32, uint64});
  if (context.shape(0)) expect_broadcast(context, 1, *context.shape(0));
  context.set_output(0, dtype, context.shape(0));
}

// CumSum (opset 14), CumProd (26): x, axis -> y; exclusive, reverse.
void infer_cumsum(InferContext& context) {
  expect_arity(context, 2, 2);
  expect_dtype(context, 0, kFloatTypes | TypeSet{int32, int64, uint32, uint64});
  expect_dtype(context, 1, TypeSet{int32, int64});
  if (const auto axis = constant_int(context, 1); axis && context.rank(0) >= 0) {
    normalize_axis(context, *axis, context.rank(0));
  }
  context.set_output(0, context.dtype(0), context.shape(0));
}

template <TypeSet kTypes>
constexpr OpRule unary(std::string_view op, double (*flops)(const NodeSizes&)) {
  return {.op = op, .infer = infer_unary<kTypes>, .flops = flops, .rank = RankRule::same};
}

constexpr OpRule kRules[] = {
    unary<kNumericTypes>("Abs", each<1>),
    unary<kFloatTypes>("Acos", each<1>),
    unary<kFloatTypes>("Acosh", each<1>),
    {"Add", infer_arithmetic<add_contents>, each<1>},
    unary<kFloatTypes>("Asin", each<1>),
    unary<kFloatTypes>("Asinh", each<1>),
    unary<kFloatTypes>("Atan", each<1>),
    unary<kFloatTypes>("Atanh", each<1>),
    unary<kFloatTypes | TypeSet{int32, int64}>("ai.onnx.ml.Binarizer", each<1>),
    unary<kFloatTypes>("Ceil", each<1>),
    unary<kFloatTypes>("Celu", each<1>),
    {.op = "Clip", .infer = infer_clip, .flops = each<1>, .rank = RankRule::same},
    unary<kFloatTypes>("Cos", each<16>),
    unary<kFloatTypes>("Cosh", each<1>),
    {"CumProd", infer_cumsum, each<1>},
    {"CumSum", infer_cumsum, each_input},
    {"Div", infer_arithmetic<div>, each<1>},
    unary<kFloatTypes>("Elu", each<1>),
    unary<kNumericTypes>("Erf", each<20>),
    unary<kFloatTypes>("Exp", each<12>),
    unary<kFloatTypes>("Floor", each<1>),
    {"Gelu", infer_gelu, each<28>},
    unary<kFloatTypes>("HardSigmoid", each<1>),
    unary<kFloatTypes>("HardSwish", each<1>),
    {"Hardmax", infer_softmax, each<1>},
    unary<kFloatTypes>("LeakyRelu", each<1>),
    unary<kFloatTypes>("Log", each<12>),
    {"LogSoftmax", infer_softmax, each<16>},
    {"Max", infer_variadic<larger>, each<1>},
    {"Mean", infer_fold, each<1>},
    {"Min", infer_variadic<smaller>, each<1>},
    unary<kFloatTypes>("Mish", each<1>),
    {"Mod", infer_arithmetic<remainder>, each<1>},
    {"Mul", infer_arithmetic<multiply_contents>, each<1>},
    {"Neg", infer_neg, each<1>},
    {"PRelu", infer_prelu, each<1>},
    {"Pow", infer_pow, each<24>},
    unary<kFloatTypes>("Reciprocal", each<1>),
    unary<kFloatTypes | kSignedTypes>("Relu", each<1>),
    unary<kFloatTypes>("Round", each<1>),
    unary<kFloatTypes>("Selu", each<1>),
    unary<kNumericTypes>("Shrink", each<1>),
    unary<kFloatTypes>("Sigmoid", each<16>),
    unary<kNumericTypes>("Sign", each<1>),
    unary<kFloatTypes>("Sin", each<16>),
    unary<kFloatTypes>("Sinh", each<1>),
    {"Softmax", infer_softmax, each<16>},
    unary<kFloatTypes>("Softplus", each<1>),
    unary<kFloatTypes>("Softsign", each<1>),
    unary<kFloatTypes>("Sqrt", each<1>),
    {"Sub", infer_arithmetic<subtract_contents>, each<1>},
    {"Sum", infer_fold, each<1>},
    unary<kFloatTypes>("Swish", each<1>),
    unary<kFloatTypes>("Tan", each<1>),
    unary<kFloatTypes>("Tanh", each<16>),
    unary<kFloatTypes>("ThresholdedRelu", each<1>),
};

}  // namespace

std::span<const OpRule> math_rules() { return kRules; }

}  // namespace ferry
