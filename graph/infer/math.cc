// Elementwise arithmetic, the activations that ONNX files under math and nn alike, and CumSum.
#include "graph/infer/rules.h"

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

// LeakyRelu (opset 16): X -> Y; alpha.
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

// Softmax, LogSoftmax (opset 13): input -> output; axis.
void infer_softmax(InferContext& context) {
  infer_unary<kFloatTypes>(context);
  if (context.rank(0) >= 0) {
    normalize_axis(context, context.attributes().get_int("axis"), context.rank(0));
  }
}

// CumSum (opset 14): x, axis -> y; exclusive, reverse.
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
    {"Add", infer_arithmetic<add>},
    {"Clip", infer_clip},
    {"Cos", infer_unary<kFloatTypes>},
    {"CumSum", infer_cumsum},
    {"Div", infer_arithmetic<div>},
    {"Erf", infer_unary<kNumericTypes>},
    {"Exp", infer_unary<kFloatTypes>},
    {"Gelu", infer_gelu},
    {"LeakyRelu", infer_unary<kFloatTypes>},
    {"Log", infer_unary<kFloatTypes>},
    {"LogSoftmax", infer_softmax},
    {"Max", infer_variadic<larger>},
    {"Min", infer_variadic<smaller>},
    {"Mul", infer_arithmetic<mul>},
    {"Neg", infer_neg},
    {"Pow", infer_pow},
    {"Reciprocal", infer_unary<kFloatTypes>},
    {"Relu", infer_unary<kFloatTypes | kSignedTypes>},
    {"Sigmoid", infer_unary<kFloatTypes>},
    {"Sin", infer_unary<kFloatTypes>},
    {"Softmax", infer_softmax},
    {"Sqrt", infer_unary<kFloatTypes>},
    {"Sub", infer_arithmetic<sub>},
    {"Tanh", infer_unary<kFloatTypes>},
};

}  // namespace

std::span<const InferRule> math_rules() { return kRules; }

}  // namespace ferry
