// Elementwise operators that ONNX files under tensor, and reshaping: the element count stays.
#include <algorithm>

#include "graph/ops/identity.h"
#include "graph/ops/rules.h"

namespace ferry {
namespace {

void pass_contents(InferContext& context) {
  if (auto contents = context.contents(0)) context.set_contents(0, std::move(*contents));
}

// Cast (opset 25): input -> output; to, saturate, round_mode. Strings convert from and to numbers.
void infer_cast(InferContext& context) {
  expect_arity(context, 1, 1);
  expect_dtype(context, 0, kEveryType);
  const int64_t to = context.attributes().get_int("to");
  if (to < 1 || to >= kDTypeCount || !kEveryType.contains(static_cast<DType>(to)) ||
      is_complex(static_cast<DType>(to))) {
    context.fail("the attribute 'to' is " + std::to_string(to) +
                 ", which is no element type that Cast can make");
  }
  const DType dtype = static_cast<DType>(to);
  context.set_output(0, dtype, context.shape(0));
  if (dtype != boolean) return pass_contents(context);
  if (auto contents = context.contents(0)) {
    for (Dim& dim : *contents) dim = dim.is_known() ? Dim(int64_t{dim.value() != 0}) : Dim();
    context.set_contents(0, std::move(*contents));
  }
}

// Identity (opset 25), and the copy between devices: input -> output, any type.
void infer_identity(InferContext& context) {
  expect_arity(context, 1, 1);
  context.set_output_type(0, context.input(0).type);
  if (context.input(0).type.kind == Type::Kind::tensor) pass_contents(context);
}

// CastLike (opset 25): input, target_type -> output of target_type's type; saturate, round_mode.
void infer_cast_like(InferContext& context) {
  expect_arity(context, 2, 2);
  expect_dtype(context, 0, kEveryType);
  expect_dtype(context, 1, kEveryType);
  const DType dtype = context.dtype(1);
  context.set_output(0, dtype, context.shape(0));
  if (dtype != boolean) pass_contents(context);
}

// IsNaN (opset 20), IsInf (20; detect_negative, detect_positive): X -> Y of type bool.
void infer_is_nan(InferContext& context) {
  expect_arity(context, 1, 1);
  expect_dtype(context, 0, kFloatTypes | kFloat8Types);
  context.set_output(0, boolean, context.shape(0));
}

// Where (opset 16): condition, X, Y -> output, broadcast.
void infer_where(InferContext& context) {
  expect_arity(context, 3, 3);
  expect_dtype(context, 0, kBool);
  broadcast_output(context, expect_same_dtype(context, {1, 2}, kEveryType));
  const auto condition = context.contents(0);
  const auto x = condition ? context.contents(1) : std::nullopt;
  const auto y = x ? context.contents(2) : std::nullopt;
  if (!y || condition->empty() || x->empty() || y->empty()) return;
  const size_t count = std::max({condition->size(), x->size(), y->size()});
  const auto fits = [&](const Dims& dims) { return dims.size() == 1 || dims.size() == count; };
  if (!fits(*condition) || !fits(*x) || !fits(*y)) return;
  for (int i = 0; i < 3; ++i) {
    if (context.rank(i) > 1) return;
  }
  Dims result(count);
  for (size_t i = 0; i < count; ++i) {
    const Dim& chosen = (*condition)[condition->size() == 1 ? 0 : i];
    const Dim& if_true = (*x)[x->size() == 1 ? 0 : i];
    const Dim& if_false = (*y)[y->size() == 1 ? 0 : i];
    if (chosen.is_known()) {
      result[i] = chosen.value() != 0 ? if_true : if_false;
    } else if (if_true == if_false) {
      result[i] = if_true;
    }
  }
  context.set_contents(0, std::move(result));
}

// ---- the same elements under another shape ------------------------------------------------------

// The size that -1 stands for: the elements of `input` over those of the other sizes. Equal factors
// of both cancel, so that symbols do.
Dim remaining_size(const InferContext& context, Dims input, Dims others) {
  for (size_t i = 0; i < others.size();) {
    const auto same = std::find(input.begin(), input.end(), others[i]);
    if (same == input.end()) {
      ++i;
      continue;
    }
    if (others[i].is_known() && others[i].value() == 0) return {};
    input.erase(same);
    others.erase(others.begin() + i);
  }
  const Dim count = product(input);
  const Dim divisor = product(others);
  if (!divisor.is_known()) return floor_div(count, divisor);
  if (divisor.value() == 0) return count.is_known() && count.value() == 0 ? Dim(0) : Dim();
  if (count.is_known() && count.value() % divisor.value() != 0) {
    context.fail("the " + count.str() + " elements of the input cannot be divided by " +
                 divisor.str() + ", the product of the other sizes");
  }
  return floor_div(count, divisor);
}

// Reshape (opset 25): data, shape -> reshaped; allowzero. 0 copies the input's size (unless
// allowzero), one -1 takes what remains.
void infer_reshape(InferContext& context) {
  expect_arity(context, 2, 2);
  expect_dtype(context, 0, kEveryType);
  expect_dtype(context, 1, TypeSet{int64});
  expect_rank(context, 1, 1);
  const DType dtype = context.dtype(0);
  const auto target = context.contents(1);
  if (!target) {
    if (context.shape(1) && (*context.shape(1))[0].is_known()) {
      return context.set_output(0, dtype, unknown_dims((*context.shape(1))[0].value()));
    }
    return context.set_output(0, dtype, std::nullopt);
  }
  const bool allow_zero = context.attributes().get_int("allowzero") != 0;
  Dims shape = *target;
  std::optional<size_t> inferred;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (!shape[i].is_known()) continue;
    const int64_t size = shape[i].value();
    if (size == 0 && !allow_zero) {
      if (context.rank(0) >= 0 && static_cast<int64_t>(i) >= context.rank(0)) {
        context.fail("size " + std::to_string(i) + " of the new shape " + to_string(*target) +
                     " is 0, which copies an axis that the input does not have");
      }
      shape[i] = context.shape(0) ? (*context.shape(0))[i] : Dim();
    } else if (size == -1) {
      if (inferred) context.fail("the new shape " + to_string(*target) + " holds -1 twice");
      inferred = i;
    } else if (size < 0) {
      context.fail("the new shape " + to_string(*target) + " holds a negative size");
    }
  }
  if (context.shape(0)) {
    if (inferred) {
      Dims others = shape;
      others.erase(others.begin() + *inferred);
      shape[*inferred] = remaining_size(context, *context.shape(0), std::move(others));
    } else {
      expect_equal(
          context, product(*context.shape(0)), product(shape),
          "the elements of " + to_string(*context.shape(0)) + " and of " + to_string(shape));
    }
  } else if (inferred) {
    shape[*inferred] = Dim();
  }
  context.set_output(0, dtype, std::move(shape));
  pass_contents(context);
}

// Squeeze (opset 25): data, axes? -> squeezed; every axis of size 1 where axes are absent.
void infer_squeeze(InferContext& context) {
  expect_arity(context, 1, 2);
  expect_dtype(context, 0, kEveryType);
  const DType dtype = context.dtype(0);
  if (!context.shape(0)) return context.set_output(0, dtype, std::nullopt);
  const Dims& shape = *context.shape(0);
  std::vector<int64_t> axes;
  if (context.has_input(1)) {
    const auto given = context.constant_ints(1);
    if (!given) return context.set_output(0, dtype, std::nullopt);
    axes = normalize_axes(context, *given, context.rank(0));
    for (int64_t axis : axes) {
      if (shape[axis].is_known() && shape[axis].value() != 1) {
        context.fail("axis " + std::to_string(axis) + " of " + to_string(shape) +
                     " cannot be squeezed, since its size is not 1");
      }
    }
  } else {
    for (size_t i = 0; i < shape.size(); ++i) {
      if (!shape[i].is_known()) return context.set_output(0, dtype, std::nullopt);
      if (shape[i].value() == 1) axes.push_back(static_cast<int64_t>(i));
    }
  }
  Dims result;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (std::find(axes.begin(), axes.end(), static_cast<int64_t>(i)) == axes.end()) {
      result.push_back(shape[i]);
    }
  }
  context.set_output(0, dtype, std::move(result));
  pass_contents(context);
}

// Unsqueeze (opset 25): data, axes -> expanded. The axes count in the output.
void infer_unsqueeze(InferContext& context) {
  expect_arity(context, 2, 2);
  expect_dtype(context, 0, kEveryType);
  const DType dtype = context.dtype(0);
  const auto given = context.constant_ints(1);
  if (!given || !context.shape(0)) {
    const bool counted = context.shape(0) && context.shape(1) && context.rank(1) == 1 &&
                         (*context.shape(1))[0].is_known();
    if (!counted) return context.set_output(0, dtype, std::nullopt);
    const Dim rank = Dim(int64_t{context.rank(0)}) + (*context.shape(1))[0];
    return context.set_output(0, dtype, unknown_dims(rank.value()));
  }
  const Dims& shape = *context.shape(0);
  const int64_t rank = context.rank(0) + static_cast<int64_t>(given->size());
  const std::vector<int64_t> axes = normalize_axes(context, *given, rank);
  Dims result;
  size_t next = 0;
  for (int64_t i = 0; i < rank; ++i) {
    const bool added = std::find(axes.begin(), axes.end(), i) != axes.end();
    result.push_back(added ? Dim(1) : shape[next++]);
  }
  context.set_output(0, dtype, std::move(result));
  pass_contents(context);
}

// ---- shapes as data -----------------------------------------------------------------------------

// Shape (opset 25): data -> shape of type int64; start, end.
void infer_shape(InferContext& context) {
  expect_arity(context, 1, 1);
  expect_dtype(context, 0, kEveryType);
  if (!context.shape(0)) return context.set_output(0, int64, unknown_dims(1));
  const int64_t rank = context.rank(0);
  const auto clamp = [&](int64_t axis) {
    return std::clamp<int64_t>(axis < 0 ? axis + rank : axis, 0, rank);
  };
  const int64_t start = clamp(context.attributes().get_int("start"));
  const int64_t end = clamp(context.attributes().get_int("end"));
  const Dims& shape = *context.shape(0);
  Dims contents;
  for (int64_t i = start; i < end; ++i) contents.push_back(shape[i]);
  context.set_output(0, int64, Dims{static_cast<int64_t>(contents.size())});
  context.set_contents(0, std::move(contents));
}

// Size (opset 25): data -> the element count, an int64 scalar.
void infer_size(InferContext& context) {
  expect_arity(context, 1, 1);
  expect_dtype(context, 0, kEveryType);
  context.set_output(0, int64, Dims{});
  if (context.shape(0)) context.set_contents(0, {product(*context.shape(0))});
}

constexpr OpRule kRules[] = {
    {.op = "Cast",
     .infer = infer_cast,
     .flops = moves_bytes,
     .rank = RankRule::same,
     .gives_input = same_dtype},
    {.op = "Identity",
     .infer = infer_identity,
     .flops = moves_bytes,
     .traffic = Traffic::view,
     .rank = RankRule::same,
     .gives_input = always_gives_input},
    {"CastLike", infer_cast_like, each<1>},
    {"IsInf", infer_is_nan, each<1>},
    {"IsNaN", infer_is_nan, each<1>},
    {.op = "Reshape",
     .infer = infer_reshape,
     .flops = moves_bytes,
     .traffic = Traffic::view,
     .gives_input = same_shape},
    {.op = "Shape", .infer = infer_shape, .flops = moves_bytes, .traffic = Traffic::output},
    {.op = "Size", .infer = infer_size, .flops = moves_bytes, .traffic = Traffic::output},
    {.op = "Squeeze", .infer = infer_squeeze, .flops = moves_bytes, .traffic = Traffic::view},
    {.op = "Unsqueeze", .infer = infer_unsqueeze, .flops = moves_bytes, .traffic = Traffic::view},
    {"Where", infer_where, each<1>},
    {.op = kCopyOp, .infer = infer_identity, .flops = moves_bytes, .is_copy = true},
};

}  // namespace

std::span<const OpRule> tensor_rules() { return kRules; }

}  // namespace ferry
