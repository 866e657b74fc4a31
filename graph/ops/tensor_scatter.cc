// Writing by position, and choosing elements by their values.
#include <algorithm>

#include "graph/ops/rules.h"

namespace ferry {
namespace {

void check_reduction(const InferContext& context, TypeSet reducible) {
  const std::string& reduction = context.attributes().get_string("reduction");
  if (reduction == "none") return;
  if (reduction != "add" && reduction != "mul" && reduction != "max" && reduction != "min") {
    context.fail("the attribute 'reduction' is \"" + reduction +
                 "\", expected none, add, mul, max or min");
  }
  expect_dtype(context, 0, reducible);
}

// ScatterElements (opset 18): data, indices, updates -> output of data's shape; axis, reduction.
void infer_scatter_elements(InferContext& context) {
  expect_arity(context, 3, 3);
  const DType dtype = expect_same_dtype(context, {0, 2}, kEveryType);
  expect_dtype(context, 1, TypeSet{int32, int64});
  check_reduction(context, kNumericTypes | kBool);
  expect_min_rank(context, 0, 1);
  if (context.rank(0) >= 0) {
    normalize_axis(context, context.attributes().get_int("axis"), context.rank(0));
    expect_rank(context, 1, context.rank(0));
    expect_rank(context, 2, context.rank(0));
  }
  if (context.shape(1) && context.shape(2) && context.rank(1) == context.rank(2)) {
    for (size_t i = 0; i < context.shape(1)->size(); ++i) {
      expect_equal(context, (*context.shape(1))[i], (*context.shape(2))[i],
                   "sizes " + std::to_string(i) + " of the indices and the updates");
    }
  }
  // Axes that are not scattered along are addressed by the update's own place.
  if (context.shape(0) && context.shape(1)) {
    const int64_t axis =
        normalize_axis(context, context.attributes().get_int("axis"), context.rank(0));
    for (int64_t i = 0; i < context.rank(0); ++i) {
      const Dim& room = (*context.shape(0))[i];
      const Dim& used = (*context.shape(1))[i];
      if (i != axis && room.is_known() && used.is_known() && used.value() > room.value()) {
        context.fail("the indices " + to_string(*context.shape(1)) + " exceed the data " +
                     to_string(*context.shape(0)) + " on axis " + std::to_string(i));
      }
    }
  }
  context.set_output(0, dtype, context.shape(0));
}

// ScatterND (opset 18): data, indices [..., n], updates -> output of data's shape; reduction.
void infer_scatter_nd(InferContext& context) {
  expect_arity(context, 3, 3);
  const DType dtype = expect_same_dtype(context, {0, 2}, kEveryType);
  expect_dtype(context, 1, TypeSet{int64});
  check_reduction(context, kNumericTypes | kBool);
  expect_min_rank(context, 0, 1);
  expect_min_rank(context, 1, 1);
  if (context.shape(0) && context.shape(1) && context.shape(1)->back().is_known()) {
    const Dims& data = *context.shape(0);
    const Dims& indices = *context.shape(1);
    const int64_t depth = indices.back().value();
    if (depth < 0 || depth > context.rank(0)) {
      context.fail("the last axis of the indices has the size " + std::to_string(depth) +
                   ", expected at most " + std::to_string(context.rank(0)));
    }
    Dims wanted(indices.begin(), indices.end() - 1);
    wanted.insert(wanted.end(), data.begin() + depth, data.end());
    expect_rank(context, 2, static_cast<int64_t>(wanted.size()));
    for (size_t i = 0; context.shape(2) && i < wanted.size(); ++i) {
      expect_equal(context, wanted[i], (*context.shape(2))[i],
                   "sizes " + std::to_string(i) + " of the updates and of what they replace");
    }
  }
  context.set_output(0, dtype, context.shape(0));
}

// TopK (opset 24): X, K -> Values, Indices; axis, largest, sorted.
void infer_top_k(InferContext& context) {
  expect_arity(context, 2, 2, 2);
  expect_dtype(context, 0, kNumericTypes);
  expect_dtype(context, 1, TypeSet{int64});
  expect_min_rank(context, 0, 1);
  const Dim k = scalar_size(context, 1);
  std::optional<Dims> shape = context.shape(0);
  if (shape) {
    const int64_t axis =
        normalize_axis(context, context.attributes().get_int("axis"), context.rank(0));
    const Dim size = (*shape)[axis];
    (*shape)[axis] = k;
    const Dim& wanted = (*shape)[axis];
    if (wanted.is_known() &&
        (wanted.value() < 0 || (size.is_known() && wanted.value() > size.value()))) {
      context.fail("K is " + wanted.str() + ", expected 0 to the " + size.str() +
                   " elements of the axis");
    }
  }
  context.set_output(0, context.dtype(0), shape);
  context.set_output(1, int64, std::move(shape));
}

// OneHot (opset 11): indices, depth, values [off, on] -> output with one more axis; axis.
void infer_one_hot(InferContext& context) {
  expect_arity(context, 3, 3);
  expect_dtype(context, 0, kNumericTypes);
  expect_dtype(context, 1, kNumericTypes);
  expect_dtype(context, 2, kEveryType);
  expect_one_element(context, 1);
  expect_shape(context, 2, {2}, "'values', off and on");
  std::optional<Dims> shape = context.shape(0);
  if (shape) {
    const int64_t axis =
        normalize_axis(context, context.attributes().get_int("axis"), context.rank(0) + 1);
    Dim depth;
    if (context.contents(1)) {
      depth = scalar_size(context, 1);
    } else if (const Tensor* constant = context.constant(1);
               constant != nullptr && constant->numel() == 1) {
      const double value = constant->item();
      if (!(value >= 0 && value < 9e15)) context.fail("'depth' is " + std::to_string(value));
      depth = static_cast<int64_t>(value);
    }
    if (depth.is_known() && depth.value() < 0) context.fail("'depth' is " + depth.str());
    shape->insert(shape->begin() + axis, depth);
  }
  context.set_output(0, context.dtype(2), std::move(shape));
}

// Compress (opset 11): input, condition -> output; axis?. Without an axis the input is flattened.
void infer_compress(InferContext& context) {
  expect_arity(context, 2, 2);
  expect_dtype(context, 0, kEveryType);
  expect_dtype(context, 1, kBool);
  expect_rank(context, 1, 1);
  const int64_t* axis = context.attributes().find<int64_t>("axis");
  if (axis == nullptr) return context.set_output(0, context.dtype(0), unknown_dims(1));
  std::optional<Dims> shape = context.shape(0);
  if (shape) {
    Dim& size = (*shape)[normalize_axis(context, *axis, context.rank(0))];
    const Dim count = context.shape(1) ? (*context.shape(1))[0] : Dim();
    if (count.is_known() && size.is_known() && count.value() > size.value()) {
      context.fail("the condition has " + count.str() + " elements for an axis of " + size.str());
    }
    size = Dim();
  }
  context.set_output(0, context.dtype(0), std::move(shape));
}

// Trilu (opset 14): input, k? -> output; upper.
void infer_trilu(InferContext& context) {
  expect_arity(context, 1, 2);
  expect_dtype(context, 0, kEveryType);
  expect_min_rank(context, 0, 2);
  if (context.has_input(1)) expect_dtype(context, 1, TypeSet{int64});
  expect_one_element(context, 1);
  context.set_output(0, context.dtype(0), context.shape(0));
}

// EyeLike (opset 22): input -> output; dtype?, k.
void infer_eye_like(InferContext& context) {
  expect_arity(context, 1, 1);
  expect_rank(context, 0, 2);
  const bool given = context.attributes().has("dtype");
  context.set_output(0, given ? dtype_attribute(context, "dtype", kEveryType) : context.dtype(0),
                     context.shape(0));
}

// The shape with `from` channels or sizes moved by blocks; `grow` for DepthToSpace.
void infer_blocks(InferContext& context, bool grow) {
  expect_arity(context, 1, 1);
  expect_dtype(context, 0, kEveryType);
  expect_rank(context, 0, 4);
  const Dim block = int_attribute(context, "blocksize", 1);
  if (!context.shape(0)) return context.set_output(0, context.dtype(0), unknown_dims(4));
  Dims shape = *context.shape(0);
  const auto divide = [&](Dim& size, const Dim& by, const char* what) {
    if (size.is_known() && size.value() % by.value() != 0) {
      context.fail(std::string(what) + ", " + size.str() + ", is no multiple of " + by.str());
    }
    size = floor_div(size, by);
  };
  if (grow) {
    divide(shape[1], block * block, "the number of channels");
    shape[2] = shape[2] * block;
    shape[3] = shape[3] * block;
  } else {
    shape[1] = shape[1] * block * block;
    divide(shape[2], block, "the height");
    divide(shape[3], block, "the width");
  }
  context.set_output(0, context.dtype(0), std::move(shape));
}

// DepthToSpace (opset 13): input [N, C, H, W] -> output; blocksize, mode.
void infer_depth_to_space(InferContext& context) { infer_blocks(context, true); }
// SpaceToDepth (opset 13): input [N, C, H, W] -> output; blocksize.
void infer_space_to_depth(InferContext& context) { infer_blocks(context, false); }

// ReverseSequence (opset 10): input, sequence_lens -> Y; batch_axis, time_axis.
void infer_reverse_sequence(InferContext& context) {
  expect_arity(context, 2, 2);
  expect_dtype(context, 0, kEveryType);
  expect_dtype(context, 1, TypeSet{int64});
  expect_min_rank(context, 0, 2);
  expect_rank(context, 1, 1);
  const int64_t batch = context.attributes().get_int("batch_axis");
  const int64_t time = context.attributes().get_int("time_axis");
  if (!(batch == 0 && time == 1) && !(batch == 1 && time == 0)) {
    context.fail("the batch axis is " + std::to_string(batch) + " and the time axis " +
                 std::to_string(time) + ", expected 0 and 1 or 1 and 0");
  }
  if (context.shape(0) && context.shape(1)) {
    expect_equal(context, (*context.shape(0))[batch], (*context.shape(1))[0],
                 "the batch and the size of input 1");
  }
  context.set_output(0, context.dtype(0), context.shape(0));
}

constexpr OpRule kRules[] = {
    {"Compress", infer_compress, each<1>},
    {"DepthToSpace", infer_depth_to_space, each<1>},
    {"EyeLike", infer_eye_like, each<1>},
    {"OneHot", infer_one_hot, each<1>},
    {"ReverseSequence", infer_reverse_sequence, each<1>},
    {"ScatterElements", infer_scatter_elements, each<1>},
    {"ScatterND", infer_scatter_nd, each<1>},
    {"SpaceToDepth", infer_space_to_depth, each<1>},
    {"TopK", infer_top_k, each<1>},
    {"Trilu", infer_trilu, each<1>},
};

}  // namespace

std::span<const OpRule> tensor_scatter_rules() { return kRules; }

}  // namespace ferry
