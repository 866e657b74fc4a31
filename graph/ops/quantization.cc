// Quantization.
#include <algorithm>

#include "graph/ops/rules.h"
#include "graph/ops/window.h"

namespace ferry {
namespace {

inline constexpr TypeSet kQuantized =
    kFloat8Types | TypeSet{uint8, int8, uint16, int16, uint4, int4, float4_e2m1, uint2, int2};
inline constexpr TypeSet kBytes{uint8, int8};

// The scale is one number, one for each position of the axis, or one for each block along it.
void check_scale(const InferContext& context) {
  const int64_t block = context.attributes().get_int("block_size");
  if (block < 0) context.fail("the attribute 'block_size' is " + std::to_string(block));
  if (!context.shape(0) || !context.shape(1)) return;
  const Dims& x = *context.shape(0);
  const Dims& scale = *context.shape(1);
  if (scale.empty() || (scale.size() == 1 && scale[0] == Dim(1))) return;
  const int64_t axis =
      normalize_axis(context, context.attributes().get_int("axis"), context.rank(0));
  if (scale.size() == 1) {
    expect_equal(context, x[axis], scale[0], "the size of the axis and the scales");
    return;
  }
  expect_rank(context, 1, context.rank(0));
  if (block == 0) context.fail("the scale has one number a block, but 'block_size' is 0");
  for (int64_t i = 0; i < context.rank(0); ++i) {
    expect_equal(context, i == axis ? ceil_div(x[i], Dim(block)) : x[i], scale[i],
                 "sizes " + std::to_string(i) + " of the blocks and of the scale");
  }
}

void check_zero_point(const InferContext& context, int zero, int scale) {
  if (!context.has_input(zero) || !context.shape(zero) || !context.shape(scale)) return;
  const Dim a = product(*context.shape(zero));
  const Dim b = product(*context.shape(scale));
  const bool differ = a.is_known() && b.is_known() && a.value() != b.value();
  if (differ || (context.rank(zero) > 1 && context.rank(zero) != context.rank(scale))) {
    context.fail("the zero point " + to_string(*context.shape(zero)) + " and the scale " +
                 to_string(*context.shape(scale)) + " have different shapes");
  }
}

// QuantizeLinear (opset 25): x, y_scale, y_zero_point? -> y; axis, block_size, output_dtype,
// precision, saturate. The type is the zero point's, or output_dtype, or uint8.
void infer_quantize(InferContext& context) {
  expect_arity(context, 2, 3);
  expect_dtype(context, 0, kFloatTypes | TypeSet{int32});
  expect_dtype(context, 1, kFloatTypes | TypeSet{int32, float8_e8m0});
  check_scale(context);
  check_zero_point(context, 2, 1);
  const bool given = context.attributes().get_int("output_dtype") != 0;
  DType dtype = given ? dtype_attribute(context, "output_dtype", kQuantized) : uint8;
  if (context.has_input(2)) {
    expect_dtype(context, 2, kQuantized);
    if (given && context.dtype(2) != DType::undefined && context.dtype(2) != dtype) {
      context.fail("the attribute 'output_dtype' is " + std::string(to_string(dtype)) +
                   ", the zero point " + std::string(to_string(context.dtype(2))));
    }
    dtype = context.dtype(2);
  }
  context.set_output(0, dtype, context.shape(0));
}

// DequantizeLinear (opset 25): x, x_scale, x_zero_point? -> y; axis, block_size, output_dtype. The
// type is output_dtype, or the scale's.
void infer_dequantize(InferContext& context) {
  expect_arity(context, 2, 3);
  expect_dtype(context, 0, kQuantized | TypeSet{int32});
  expect_dtype(context, 1, kFloatTypes | TypeSet{float8_e8m0});
  if (context.has_input(2)) expect_same_dtype(context, {0, 2}, kQuantized | TypeSet{int32});
  check_scale(context);
  check_zero_point(context, 2, 1);
  const bool given = context.attributes().get_int("output_dtype") != 0;
  const DType dtype =
      given ? dtype_attribute(context, "output_dtype", kFloatTypes) : context.dtype(1);
  if (dtype != DType::undefined && !kFloatTypes.contains(dtype)) {
    context.fail("the result would be " + std::string(to_string(dtype)) +
                 ", expected a floating type");
  }
  context.set_output(0, dtype, context.shape(0));
}

// DynamicQuantizeLinear (opset 11): x -> y, y_scale, y_zero_point.
void infer_dynamic_quantize(InferContext& context) {
  expect_arity(context, 1, 1, 3);
  expect_dtype(context, 0, TypeSet{float32});
  context.set_output(0, uint8, context.shape(0));
  context.set_output(1, float32, Dims{});
  context.set_output(2, uint8, Dims{});
}

// The shape of MatMul of inputs a and b.
std::optional<Dims> product_shape(const InferContext& context, int i, int j) {
  expect_min_rank(context, i, 1);
  expect_min_rank(context, j, 1);
  if (!context.shape(i) || !context.shape(j)) return std::nullopt;
  return matmul_shape(context, *context.shape(i), *context.shape(j));
}

// A scale or zero point of a side of the product: one number, `count` of them, or as many for each
// of several matrices, `total` in all.
void check_numbers(const InferContext& context, int input, const Dim& count, const Dim& total) {
  if (!context.has_input(input) || !context.shape(input)) return;
  const Dim given = product(*context.shape(input));
  if (!given.is_known() || given.value() == 1 || !count.is_known()) return;
  const bool fits =
      given.value() == count.value() || !total.is_known() || given.value() == total.value();
  if (!fits) {
    context.fail(input_name(input) + " has " + given.str() + " elements, expected one or " +
                 count.str());
  }
}

void check_matrix_numbers(const InferContext& context, int a, int b,
                          std::initializer_list<int> rows, std::initializer_list<int> columns) {
  for (int i : rows) {
    if (context.rank(a) == 1) expect_one_element(context, i);
  }
  for (int i : columns) {
    if (context.rank(b) == 1) expect_one_element(context, i);
  }
  if (context.rank(a) > 1) {
    const std::span<const Dim> shape(*context.shape(a));
    const Dim& count = shape[shape.size() - 2];
    for (int i : rows) check_numbers(context, i, count, product(shape.first(shape.size() - 1)));
  }
  if (context.rank(b) > 1) {
    const std::span<const Dim> shape(*context.shape(b));
    const Dim total = product(shape.first(shape.size() - 2)) * shape.back();
    for (int i : columns) check_numbers(context, i, shape.back(), total);
  }
}

// MatMulInteger (opset 10): A, B, a_zero_point?, b_zero_point? -> Y of type int32.
void infer_matmul_integer(InferContext& context) {
  expect_arity(context, 2, 4);
  for (int i = 0; i < context.input_count(); ++i) {
    if (context.has_input(i)) expect_dtype(context, i, kBytes);
  }
  check_matrix_numbers(context, 0, 1, {2}, {3});
  context.set_output(0, int32, product_shape(context, 0, 1));
}

// QLinearMatMul (opset 21): a, a_scale, a_zero_point, b, b_scale, b_zero_point, y_scale,
// y_zero_point -> y of y_zero_point's type.
void infer_qlinear_matmul(InferContext& context) {
  expect_arity(context, 8, 8);
  for (int i : {0, 2, 3, 5, 7}) expect_dtype(context, i, kBytes | kFloat8Types);
  for (int i : {1, 4, 6}) expect_dtype(context, i, TypeSet{float32, float16, bfloat16});
  check_matrix_numbers(context, 0, 3, {1, 2}, {4, 5});
  for (int i : {6, 7}) expect_one_element(context, i);
  context.set_output(0, context.dtype(7), product_shape(context, 0, 3));
}

std::optional<Dims> convolved_shape(const InferContext& context, int weight) {
  expect_min_rank(context, 0, 3);
  if (!context.shape(0) || !context.shape(weight)) return std::nullopt;
  const Dims& w = *context.shape(weight);
  expect_rank(context, weight, context.rank(0));
  Dims kernel(w.begin() + 2, w.end());
  Dims shape = window_shape(context, kernel, false);
  const int64_t group = int_attribute(context, "group", 1);
  expect_equal(context, (*context.shape(0))[1], w[1] * Dim(group),
               "the input's channels and the weight's second axis times group");
  if (w[0].is_known() && w[0].value() % group != 0) {
    context.fail(std::to_string(group) + " groups do not divide the " + w[0].str() +
                 " output channels");
  }
  shape[1] = w[0];
  return shape;
}

// ConvInteger (opset 10): x, w, x_zero_point?, w_zero_point? -> y of type int32; as Conv.
void infer_conv_integer(InferContext& context) {
  expect_arity(context, 2, 4);
  for (int i = 0; i < context.input_count(); ++i) {
    if (context.has_input(i)) expect_dtype(context, i, kBytes);
  }
  auto shape = convolved_shape(context, 1);
  expect_one_element(context, 2);
  if (shape) check_numbers(context, 3, (*shape)[1], (*shape)[1]);
  context.set_output(0, int32, std::move(shape));
}

// QLinearConv (opset 10): x, x_scale, x_zero_point, w, w_scale, w_zero_point, y_scale,
// y_zero_point, B? of type int32 -> y of y_zero_point's type; as Conv.
void infer_qlinear_conv(InferContext& context) {
  expect_arity(context, 8, 9);
  for (int i : {0, 2, 3, 5, 7}) expect_dtype(context, i, kBytes);
  for (int i : {1, 4, 6}) expect_dtype(context, i, TypeSet{float32});
  if (context.has_input(8)) expect_dtype(context, 8, TypeSet{int32});
  auto shape = convolved_shape(context, 3);
  for (int i : {1, 2, 6, 7}) expect_one_element(context, i);
  if (shape) {
    for (int i : {4, 5}) check_numbers(context, i, (*shape)[1], (*shape)[1]);
    expect_shape(context, 8, {(*shape)[1]}, "the bias, one number for each output channel");
  }
  context.set_output(0, context.dtype(7), std::move(shape));
}

constexpr OpRule kRules[] = {
    {"ConvInteger", infer_conv_integer, conv_flops},
    {"DequantizeLinear", infer_dequantize, each<1>},
    {.op = "DynamicQuantizeLinear",
     .infer = infer_dynamic_quantize,
     .flops = each<1>,
     .fixed_float32 = {0}},
    {"MatMulInteger", infer_matmul_integer, matmul_flops},
    {.op = "QLinearConv",
     .infer = infer_qlinear_conv,
     .flops = conv_flops,
     .fixed_float32 = {1, 4, 6}},
    {.op = "QLinearMatMul",
     .infer = infer_qlinear_matmul,
     .flops = matmul_flops,
     .fixed_float32 = {1, 4, 6}},
    {"QuantizeLinear", infer_quantize, each<1>},
};

}  // namespace

std::span<const OpRule> quantization_rules() { return kRules; }

}  // namespace ferry
