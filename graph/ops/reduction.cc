// Reductions: data, axes? -> reduced; keepdims, noop_with_empty_axes (opset 18 and later).
#include <algorithm>

#include "graph/ops/rules.h"

namespace ferry {
namespace {

inline constexpr TypeSet kWideTypes = kFloatTypes | TypeSet{int32, int64, uint32, uint64};

// The shape left by reducing `axes`; every axis where there are none.
Dims reduced_shape(const InferContext& context, const Dims& shape, std::vector<int64_t> axes,
                   bool keepdims) {
  const int64_t rank = static_cast<int64_t>(shape.size());
  if (axes.empty()) {
    for (int64_t i = 0; i < rank; ++i) axes.push_back(i);
  } else {
    axes = normalize_axes(context, axes, rank);
  }
  Dims result;
  for (int64_t i = 0; i < rank; ++i) {
    const bool reduced = std::find(axes.begin(), axes.end(), i) != axes.end();
    if (!reduced) {
      result.push_back(shape[i]);
    } else if (keepdims) {
      result.push_back(1);
    }
  }
  return result;
}

// ReduceSum (opset 13), ReduceMean and its kin (18), ReduceMax, ReduceMin (20).
template <TypeSet kTypes>
void infer_reduce(InferContext& context) {
  expect_arity(context, 1, 2);
  expect_dtype(context, 0, kTypes);
  const DType dtype = context.dtype(0);
  const bool keepdims = context.attributes().get_int("keepdims") != 0;
  if (context.has_input(1)) {
    expect_dtype(context, 1, TypeSet{int64});
    expect_rank(context, 1, 1);
  }
  if (!context.shape(0)) return context.set_output(0, dtype, std::nullopt);
  const Dims& shape = *context.shape(0);
  std::vector<int64_t> axes;
  if (context.has_input(1)) {
    const auto given = context.constant_ints(1);
    if (!given) {
      if (keepdims) return context.set_output(0, dtype, unknown_dims(context.rank(0)));
      return context.set_output(0, dtype, std::nullopt);
    }
    axes = *given;
  }
  if (axes.empty() && context.attributes().get_int("noop_with_empty_axes") != 0) {
    return context.set_output(0, dtype, shape);
  }
  context.set_output(0, dtype, reduced_shape(context, shape, std::move(axes), keepdims));
}

// ReduceProd of one axis of sizes: how exporters count elements.
void infer_reduce_prod(InferContext& context) {
  infer_reduce<kWideTypes>(context);
  const auto contents = context.contents(0);
  if (!contents || context.rank(0) != 1) return;
  Dim result = 1;
  for (const Dim& dim : *contents) result = multiply_contents(result, dim);
  context.set_contents(0, {result});
}

// ArgMax, ArgMin (opset 13): data -> reduced of type int64; axis, keepdims, select_last_index.
void infer_arg(InferContext& context) {
  expect_arity(context, 1, 1);
  expect_dtype(context, 0, kNumericTypes);
  if (!context.shape(0)) return context.set_output(0, int64, std::nullopt);
  const int64_t axis = context.attributes().get_int("axis");
  context.set_output(0, int64,
                     reduced_shape(context, *context.shape(0), {axis},
                                   context.attributes().get_int("keepdims") != 0));
}

constexpr OpRule reduction(std::string_view op, void (*infer)(InferContext&),
                           double (*flops)(const NodeSizes&)) {
  return {.op = op, .infer = infer, .flops = flops, .rank = RankRule::reduced};
}

constexpr OpRule kRules[] = {
    {"ArgMax", infer_arg, each<1>},
    {"ArgMin", infer_arg, each<1>},
    reduction("ReduceL1", infer_reduce<kWideTypes>, each<1>),
    reduction("ReduceL2", infer_reduce<kWideTypes>, each<1>),
    reduction("ReduceLogSum", infer_reduce<kWideTypes>, each<1>),
    reduction("ReduceLogSumExp", infer_reduce<kWideTypes>, each<1>),
    reduction("ReduceMax", infer_reduce<kWideTypes | TypeSet{int8, uint8, boolean}>, each_input),
    reduction("ReduceMean", infer_reduce<kWideTypes>, each_input),
    reduction("ReduceMin", infer_reduce<kWideTypes | TypeSet{int8, uint8, boolean}>, each_input),
    reduction("ReduceProd", infer_reduce_prod, each_input),
    reduction("ReduceSum", infer_reduce<kWideTypes>, each_input),
    reduction("ReduceSumSquare", infer_reduce<kWideTypes>, each<1>),
};

}  // namespace

std::span<const OpRule> reduction_rules() { return kRules; }

}  // namespace ferry
