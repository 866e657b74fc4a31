// Tensors made from nothing but attributes and sizes.
#include <cmath>

#include "core/convert.h"
#include "graph/ops/rules.h"

namespace ferry {
namespace {

// ConstantOfShape (opset 25): input (the shape) -> output; value, a tensor of one element.
void infer_constant_of_shape(InferContext& context) {
  expect_arity(context, 1, 1);
  expect_dtype(context, 0, TypeSet{int64});
  expect_rank(context, 0, 1);
  const Tensor& value = context.attributes().get<Tensor>("value");
  if (value.numel() != 1) {
    context.fail("the attribute 'value' has " + std::to_string(value.numel()) +
                 " elements, expected one");
  }
  const DType dtype = value.dtype();
  const auto sizes = context.contents(0);
  if (!sizes) {
    const auto& shape = context.shape(0);
    if (shape && (*shape)[0].is_known()) {
      return context.set_output(0, dtype, unknown_dims((*shape)[0].value()));
    }
    return context.set_output(0, dtype, std::nullopt);
  }
  for (const Dim& dim : *sizes) {
    if (dim.is_known() && dim.value() < 0) {
      context.fail("the shape " + to_string(*sizes) + " holds a negative size");
    }
  }
  context.set_output(0, dtype, *sizes);
  const Dim count = product(*sizes);
  if (!count.is_known() || count.value() > static_cast<int64_t>(InferContext::kMaxContents)) return;
  if (dtype == int64 || dtype == int32 || dtype == boolean) {
    const int64_t element = load_as_int64(dtype, value.data(), 0);
    context.set_contents(0, Dims(static_cast<size_t>(count.value()), Dim(element)));
  }
}

// Range (opset 11): start, limit, delta (scalars) -> output
// [max(ceil((limit - start) / delta), 0)]; stash_type.
void infer_range(InferContext& context) {
  expect_arity(context, 3, 3);
  const DType dtype =
      expect_one_dtype(context, TypeSet{float16, bfloat16, float32, float64, int16, int32, int64});
  for (int i = 0; i < 3; ++i) expect_one_element(context, i);
  const auto too_many = [&] {
    context.fail("the range from 'start' to 'limit' in steps of 'delta' has too many elements");
  };
  Dims shape(1);
  const auto start = context.contents(0);
  const auto limit = start ? context.contents(1) : std::nullopt;
  const auto delta = limit ? context.constant_ints(2) : std::nullopt;
  if (delta && !delta->empty() && !start->empty() && !limit->empty()) {
    const int64_t step = delta->front();
    if (step == 0) context.fail("'delta' is 0");
    if (start->front().is_known() && limit->front().is_known()) {
      // In 128 bits, where the span of two int64 fits.
      const __int128 span = static_cast<__int128>(limit->front().value()) - start->front().value();
      const __int128 count = (span + step + (step > 0 ? -1 : 1)) / step;
      if (count > INT64_MAX) too_many();
      shape[0] = count > 0 ? static_cast<int64_t>(count) : 0;
    } else if (step > 0) {
      shape[0] = ceil_div(limit->front() - start->front(), Dim(step));
    }
    if (shape[0].is_known() &&
        shape[0].value() <= static_cast<int64_t>(InferContext::kMaxContents)) {
      Dims contents;
      for (int64_t i = 0; i < shape[0].value(); ++i) {
        contents.push_back(add_contents(start->front(), multiply_contents(i, step)));
      }
      context.set_output(0, dtype, std::move(shape));
      return context.set_contents(0, std::move(contents));
    }
  } else {
    // Floating bounds that are constants: the same formula in double.
    double values[3];
    bool known = true;
    for (int i = 0; i < 3; ++i) {
      const Tensor* constant = context.constant(i);
      known = known && constant != nullptr && constant->numel() == 1;
      if (known) values[i] = constant->item();
    }
    if (known) {
      const double count = std::ceil((values[1] - values[0]) / values[2]);
      if (std::isnan(count)) context.fail("the bounds are not numbers, or 'delta' is 0");
      if (count >= 9e15) too_many();
      shape[0] = count > 0 ? static_cast<int64_t>(count) : 0;
    }
  }
  context.set_output(0, dtype, std::move(shape));
}

constexpr OpRule kRules[] = {
    {"ConstantOfShape", infer_constant_of_shape, each<1>},
    {"Range", infer_range, each<1>},
};

}  // namespace

std::span<const OpRule> generator_rules() { return kRules; }

}  // namespace ferry
