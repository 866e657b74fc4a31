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

Dim add(const Dim& a, const Dim& b) { return a + b; }
Dim sub(const Dim& a, const Dim& b) { return a - b; }
Dim mul(const Dim& a, const Dim& b) { return a * b; }
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
    for (Dim& dim : *contents) dim = Dim(0) - dim;
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
  for (int i = 1; i < context.input_count(); ++i) {
    if (!context.has_input(i) || !context.shape(i)) continue;
    const Dim count = product(*context.shape(i));
    if (count.is_known() && count.value() != 1) {
      context.fail(input_name(i) + " has the shape " + to_string(*context.shape(i)) +
                   ", expected a scalar");
    }
  }
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
  if (context.shape(0) && context.shape(1)) {
    if (context.rank(1) > context.rank(0)) {
      context.fail("the slope " + to_string(*context.shape(1)) + " has more axes than X " +
                   to_string(*context.shape(0)));
    }
    broadcast(context, *context.shape(0), *context.shape(1));
  }
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

constexpr InferRule kRules[] = {
    {"Abs", infer_unary<kNumericTypes>},
    {"Acos", infer_unary<kFloatTypes>},
    {"Acosh", infer_unary<kFloatTypes>},
    {"Add", infer_arithmetic<add>},
    {"Asin", infer_unary<kFloatTypes>},
    {"Asinh", infer_unary<kFloatTypes>},
    {"Atan", infer_unary<kFloatTypes>},
    {"Atanh", infer_unary<kFloatTypes>},
    {"Ceil", infer_unary<kFloatTypes>},
    {"Celu", infer_unary<kFloatTypes>},
    {"Clip", infer_clip},
    {"Cos", infer_unary<kFloatTypes>},
    {"Cosh", infer_unary<kFloatTypes>},
    {"CumProd", infer_cumsum},
    {"CumSum", infer_cumsum},
    {"Div", infer_arithmetic<div>},
    {"Elu", infer_unary<kFloatTypes>},
    {"Erf", infer_unary<kNumericTypes>},
    {"Exp", infer_unary<kFloatTypes>},
    {"Floor", infer_unary<kFloatTypes>},
    {"Gelu", infer_gelu},
    {"HardSigmoid", infer_unary<kFloatTypes>},
    {"HardSwish", infer_unary<kFloatTypes>},
    {"Hardmax", infer_softmax},
    {"LeakyRelu", infer_unary<kFloatTypes>},
    {"Log", infer_unary<kFloatTypes>},
    {"LogSoftmax", infer_softmax},
    {"Max", infer_variadic<larger>},
    {"Mean", infer_fold},
    {"Min", infer_variadic<smaller>},
    {"Mish", infer_unary<kFloatTypes>},
    {"Mod", infer_arithmetic<remainder>},
    {"Mul", infer_arithmetic<mul>},
    {"Neg", infer_neg},
    {"PRelu", infer_prelu},
    {"Pow", infer_pow},
    {"Reciprocal", infer_unary<kFloatTypes>},
    {"Relu", infer_unary<kFloatTypes | kSignedTypes>},
    {"Round", infer_unary<kFloatTypes>},
    {"Selu", infer_unary<kFloatTypes>},
    {"Shrink", infer_unary<kNumericTypes>},
    {"Sigmoid", infer_unary<kFloatTypes>},
    {"Sign", infer_unary<kNumericTypes>},
    {"Sin", infer_unary<kFloatTypes>},
    {"Sinh", infer_unary<kFloatTypes>},
    {"Softmax", infer_softmax},
    {"Softplus", infer_unary<kFloatTypes>},
    {"Softsign", infer_unary<kFloatTypes>},
    {"Sqrt", infer_unary<kFloatTypes>},
    {"Sub", infer_arithmetic<sub>},
    {"Sum", infer_fold},
    {"Swish", infer_unary<kFloatTypes>},
    {"Tan", infer_unary<kFloatTypes>},
    {"Tanh", infer_unary<kFloatTypes>},
    {"ThresholdedRelu", infer_unary<kFloatTypes>},
};

}  // namespace

std::span<const InferRule> math_rules() { return kRules; }

}  // namespace ferry
