// Convolutions, and the arithmetic of sliding windows that pools share.
#include "graph/ops/rules.h"
#include "graph/ops/window.h"

namespace ferry {
namespace {

void read_ints(const InferContext& context, std::string_view name, size_t count, int64_t minimum,
               std::vector<int64_t>& values) {
  const auto& given = context.attributes().get_ints(name);
  if (given.empty()) return;
  if (given.size() != count) {
    context.fail("the attribute '" + std::string(name) + "' has " + std::to_string(given.size()) +
                 " numbers, expected " + std::to_string(count));
  }
  for (int64_t value : given) {
    if (value < minimum || value > INT32_MAX) {
      context.fail("the attribute '" + std::string(name) + "' holds " + std::to_string(value) +
                   ", expected at least " + std::to_string(minimum) + " and below 2^31");
    }
  }
  values = given;
}

// Sizes of a window: those of the attribute kernel_shape, which must agree with the weight's.
Dims kernel_sizes(const InferContext& context, int64_t spatial_rank) {
  Dims kernel = unknown_dims(spatial_rank);
  if (context.shape(1)) {
    for (int64_t i = 0; i < spatial_rank; ++i) kernel[i] = (*context.shape(1))[i + 2];
  }
  std::vector<int64_t> given;
  read_ints(context, "kernel_shape", static_cast<size_t>(spatial_rank), 1, given);
  for (size_t i = 0; i < given.size(); ++i) {
    kernel[i] = expect_equal(context, Dim(given[i]), kernel[i],
                             "kernel_shape and the weight's spatial sizes");
  }
  return kernel;
}

int64_t check_group(const InferContext& context) { return int_attribute(context, "group", 1); }

void check_bias(const InferContext& context, const Dim& channels) {
  if (!context.has_input(2)) return;
  expect_rank(context, 2, 1);
  if (context.shape(2)) {
    expect_equal(context, (*context.shape(2))[0], channels,
                 "the size of the bias and the output channels");
  }
}

// The rank that inputs 0 and 1 share, or nothing while the input's is not known.
bool known_ranks(const InferContext& context) {
  expect_min_rank(context, 0, 3);
  expect_min_rank(context, 1, 3);
  if (context.rank(0) >= 0) expect_rank(context, 1, context.rank(0));
  return context.rank(0) >= 0;
}

// Conv (opset 22): X [N, C, D1, ...], W [M, C/group, k1, ...], B? [M] -> Y [N, M, ...]; group,
// kernel_shape, strides, pads, dilations (each may be empty), auto_pad. Rewrites add an activation.
void infer_conv(InferContext& context) {
  expect_arity(context, 2, 3);
  const DType dtype = expect_one_dtype(context, kFloatTypes);
  expect_activation(context, dtype);
  const int64_t group = check_group(context);
  if (!known_ranks(context)) return context.set_output(0, dtype, std::nullopt);
  Dims shape = window_shape(context, kernel_sizes(context, context.rank(0) - 2), false);
  shape[1] = Dim();
  if (context.shape(1)) {
    const Dims& w = *context.shape(1);
    shape[1] = w[0];
    expect_equal(context, (*context.shape(0))[1], w[1] * group,
                 "the input's channels and the weight's second axis times group");
    if (w[0].is_known() && w[0].value() % group != 0) {
      context.fail("the weight has " + w[0].str() + " output channels, which " +
                   std::to_string(group) + " groups do not divide");
    }
  }
  check_bias(context, shape[1]);
  context.set_output(0, dtype, std::move(shape));
}

// ConvTranspose (opset 22): X [N, C, D1, ...], W [C, M/group, k1, ...], B? [M] -> Y [N, M, ...];
// group, kernel_shape, strides, pads, dilations, output_padding, output_shape (each may be empty),
// auto_pad. Rewrites add an activation.
void infer_conv_transpose(InferContext& context) {
  expect_arity(context, 2, 3);
  const DType dtype = expect_one_dtype(context, kFloatTypes);
  expect_activation(context, dtype);
  const int64_t group = check_group(context);
  if (!known_ranks(context)) return context.set_output(0, dtype, std::nullopt);
  const Dims& x = *context.shape(0);
  const int64_t spatial = context.rank(0) - 2;
  const WindowAttributes window = window_attributes(context, spatial);
  const Dims kernel = kernel_sizes(context, spatial);
  std::vector<int64_t> output_padding(spatial, 0), output_shape;
  read_ints(context, "output_padding", static_cast<size_t>(spatial), 0, output_padding);
  read_ints(context, "output_shape", static_cast<size_t>(spatial), 0, output_shape);
  Dims shape(static_cast<size_t>(spatial) + 2);
  shape[0] = x[0];
  if (context.shape(1)) {
    const Dims& w = *context.shape(1);
    shape[1] = w[1] * group;
    expect_equal(context, x[1], w[0], "the input's channels and the weight's first axis");
    if (x[1].is_known() && x[1].value() % group != 0) {
      context.fail("the input has " + x[1].str() + " channels, which " + std::to_string(group) +
                   " groups do not divide");
    }
  }
  for (int64_t i = 0; i < spatial; ++i) {
    Dim& out = shape[i + 2];
    if (!output_shape.empty()) {
      out = output_shape[i];
    } else if (window.auto_pad == WindowAttributes::AutoPad::same) {
      out = x[i + 2] * window.strides[i];
    } else {
      out = (x[i + 2] - 1) * window.strides[i] + (kernel[i] - 1) * window.dilations[i] + 1 +
            output_padding[i] - window.pads[i] - window.pads[i + spatial];
    }
    if (out.is_known() && out.value() < 0) {
      context.fail("spatial axis " + std::to_string(i) + " of the output would have the size " +
                   out.str());
    }
  }
  check_bias(context, shape[1]);
  context.set_output(0, dtype, std::move(shape));
}

constexpr OpRule kRules[] = {
    {.op = "Conv",
     .infer = infer_conv,
     .flops = conv_flops,
     .rank = RankRule::same,
     .takes_activation = true},
    {.op = "ConvTranspose",
     .infer = infer_conv_transpose,
     .flops = conv_transpose_flops,
     .takes_activation = true},
};

}  // namespace

WindowAttributes window_attributes(const InferContext& context, int64_t spatial_rank) {
  const size_t rank = static_cast<size_t>(spatial_rank);
  WindowAttributes window{std::vector<int64_t>(rank, 1), std::vector<int64_t>(rank, 1),
                          std::vector<int64_t>(rank * 2, 0)};
  read_ints(context, "strides", rank, 1, window.strides);
  read_ints(context, "dilations", rank, 1, window.dilations);
  const std::string& auto_pad = context.attributes().get_string("auto_pad");
  if (auto_pad == "NOTSET") {
    read_ints(context, "pads", rank * 2, -INT32_MAX, window.pads);
  } else if (auto_pad == "VALID") {
    window.auto_pad = WindowAttributes::AutoPad::valid;
  } else if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") {
    window.auto_pad = WindowAttributes::AutoPad::same;
  } else {
    context.fail("the attribute 'auto_pad' is \"" + auto_pad +
                 "\", expected NOTSET, VALID, SAME_UPPER or SAME_LOWER");
  }
  return window;
}

Dims window_shape(const InferContext& context, const Dims& kernel, bool ceil_mode) {
  const Dims& x = *context.shape(0);
  const size_t spatial = x.size() - 2;
  const WindowAttributes window = window_attributes(context, static_cast<int64_t>(spatial));
  if (kernel.size() != spatial) {
    context.fail("the window has " + std::to_string(kernel.size()) + " axes, the input has " +
                 std::to_string(spatial) + " spatial ones");
  }
  Dims shape(x.begin(), x.begin() + 2);
  for (size_t i = 0; i < spatial; ++i) {
    if (kernel[i].is_known() && (kernel[i].value() < 1 || kernel[i].value() > INT32_MAX)) {
      context.fail("the window has the size " + kernel[i].str() +
                   ", expected at least 1 and below 2^31");
    }
    const Dim stride = window.strides[i];
    const Dim& in = x[i + 2];
    if (window.auto_pad == WindowAttributes::AutoPad::same) {
      shape.push_back(ceil_div(in, stride));
      continue;
    }
    const Dim reach = (kernel[i] - 1) * window.dilations[i] + 1;
    const Dim room = in + window.pads[i] + window.pads[i + spatial] - reach;
    if (room.is_known() && room.value() < 0) {
      context.fail("a window that spans " + reach.str() + " does not fit into spatial axis " +
                   std::to_string(i) + " of " + to_string(x) + " with its padding");
    }
    if (!ceil_mode || window.strides[i] == 1) {
      shape.push_back(floor_div(room, stride) + 1);
      continue;
    }
    // A window that would start in the padding after the input is left out.
    const Dim last = ceil_div(room, stride);
    const Dim limit = in + window.pads[i];
    const bool known = last.is_known() && limit.is_known();
    const bool outside = known && (last * stride).value() >= limit.value();
    shape.push_back(known ? last + (outside ? 0 : 1) : Dim());
  }
  return shape;
}

std::span<const OpRule> nn_conv_rules() { return kRules; }

}  // namespace ferry
