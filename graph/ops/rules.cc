#include "graph/ops/rules.h"

#include <algorithm>
#include <functional>

#include "ferry/error.h"
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

void expect_shape(const InferContext& context, int i, const Dims& wanted, std::string_view what) {
  if (!context.has_input(i) || !context.shape(i)) return;
  const Dims& given = *context.shape(i);
  const auto agree = [](const Dim& a, const Dim& b) {
    return !a.is_known() || !b.is_known() || a.value() == b.value();
  };
  if (!std::ranges::equal(given, wanted, agree)) {
    context.fail(input_name(i) + " has the shape " + to_string(given) + ", expected " +
                 to_string(wanted) + ": " + std::string(what));
  }
}

void expect_broadcast(const InferContext& context, int i, const Dims& target) {
  if (!context.has_input(i) || !context.shape(i)) return;
  const Dims& given = *context.shape(i);
  bool fits = given.size() <= target.size();
  for (size_t k = 1; fits && k <= given.size(); ++k) {
    const Dim& from = given[given.size() - k];
    const Dim& to = target[target.size() - k];
    fits = from == Dim(1) || !from.is_known() || !to.is_known() || from.value() == to.value();
  }
  if (!fits) {
    context.fail(input_name(i) + " has the shape " + to_string(given) +
                 ", which does not broadcast to " + to_string(target));
  }
}

void expect_one_element(const InferContext& context, int i) {
  if (!context.has_input(i) || !context.shape(i)) return;
  const Dim count = product(*context.shape(i));
  if (count.is_known() && count.value() != 1) {
    context.fail(input_name(i) + " has the shape " + to_string(*context.shape(i)) +
                 ", expected one element");
  }
}

DType dtype_attribute(const InferContext& context, std::string_view name, TypeSet types) {
  const int64_t value = context.attributes().get_int(name);
  const bool is_type = value > 0 && value < kDTypeCount;
  if (!is_type || !types.contains(static_cast<DType>(value))) {
    context.fail(
        "the attribute '" + std::string(name) + "' is " +
        (is_type ? std::string(to_string(static_cast<DType>(value))) : std::to_string(value)) +
        ", expected one of " + list_of(types));
  }
  return static_cast<DType>(value);
}

int64_t int_attribute(const InferContext& context, std::string_view name, int64_t minimum) {
  const int64_t value = context.attributes().get_int(name);
  if (value < minimum || value > INT32_MAX) {
    context.fail("the attribute '" + std::string(name) + "' is " + std::to_string(value) +
                 ", expected at least " + std::to_string(minimum) + " and below 2^31");
  }
  return value;
}

namespace {

// Both as bits, which wrap without being undefined.
template <typename Operation>
Dim wrapped(const Dim& a, const Dim& b, Operation operation) {
  return static_cast<int64_t>(
      operation(static_cast<uint64_t>(a.value()), static_cast<uint64_t>(b.value())));
}

}  // namespace

Dim add_contents(const Dim& a, const Dim& b) {
  return a.is_known() && b.is_known() ? wrapped(a, b, std::plus<>()) : a + b;
}
Dim subtract_contents(const Dim& a, const Dim& b) {
  return a.is_known() && b.is_known() ? wrapped(a, b, std::minus<>()) : a - b;
}
Dim multiply_contents(const Dim& a, const Dim& b) {
  return a.is_known() && b.is_known() ? wrapped(a, b, std::multiplies<>()) : a * b;
}

Dim product(std::span<const Dim> dims) {
  if (std::ranges::find(dims, Dim(0)) != dims.end()) return 0;
  Dim result = 1;
  for (const Dim& dim : dims) result = result * dim;
  return result;
}

Dims unknown_dims(int64_t rank) {
  if (rank < 0 || rank > kMaxRank) {
    throw Error(ErrorCode::invalid_model, "a tensor would have " + std::to_string(rank) +
                                              " axes, expected at most " +
                                              std::to_string(kMaxRank));
  }
  return Dims(static_cast<size_t>(rank));
}

Dim scalar_size(const InferContext& context, int i) {
  expect_one_element(context, i);
  const auto values = context.contents(i);
  if (!values) return {};
  if (values->size() != 1) {
    context.fail(input_name(i) + " has " + std::to_string(values->size()) +
                 " elements, expected one");
  }
  return values->front();
}

std::optional<int64_t> constant_int(const InferContext& context, int i) {
  const Dim size = scalar_size(context, i);
  return size.is_known() ? std::optional(size.value()) : std::nullopt;
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
