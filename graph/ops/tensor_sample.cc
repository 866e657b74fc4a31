// Reading at positions between the elements.
#include <algorithm>
#include <initializer_list>

#include "graph/ops/rules.h"

namespace ferry {
namespace {

void expect_one_of(const InferContext& context, std::string_view name,
                   std::initializer_list<std::string_view> words) {
  const std::string& given = context.attributes().get_string(name);
  if (std::ranges::find(words, given) != words.end()) return;
  std::string list;
  for (const std::string_view word : words) {
    list += (list.empty() ? "\"" : ", \"") + std::string(word) + "\"";
  }
  context.fail("the attribute '" + std::string(name) + "' is \"" + given + "\", expected one of " +
               list);
}

// GridSample (opset 22): X [N, C, D1, ..., Dr], grid [N, E1, ..., Er, r] -> Y [N, C, E1, ..., Er];
// mode, padding_mode, align_corners.
void infer_grid_sample(InferContext& context) {
  expect_arity(context, 2, 2);
  expect_dtype(context, 0, kEveryType);
  expect_dtype(context, 1, kFloatTypes);
  expect_min_rank(context, 0, 3);
  expect_min_rank(context, 1, 3);
  expect_one_of(context, "mode", {"nearest", "linear", "cubic"});
  expect_one_of(context, "padding_mode", {"zeros", "border", "reflection"});
  const int64_t rank = std::max(context.rank(0), context.rank(1));
  if (rank < 0) return context.set_output(0, context.dtype(0), std::nullopt);
  expect_rank(context, 0, rank);
  expect_rank(context, 1, rank);
  Dims shape(rank);
  if (context.shape(0)) std::copy_n(context.shape(0)->begin(), 2, shape.begin());
  if (context.shape(1)) {
    const Dims& grid = *context.shape(1);
    shape[0] = expect_equal(context, shape[0], grid[0], "the batches of X and grid");
    expect_equal(context, rank - 2, grid.back(), "the axes of X and the coordinates of grid");
    std::copy(grid.begin() + 1, grid.end() - 1, shape.begin() + 2);
  }
  context.set_output(0, context.dtype(0), std::move(shape));
}

constexpr OpRule kRules[] = {
    {.op = "GridSample", .infer = infer_grid_sample, .flops = each<32>, .rank = RankRule::same},
};

}  // namespace

std::span<const OpRule> tensor_sample_rules() { return kRules; }

}  // namespace ferry
