// Reading by position: gathers, slices, and NonZero and Unique, which make positions.
#include <algorithm>

#include "graph/ops/rules.h"

namespace ferry {
namespace {

inline constexpr TypeSet kIndexTypes{int32, int64};

// Gather (opset 13): data, indices -> output; axis.
void infer_gather(InferContext& context) {
  expect_arity(context, 2, 2);
  expect_dtype(context, 0, kEveryType);
  expect_dtype(context, 1, kIndexTypes);
  expect_min_rank(context, 0, 1);
  const DType dtype = context.dtype(0);
  if (!context.shape(0) || !context.shape(1)) return context.set_output(0, dtype, std::nullopt);
  const Dims& data = *context.shape(0);
  const Dims& indices = *context.shape(1);
  const int64_t axis =
      normalize_axis(context, context.attributes().get_int("axis"), context.rank(0));
  Dims shape(data.begin(), data.begin() + axis);
  shape.insert(shape.end(), indices.begin(), indices.end());
  shape.insert(shape.end(), data.begin() + axis + 1, data.end());
  context.set_output(0, dtype, std::move(shape));
  if (data.size() != 1) return;
  const auto contents = context.contents(0);
  const auto positions = contents ? context.constant_ints(1) : std::nullopt;
  if (!positions) return;
  const int64_t size = static_cast<int64_t>(contents->size());
  Dims result;
  for (int64_t position : *positions) {
    if (position < -size || position >= size) {
      context.fail("the index " + std::to_string(position) + " is outside an axis of size " +
                   std::to_string(size));
    }
    result.push_back((*contents)[position < 0 ? position + size : position]);
  }
  context.set_contents(0, std::move(result));
}

// GatherElements (opset 13): data, indices -> output of the indices' shape; axis.
void infer_gather_elements(InferContext& context) {
  expect_arity(context, 2, 2);
  expect_dtype(context, 0, kEveryType);
  expect_dtype(context, 1, kIndexTypes);
  expect_min_rank(context, 0, 1);
  if (context.rank(0) >= 0) {
    expect_rank(context, 1, context.rank(0));
    const int64_t axis =
        normalize_axis(context, context.attributes().get_int("axis"), context.rank(0));
    for (int64_t i = 0; context.shape(1) && i < context.rank(0); ++i) {
      const Dim& from = (*context.shape(0))[i];
      const Dim& to = (*context.shape(1))[i];
      if (i != axis && from.is_known() && to.is_known() && to.value() > from.value()) {
        context.fail("the indices of shape " + to_string(*context.shape(1)) + " exceed the data " +
                     to_string(*context.shape(0)) + " on axis " + std::to_string(i));
      }
    }
  }
  context.set_output(0, context.dtype(0), context.shape(1));
}

// GatherND (opset 13): data, indices [..., n] -> output; batch_dims.
void infer_gather_nd(InferContext& context) {
  expect_arity(context, 2, 2);
  expect_dtype(context, 0, kEveryType);
  expect_dtype(context, 1, TypeSet{int64});
  expect_min_rank(context, 0, 1);
  expect_min_rank(context, 1, 1);
  const DType dtype = context.dtype(0);
  if (!context.shape(0) || !context.shape(1) || !context.shape(1)->back().is_known()) {
    return context.set_output(0, dtype, std::nullopt);
  }
  const Dims& data = *context.shape(0);
  const Dims& indices = *context.shape(1);
  const int64_t batch = context.attributes().get_int("batch_dims");
  const int64_t rank = context.rank(0);
  const int64_t depth = indices.back().value();
  if (batch < 0 || batch >= std::min<int64_t>(rank, context.rank(1))) {
    context.fail("the attribute 'batch_dims' is " + std::to_string(batch) +
                 ", expected at least 0 and below the ranks of both inputs");
  }
  if (depth < 1 || depth > rank - batch) {
    context.fail("the last axis of the indices has the size " + std::to_string(depth) +
                 ", expected 1 to " + std::to_string(rank - batch));
  }
  Dims shape(indices.begin(), indices.end() - 1);
  for (int64_t i = 0; i < batch; ++i) {
    shape[i] = expect_equal(context, data[i], indices[i], "the batch axes of data and indices");
  }
  shape.insert(shape.end(), data.begin() + batch + depth, data.end());
  context.set_output(0, dtype, std::move(shape));
}

// The elements that start:end:step takes of an axis.
Dim slice_size(const Dim& size, const Dim& start, const Dim& end, int64_t step) {
  if (!start.is_known() || !end.is_known()) {
    // From a known start to an expression: exporters write x[:n], where n fits.
    return {};
  }
  if (!size.is_known()) {
    const int64_t first = start.value();
    const int64_t last = end.value();
    if (step == 1 && first >= 0) {
      if (last == INT64_MAX || last >= INT32_MAX) return first == 0 ? size : size - first;
      if (last < 0 && last >= -INT32_MAX) return size + last - first;
    }
    if (step == 1 && first < 0 && last >= INT32_MAX) return {};
    if (step == -1 && first == -1 && last <= -INT32_MAX) return size;
    return {};
  }
  const int64_t count = size.value();
  const auto clamp = [&](int64_t index, int64_t low, int64_t high) {
    return std::clamp(index < 0 ? index + count : index, low, high);
  };
  // A negative bound that stays negative after the size is added clamps as a small index does.
  if (step > 0) {
    const int64_t first = clamp(start.value(), 0, count);
    const int64_t last = clamp(end.value(), 0, count);
    return last > first ? (last - first - 1) / step + 1 : 0;
  }
  if (count == 0) return 0;
  const int64_t first = clamp(start.value(), 0, count - 1);
  const int64_t last = clamp(end.value(), -1, count - 1);
  if (first <= last) return 0;
  if (step == INT64_MIN) return 1;
  return (first - last - 1) / -step + 1;
}

// Slice (opset 13): data, starts, ends, axes?, steps? -> output.
void infer_slice(InferContext& context) {
  expect_arity(context, 3, 5);
  expect_dtype(context, 0, kEveryType);
  expect_min_rank(context, 0, 1);
  for (int i = 1; i < context.input_count(); ++i) {
    if (!context.has_input(i)) continue;
    expect_dtype(context, i, kIndexTypes);
    expect_rank(context, i, 1);
  }
  const DType dtype = context.dtype(0);
  if (!context.shape(0)) return context.set_output(0, dtype, std::nullopt);
  Dims shape = *context.shape(0);
  const auto starts = context.contents(1);
  const auto ends = context.contents(2);
  std::optional<std::vector<int64_t>> axes;
  if (context.has_input(3)) {
    axes = context.constant_ints(3);
  } else if (starts || ends) {
    axes.emplace();
    const size_t count = starts ? starts->size() : ends->size();
    for (size_t i = 0; i < count; ++i) axes->push_back(static_cast<int64_t>(i));
  }
  if (!axes) return context.set_output(0, dtype, unknown_dims(context.rank(0)));
  axes = normalize_axes(context, *axes, context.rank(0));
  std::optional<std::vector<int64_t>> steps;
  if (context.has_input(4)) {
    steps = context.constant_ints(4);
  } else {
    steps.emplace(axes->size(), 1);
  }
  const auto check = [&](size_t size, const char* what) {
    if (size != axes->size()) {
      context.fail(std::string(what) + " has " + std::to_string(size) + " elements, expected " +
                   std::to_string(axes->size()) + " as there are axes");
    }
  };
  if (starts) check(starts->size(), "starts");
  if (ends) check(ends->size(), "ends");
  if (steps) check(steps->size(), "steps");
  const auto contents = shape.size() == 1 ? context.contents(0) : std::nullopt;
  for (size_t i = 0; i < axes->size(); ++i) {
    Dim& size = shape[(*axes)[i]];
    if (steps && (*steps)[i] == 0) context.fail("the step of a slice is 0");
    size =
        starts && ends && steps ? slice_size(size, (*starts)[i], (*ends)[i], (*steps)[i]) : Dim();
  }
  const Dim sliced = shape[0];
  context.set_output(0, dtype, std::move(shape));
  if (!contents || axes->size() != 1 || !sliced.is_known()) return;
  if (sliced.value() == 0) return context.set_contents(0, {});
  const int64_t count = static_cast<int64_t>(contents->size());
  const int64_t step = (*steps)[0];
  int64_t first = (*starts)[0].value();
  first = std::clamp<int64_t>(first < 0 ? first + count : first, 0, step > 0 ? count : count - 1);
  Dims result;
  for (int64_t i = 0; i < sliced.value(); ++i) result.push_back((*contents)[first + i * step]);
  context.set_contents(0, std::move(result));
}

// NonZero (opset 13): X -> Y [rank, count] of type int64; the count depends on the data.
void infer_nonzero(InferContext& context) {
  expect_arity(context, 1, 1);
  expect_dtype(context, 0, kNumericTypes | kBool | kString);
  Dims shape(2);
  if (context.rank(0) >= 0) shape[0] = int64_t{context.rank(0)};
  context.set_output(0, int64, std::move(shape));
}

// Unique (opset 11): X -> Y, indices?, inverse_indices?, counts?; axis (absent: X is flattened),
// sorted. How many are unique depends on the data.
void infer_unique(InferContext& context) {
  expect_arity(context, 1, 1, 4);
  expect_dtype(context, 0, kNumericTypes | kBool | kString);
  std::optional<Dims> unique = Dims(1);
  Dim all;
  if (const int64_t* given = context.attributes().find<int64_t>("axis")) {
    unique = context.shape(0);
    if (unique) {
      const int64_t axis = normalize_axis(context, *given, context.rank(0));
      all = (*unique)[axis];
      (*unique)[axis] = Dim();
    }
  } else if (context.shape(0)) {
    all = product(*context.shape(0));
  }
  context.set_output(0, context.dtype(0), std::move(unique));
  context.set_output(1, int64, Dims(1));
  context.set_output(2, int64, Dims{all});
  context.set_output(3, int64, Dims(1));
}

constexpr OpRule kRules[] = {
    {"Gather", infer_gather, moves_bytes},
    {"GatherElements", infer_gather_elements, moves_bytes},
    {"GatherND", infer_gather_nd, moves_bytes},
    {"NonZero", infer_nonzero, each<1>},
    {"Slice", infer_slice, moves_bytes},
    {"Unique", infer_unique, each_input},
};

}  // namespace

std::span<const OpRule> tensor_index_rules() { return kRules; }

}  // namespace ferry
