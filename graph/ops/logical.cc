// Comparisons and Boolean algebra.
#include <functional>

#include "graph/ops/rules.h"

namespace ferry {
namespace {

// Whether a size equals a number that no size can be, or the same expression; unknown otherwise.
Dim equal(const Dim& a, const Dim& b) {
  if (a.is_known() && b.is_known()) return int64_t{a.value() == b.value()};
  if (a == b) return 1;
  const Dim& size = a.is_known() ? b : a;
  const Dim& number = a.is_known() ? a : b;
  if (number.is_known() && number.value() < 0 && size.is_symbolic()) {
    std::vector<std::string> names;
    size.collect_symbols(names);
    if (names.size() == 1 && size == Dim::symbol(names[0])) return 0;
  }
  return {};
}

template <typename Compare>
Dim ordered(const Dim& a, const Dim& b) {
  if (!a.is_known() || !b.is_known()) return {};
  return int64_t{Compare()(a.value(), b.value())};
}
Dim greater(const Dim& a, const Dim& b) { return ordered<std::greater<>>(a, b); }
Dim greater_or_equal(const Dim& a, const Dim& b) { return ordered<std::greater_equal<>>(a, b); }
Dim less(const Dim& a, const Dim& b) { return ordered<std::less<>>(a, b); }
Dim less_or_equal(const Dim& a, const Dim& b) { return ordered<std::less_equal<>>(a, b); }
Dim logical_and(const Dim& a, const Dim& b) {
  if ((a.is_known() && a.value() == 0) || (b.is_known() && b.value() == 0)) return 0;
  return a.is_known() && b.is_known() ? Dim(1) : Dim();
}
Dim logical_or(const Dim& a, const Dim& b) {
  if ((a.is_known() && a.value() != 0) || (b.is_known() && b.value() != 0)) return 1;
  return a.is_known() && b.is_known() ? Dim(0) : Dim();
}

// Equal (opset 19), Greater, Less (13), GreaterOrEqual, LessOrEqual (16), And, Or (7):
// A, B -> C of type bool, broadcast.
template <TypeSet kTypes, DimFunction kFunction>
void infer_binary(InferContext& context) {
  expect_arity(context, 2, 2);
  expect_one_dtype(context, kTypes);
  broadcast_output(context, boolean);
  combine_contents(context, kFunction);
}

// Not (opset 1): X -> Y.
void infer_not(InferContext& context) {
  expect_arity(context, 1, 1);
  expect_dtype(context, 0, kBool);
  context.set_output(0, boolean, context.shape(0));
  if (auto contents = context.contents(0)) {
    for (Dim& dim : *contents) {
      if (dim.is_known()) dim = int64_t{dim.value() == 0};
    }
    context.set_contents(0, std::move(*contents));
  }
}

// BitShift (opset 11): X, Y -> Z; direction. BitwiseAnd, BitwiseOr, BitwiseXor (18): A, B -> C.
template <TypeSet kTypes>
void infer_bits(InferContext& context) {
  expect_arity(context, 2, 2);
  broadcast_output(context, expect_one_dtype(context, kTypes));
}

// BitwiseNot (opset 18): X -> Y.
void infer_bitwise_not(InferContext& context) {
  expect_arity(context, 1, 1);
  expect_dtype(context, 0, kIntTypes);
  context.set_output(0, context.dtype(0), context.shape(0));
}

Dim logical_xor(const Dim& a, const Dim& b) {
  if (!a.is_known() || !b.is_known()) return {};
  return int64_t{(a.value() != 0) != (b.value() != 0)};
}

constexpr OpRule kRules[] = {
    {"BitShift", infer_bits<kUnsignedTypes>, each<1>},
    {"BitwiseAnd", infer_bits<kIntTypes>, each<1>},
    {"BitwiseNot", infer_bitwise_not, each<1>},
    {"BitwiseOr", infer_bits<kIntTypes>, each<1>},
    {"BitwiseXor", infer_bits<kIntTypes>, each<1>},
    {"Xor", infer_binary<kBool, logical_xor>, each<1>},
    {"And", infer_binary<kBool, logical_and>, each<1>},
    {"Equal", infer_binary<kNumericTypes | kBool | kString, equal>, each<1>},
    {"Greater", infer_binary<kNumericTypes, greater>, each<1>},
    {"GreaterOrEqual", infer_binary<kNumericTypes, greater_or_equal>, each<1>},
    {"Less", infer_binary<kNumericTypes, less>, each<1>},
    {"LessOrEqual", infer_binary<kNumericTypes, less_or_equal>, each<1>},
    {"Not", infer_not, each<1>},
    {"Or", infer_binary<kBool, logical_or>, each<1>},
};

}  // namespace

std::span<const OpRule> logical_rules() { return kRules; }

}  // namespace ferry
