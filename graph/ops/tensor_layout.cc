// Joining, cutting, repeating and resampling.
#include <algorithm>
#include <cmath>

#include "graph/ops/identity.h"
#include "graph/ops/rules.h"

namespace ferry {
namespace {

// Transpose (opset 25): data -> transposed; perm (empty: reversed axes).
void infer_transpose(InferContext& context) {
  expect_arity(context, 1, 1);
  expect_dtype(context, 0, kEveryType);
  const DType dtype = context.dtype(0);
  if (!context.shape(0)) return context.set_output(0, dtype, std::nullopt);
  const Dims& shape = *context.shape(0);
  const auto& perm = context.attributes().get_ints("perm");
  Dims result;
  if (perm.empty()) {
    result.assign(shape.rbegin(), shape.rend());
  } else {
    if (perm.size() != shape.size()) {
      context.fail("the attribute 'perm' has " + std::to_string(perm.size()) +
                   " numbers, the input has " + std::to_string(shape.size()) + " axes");
    }
    for (int64_t axis : normalize_axes(context, perm, context.rank(0))) {
      result.push_back(shape[axis]);
    }
  }
  context.set_output(0, dtype, std::move(result));
  if (shape.size() <= 1) {
    if (auto contents = context.contents(0)) context.set_contents(0, std::move(*contents));
  }
}

// Concat (opset 13): inputs... -> concat_result; axis.
void infer_concat(InferContext& context) {
  expect_arity(context, 1, kAnyCount);
  const DType dtype = expect_one_dtype(context, kEveryType);
  std::optional<Dims> shape;
  Dim length = 0;
  int64_t axis = -1;
  std::optional<Dims> contents = Dims();
  for (int i = 0; i < context.input_count(); ++i) {
    if (!context.has_input(i)) context.fail(input_name(i) + " is required and is not there");
    if (contents && context.rank(i) == 1) {
      auto more = context.contents(i);
      const Dim& size = (*context.shape(i))[0];
      if (!more && size.is_known() && size.value() <= 64) more = unknown_dims(size.value());
      if (more && dtype != int64 && dtype != int32) more.reset();
      if (more) {
        contents->insert(contents->end(), more->begin(), more->end());
      } else {
        contents.reset();
      }
    } else {
      contents.reset();
    }
    if (!context.shape(i)) {
      length = Dim();
      continue;
    }
    const Dims& input = *context.shape(i);
    if (!shape) {
      if (input.empty()) context.fail(input_name(i) + " is a scalar, expected at least one axis");
      axis = normalize_axis(context, context.attributes().get_int("axis"), context.rank(i));
      shape = input;
      length = length.is_unknown() ? Dim() : input[axis];
      continue;
    }
    expect_rank(context, i, static_cast<int64_t>(shape->size()));
    for (size_t k = 0; k < input.size(); ++k) {
      if (static_cast<int64_t>(k) == axis) continue;
      (*shape)[k] = expect_equal(context, (*shape)[k], input[k],
                                 "sizes " + std::to_string(k) + " of the inputs");
    }
    length = length + input[axis];
  }
  if (shape) (*shape)[axis] = length;
  context.set_output(0, dtype, std::move(shape));
  const bool any = contents && std::any_of(contents->begin(), contents->end(),
                                           [](const Dim& dim) { return !dim.is_unknown(); });
  if (any) context.set_contents(0, std::move(*contents));
}

// Split (opset 18): input, split? -> outputs..., none left out; axis, num_outputs (that of
// outputs).
void infer_split(InferContext& context) {
  expect_arity(context, 1, 2, kAnyCount);
  expect_dtype(context, 0, kEveryType);
  expect_min_rank(context, 0, 1);
  const DType dtype = context.dtype(0);
  const int count = context.output_count();
  const int64_t num_outputs = context.attributes().get_int("num_outputs");
  if (num_outputs != count) {
    context.fail("the attribute 'num_outputs' is " + std::to_string(num_outputs) +
                 ", expected the number of outputs, " + std::to_string(count));
  }
  for (int i = 0; i < count; ++i) {
    if (!context.has_output(i)) context.fail("output " + std::to_string(i) + " is left out");
  }
  if (!context.shape(0)) {
    for (int i = 0; i < count; ++i) context.set_output(i, dtype, std::nullopt);
    return;
  }
  const int64_t axis =
      normalize_axis(context, context.attributes().get_int("axis"), context.rank(0));
  const Dim& size = (*context.shape(0))[axis];
  Dims sizes = unknown_dims(count);
  if (context.has_input(1)) {
    expect_dtype(context, 1, TypeSet{int64});
    expect_rank(context, 1, 1);
    if (const auto given = context.contents(1)) {
      if (static_cast<int>(given->size()) != count) {
        context.fail("'split' has " + std::to_string(given->size()) + " elements, the node has " +
                     std::to_string(count) + " outputs");
      }
      sizes = *given;
      Dim sum = 0;
      for (const Dim& part : sizes) {
        if (part.is_known() && part.value() < 0) {
          context.fail("'split' holds the negative size " + part.str());
        }
        sum = sum + part;
      }
      expect_equal(context, sum, size, "the sum of 'split' and the size of the axis");
    }
  } else if (size.is_known()) {
    // Equal parts; the last is smaller where they do not divide the axis.
    const int64_t part = size.value() / count + (size.value() % count != 0 ? 1 : 0);
    int64_t left = size.value();
    for (int i = 0; i < count; ++i) {
      const int64_t taken = i + 1 == count ? left : std::min(part, left);
      sizes[i] = taken;
      left -= taken;
    }
  } else if (size.is_symbolic()) {
    const Dim part = ceil_div(size, count);
    std::fill(sizes.begin(), sizes.end() - 1, part);
    sizes.back() = size - part * (count - 1);
  }
  const auto contents = context.rank(0) == 1 ? context.contents(0) : std::nullopt;
  int64_t position = 0;
  for (int i = 0; i < count; ++i) {
    Dims shape = *context.shape(0);
    shape[axis] = sizes[i];
    context.set_output(i, dtype, std::move(shape));
    if (!contents || !sizes[i].is_known() || position < 0) {
      position = -1;
      continue;
    }
    const int64_t taken = sizes[i].value();
    if (taken > std::ssize(*contents) - position) {
      context.fail("'split' takes " + std::to_string(taken) + " elements from position " +
                   std::to_string(position) + " of an axis of " + std::to_string(contents->size()));
    }
    const auto first = contents->begin() + position;
    context.set_contents(i, Dims(first, first + taken));
    position += taken;
  }
}

// Pad (opset 25): data, pads, constant_value?, axes? -> output; mode.
void infer_pad(InferContext& context) {
  expect_arity(context, 2, 4);
  expect_dtype(context, 0, kEveryType);
  expect_dtype(context, 1, TypeSet{int64});
  expect_rank(context, 1, 1);
  const DType dtype = expect_same_dtype(context, {0, 2}, kEveryType);
  if (context.has_input(3)) expect_dtype(context, 3, TypeSet{int32, int64});
  const std::string& mode = context.attributes().get_string("mode");
  if (mode != "constant" && mode != "reflect" && mode != "edge" && mode != "wrap") {
    context.fail("the attribute 'mode' is \"" + mode +
                 "\", expected \"constant\", \"reflect\", \"edge\" or \"wrap\"");
  }
  if (!context.shape(0)) return context.set_output(0, dtype, std::nullopt);
  Dims shape = *context.shape(0);
  const auto pads = context.contents(1);
  std::vector<int64_t> axes;
  bool known = pads.has_value();
  if (context.has_input(3)) {
    const auto given = context.constant_ints(3);
    known = known && given;
    if (given) axes = normalize_axes(context, *given, context.rank(0));
  } else {
    for (int64_t i = 0; i < context.rank(0); ++i) axes.push_back(i);
  }
  if (!known) return context.set_output(0, dtype, unknown_dims(context.rank(0)));
  if (pads->size() != axes.size() * 2) {
    context.fail("'pads' has " + std::to_string(pads->size()) + " elements, expected " +
                 std::to_string(axes.size() * 2));
  }
  for (size_t i = 0; i < axes.size(); ++i) {
    Dim& size = shape[axes[i]];
    size = size + (*pads)[i] + (*pads)[i + axes.size()];
    if (size.is_known() && size.value() < 0) {
      context.fail("axis " + std::to_string(axes[i]) + " would have the size " + size.str());
    }
  }
  context.set_output(0, dtype, std::move(shape));
}

// Tile (opset 13): input, repeats -> output.
void infer_tile(InferContext& context) {
  expect_arity(context, 2, 2);
  expect_dtype(context, 0, kEveryType);
  expect_dtype(context, 1, TypeSet{int64});
  expect_rank(context, 1, 1);
  const DType dtype = context.dtype(0);
  if (!context.shape(0)) return context.set_output(0, dtype, std::nullopt);
  Dims shape = *context.shape(0);
  const auto repeats = context.contents(1);
  if (!repeats) return context.set_output(0, dtype, unknown_dims(context.rank(0)));
  if (repeats->size() != shape.size()) {
    context.fail("'repeats' has " + std::to_string(repeats->size()) + " elements, the input has " +
                 std::to_string(shape.size()) + " axes");
  }
  for (size_t i = 0; i < shape.size(); ++i) {
    if ((*repeats)[i].is_known() && (*repeats)[i].value() < 0) {
      context.fail("'repeats' holds the negative number " + (*repeats)[i].str());
    }
    shape[i] = shape[i] * (*repeats)[i];
  }
  context.set_output(0, dtype, std::move(shape));
}

// Expand (opset 13): input, shape -> output, broadcast both ways.
void infer_expand(InferContext& context) {
  expect_arity(context, 2, 2);
  expect_dtype(context, 0, kEveryType);
  expect_dtype(context, 1, TypeSet{int64});
  expect_rank(context, 1, 1);
  const DType dtype = context.dtype(0);
  const auto target = context.contents(1);
  if (!context.shape(0) || !target) {
    const bool counted = context.shape(0) && context.shape(1) && (*context.shape(1))[0].is_known();
    if (!counted) return context.set_output(0, dtype, std::nullopt);
    const int64_t rank = std::max<int64_t>(context.rank(0), (*context.shape(1))[0].value());
    return context.set_output(0, dtype, unknown_dims(rank));
  }
  for (const Dim& dim : *target) {
    if (dim.is_known() && dim.value() < 0) {
      context.fail("the shape " + to_string(*target) + " holds a negative size");
    }
  }
  Dims shape = broadcast(context, *context.shape(0), *target);
  context.set_output(0, dtype, shape);
  const Dim count = product(shape);
  const auto contents = context.contents(0);
  if (contents && contents->size() == 1 && count.is_known() &&
      count.value() <= static_cast<int64_t>(InferContext::kMaxContents)) {
    context.set_contents(0, Dims(static_cast<size_t>(count.value()), contents->front()));
  }
}

// ---- Resize -------------------------------------------------------------------------------------

std::optional<std::vector<float>> constant_floats(const InferContext& context, int i) {
  const Tensor* tensor = context.constant(i);
  if (tensor == nullptr || tensor->dtype() != float32) return std::nullopt;
  const auto values = tensor->span<float>();
  return std::vector<float>(values.begin(), values.end());
}

// Resize (opset 19): X, roi?, scales?, sizes? -> Y; axes (empty: all), mode,
// nearest_mode, coordinate_transformation_mode, cubic_coeff_a, exclude_outside,
// extrapolation_value, antialias, keep_aspect_ratio_policy. An empty 'scales' counts as absent.
void infer_resize(InferContext& context) {
  expect_arity(context, 1, 4);
  expect_dtype(context, 0, kEveryType);
  if (context.has_input(1)) expect_dtype(context, 1, kFloatTypes);
  if (context.has_input(2)) expect_dtype(context, 2, TypeSet{float32});
  if (context.has_input(3)) expect_dtype(context, 3, TypeSet{int64});
  for (int i : {1, 2, 3}) {
    if (context.has_input(i)) expect_rank(context, i, 1);
  }
  const DType dtype = context.dtype(0);
  if (!context.shape(0)) return context.set_output(0, dtype, std::nullopt);
  Dims shape = *context.shape(0);
  std::vector<int64_t> axes;
  if (const auto& given = context.attributes().get_ints("axes"); !given.empty()) {
    axes = normalize_axes(context, given, context.rank(0));
  } else {
    for (int64_t i = 0; i < context.rank(0); ++i) axes.push_back(i);
  }
  const auto is_empty = [&](int i) {
    return context.rank(i) == 1 && (*context.shape(i))[0] == Dim(0);
  };
  const bool by_scale = context.has_input(2) && !is_empty(2);
  const bool by_size = context.has_input(3) && !is_empty(3);
  if (by_scale == by_size) context.fail("exactly one of 'scales' and 'sizes' must be given");
  const int64_t count = static_cast<int64_t>(axes.size());
  const std::string& mode = context.attributes().get_string("coordinate_transformation_mode");
  if (mode == "tf_crop_and_resize" && context.has_input(1)) {
    expect_shape(context, 1, {2 * count}, "the starts of the axes, then their ends");
  }
  if (by_scale) {
    expect_shape(context, 2, {count}, "a scale for each axis");
    const auto scales = constant_floats(context, 2);
    if (!scales) {
      for (int64_t axis : axes) shape[axis] = Dim();
      return context.set_output(0, dtype, std::move(shape));
    }
    for (size_t i = 0; i < axes.size(); ++i) {
      const float scale = (*scales)[i];
      Dim& size = shape[axes[i]];
      if (!(scale > 0) || !std::isfinite(scale)) {
        context.fail("'scales' holds " + std::to_string(scale) + ", expected a positive number");
      }
      if (size.is_known()) {
        const double scaled = std::floor(static_cast<double>(size.value()) * scale);
        if (scaled >= 9e15) {
          context.fail("axis " + std::to_string(axes[i]) + " of size " + size.str() +
                       " cannot grow by the scale " + std::to_string(scale));
        }
        size = static_cast<int64_t>(scaled);
      } else if (scale == std::floor(scale) && scale < 1e6f) {
        size = size * Dim(static_cast<int64_t>(scale));
      } else if (const float inverse = 1 / scale;
                 inverse == std::floor(inverse) && inverse < 1e6f) {
        size = floor_div(size, Dim(static_cast<int64_t>(inverse)));
      } else {
        size = Dim();
      }
    }
    return context.set_output(0, dtype, std::move(shape));
  }
  expect_shape(context, 3, {count}, "a size for each axis");
  const auto sizes = context.contents(3);
  if (sizes && std::ranges::any_of(
                   *sizes, [](const Dim& dim) { return dim.is_known() && dim.value() < 0; })) {
    context.fail("'sizes' holds a negative size: " + to_string(*sizes));
  }
  if (!sizes) {
    for (int64_t axis : axes) shape[axis] = Dim();
    return context.set_output(0, dtype, std::move(shape));
  }
  const std::string& policy = context.attributes().get_string("keep_aspect_ratio_policy");
  if (policy == "stretch") {
    for (size_t i = 0; i < axes.size(); ++i) shape[axes[i]] = (*sizes)[i];
    return context.set_output(0, dtype, std::move(shape));
  }
  if (policy != "not_larger" && policy != "not_smaller") {
    context.fail("the attribute 'keep_aspect_ratio_policy' is \"" + policy +
                 "\", expected \"stretch\", \"not_larger\" or \"not_smaller\"");
  }
  std::optional<float> scale;
  for (size_t i = 0; i < axes.size(); ++i) {
    const Dim& from = shape[axes[i]];
    const Dim& to = (*sizes)[i];
    if (!from.is_known() || !to.is_known() || from.value() == 0) {
      for (int64_t axis : axes) shape[axis] = Dim();
      return context.set_output(0, dtype, std::move(shape));
    }
    const float ratio = static_cast<float>(to.value()) / static_cast<float>(from.value());
    scale = !scale ? ratio
                   : (policy == "not_larger" ? std::min(*scale, ratio) : std::max(*scale, ratio));
  }
  for (int64_t axis : axes) {
    const float size = std::floor(*scale * static_cast<float>(shape[axis].value()) + 0.5f);
    if (!(size < 9e15f)) {
      context.fail("axis " + std::to_string(axis) + " of size " + shape[axis].str() +
                   " cannot grow by the scale " + std::to_string(*scale));
    }
    shape[axis] = static_cast<int64_t>(size);
  }
  context.set_output(0, dtype, std::move(shape));
}

constexpr OpRule kRules[] = {
    {.op = "Concat", .infer = infer_concat, .flops = moves_bytes, .gives_input = has_one_input},
    {.op = "Expand", .infer = infer_expand, .flops = moves_bytes, .gives_input = same_shape},
    {"Pad", infer_pad, moves_bytes},
    {.op = "Resize", .infer = infer_resize, .flops = each<1>, .fixed_float32 = {1, 2}},
    {"Split", infer_split, moves_bytes},
    {"Tile", infer_tile, moves_bytes},
    {.op = "Transpose", .infer = infer_transpose, .flops = moves_bytes, .gives_input = keeps_order},
};

}  // namespace

std::span<const OpRule> tensor_layout_rules() { return kRules; }

}  // namespace ferry
