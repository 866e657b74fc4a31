#include "graph/ops/rules.h"

#include <algorithm>

#include "graph/activation.h"

namespace ferry {
namespace {

std::string list_of(TypeSet types) {
  std::string text;
  for (int i = 1; i < kDTypeCount; ++i) {
    if (!types.contains(static_cast<DType>(i))) continue;
    if (!text.empty()) text += ", ";
    text += to_string(static_cast<DType>(i));
  }
  return text;
}

std::string count_of(int minimum, int maximum) {
  if (minimum == maximum) return std::to_string(minimum);
  if (maximum == kAnyCount) return "at least " + std::to_string(minimum);
  return std::to_string(minimum) + " to " + std::to_string(maximum);
}

}  // namespace

std::string input_name(int i) { return "input " + std::to_string(i); }

void expect_arity(const InferContext& context, int min_inputs, int max_inputs, int max_outputs) {
  const int inputs = context.input_count();
  if (inputs < min_inputs || inputs > max_inputs) {
    context.fail("the operator takes " + count_of(min_inputs, max_inputs) +
                 " inputs, the node has " + std::to_string(inputs));
  }
  for (int i = 0; i < min_inputs; ++i) {
    if (!context.has_input(i)) context.fail(input_name(i) + " is required and is not there");
  }
  const int outputs = context.output_count();
  if (outputs < 1 || outputs > max_outputs) {
    context.fail("the operator has " + count_of(1, max_outputs) + " outputs, the node names " +
                 std::to_string(outputs));
  }
}

void expect_dtype(const InferContext& context, int i, TypeSet types) {
  const Type& type = context.input(i).type;
  if (type.kind != Type::Kind::tensor) {
    context.fail(input_name(i) + " is " + type.str() + ", expected a tensor");
  }
  if (type.dtype != DType::undefined && !types.contains(type.dtype)) {
    context.fail(input_name(i) + " is " + std::string(to_string(type.dtype)) +
                 ", expected one of " + list_of(types));
  }
}

namespace {

// Folds input i into `common`, the dtype of the inputs before it.
void join_dtype(const InferContext& context, int i, TypeSet types, DType& common) {
  if (!context.has_input(i)) return;
  expect_dtype(context, i, types);
  const DType dtype = context.dtype(i);
  if (dtype == DType::undefined) return;
  if (common != DType::undefined && dtype != common) {
    context.fail(input_name(i) + " is " + std::string(to_string(dtype)) + ", expected " +
                 std::string(to_string(common)) + " as the inputs before it");
  }
  common = dtype;
}

}  // namespace

DType expect_same_dtype(const InferContext& context, std::initializer_list<int> inputs,
                        TypeSet types) {
  DType common = DType::undefined;
  for (int i : inputs) join_dtype(context, i, types, common);
  return common;
}

DType expect_one_dtype(const InferContext& context, TypeSet types) {
  DType common = DType::undefined;
  for (int i = 0; i < context.input_count(); ++i) join_dtype(context, i, types, common);
  return common;
}

void expect_activation(const InferContext& context, DType dtype) {
  const std::optional<Activation> activation = find_activation(context.attributes());
  if (!activation) {
    context.fail(
        "the attributes 'activation' and 'activation_params' are not those of an "
        "activation");
  }
  if (activation->kind != ActivationKind::none && dtype != DType::undefined &&
      !kFloatTypes.contains(dtype)) {
    context.fail("an activation needs a floating type, not " + std::string(to_string(dtype)));
  }
}

void expect_rank(const InferContext& context, int i, int64_t rank) {
  if (context.rank(i) >= 0 && context.rank(i) != rank) {
    context.fail(input_name(i) + " has the shape " + to_string(*context.shape(i)) + ", expected " +
                 std::to_string(rank) + " axes");
  }
}

void expect_min_rank(const InferContext& context, int i, int64_t rank) {
  if (context.rank(i) >= 0 && context.rank(i) < rank) {
    context.fail(input_name(i) + " has the shape " + to_string(*context.shape(i)) +
                 ", expected at least " + std::to_string(rank) + " axes");
  }
}

Dim expect_equal(const InferContext& context, const Dim& a, const Dim& b, std::string_view what) {
  if (a.is_known() && b.is_known() && a.value() != b.value()) {
    context.fail(std::string(what) + " do not agree: " + a.str() + " and " + b.str());
  }
  if (a.is_known() || b.is_unknown()) return a;
  if (b.is_known() || a.is_unknown()) return b;
  return a;
}

Dim product(std::span<const Dim> dims) {
  Dim result = 1;
  for (const Dim& dim : dims) result = result * dim;
  return result;
}

Dims unknown_dims(int64_t rank) { return Dims(static_cast<size_t>(rank)); }

std::optional<int64_t> constant_int(const InferContext& context, int i) {
  const auto values = context.constant_ints(i);
  if (!values) return std::nullopt;
  if (values->size() != 1) {
    context.fail(input_name(i) + " has " + std::to_string(values->size()) +
                 " elements, expected one");
  }
  return values->front();
}

int64_t normalize_axis(const InferContext& context, int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank) {
    context.fail("axis " + std::to_string(axis) + " is outside the range -" + std::to_string(rank) +
                 " to " + std::to_string(rank - 1) + " of a tensor with " + std::to_string(rank) +
                 " axes");
  }
  return axis < 0 ? axis + rank : axis;
}

std::vector<int64_t> normalize_axes(const InferContext& context, std::span<const int64_t> axes,
                                    int64_t rank) {
  std::vector<int64_t> result;
  result.reserve(axes.size());
  for (int64_t axis : axes) {
    const int64_t normalized = normalize_axis(context, axis, rank);
    if (std::find(result.begin(), result.end(), normalized) != result.end()) {
      context.fail("axis " + std::to_string(axis) + " is given twice");
    }
    result.push_back(normalized);
  }
  return result;
}

Dims broadcast(const InferContext& context, const Dims& a, const Dims& b) {
  const Dims& longer = a.size() >= b.size() ? a : b;
  const Dims& shorter = a.size() >= b.size() ? b : a;
  Dims result = longer;
  const size_t offset = longer.size() - shorter.size();
  for (size_t i = 0; i < shorter.size(); ++i) {
    const Dim& x = longer[offset + i];
    const Dim& y = shorter[i];
    Dim& out = result[offset + i];
    if (x == y || (y.is_known() && y.value() == 1)) continue;
    if (x.is_known() && x.value() == 1) {
      out = y;
    } else if (x.is_known() && y.is_known()) {
      context.fail("the shapes " + to_string(a) + " and " + to_string(b) +
                   " cannot be broadcast together");
    } else if (y.is_known()) {
      out = y;  // x is not known: it must be 1 or the same number
    } else if (!x.is_known()) {
      out = Dim();  // either may be 1
    }
  }
  return result;
}

void broadcast_output(InferContext& context, DType dtype) {
  std::optional<Dims> shape = context.shape(0);
  for (int i = 1; i < context.input_count() && shape; ++i) {
    if (!context.shape(i)) {
      shape.reset();
    } else {
      shape = broadcast(context, *shape, *context.shape(i));
    }
  }
  context.set_output(0, dtype, std::move(shape));
}

void combine_contents(InferContext& context, DimFunction function) {
  const auto a = context.contents(0);
  if (!a || a->empty()) return;
  const auto b = context.contents(1);
  if (!b || b->empty()) return;
  if (a->size() > 1 && b->size() > 1 && context.shape(0) != context.shape(1)) return;
  Dims result(std::max(a->size(), b->size()));
  for (size_t i = 0; i < result.size(); ++i) {
    result[i] = function((*a)[a->size() == 1 ? 0 : i], (*b)[b->size() == 1 ? 0 : i]);
  }
  context.set_contents(0, std::move(result));
}

}  // namespace ferry
