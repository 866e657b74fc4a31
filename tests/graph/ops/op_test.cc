#include "graph/ops/op.h"

#include <gtest/gtest.h>

#include "graph/graph.h"
#include "graph/ops/cost.h"

namespace ferry {
namespace {

template <typename F>
void for_each_rule(F&& f) {
  for (const std::span<const OpRule> family : op_rules()) {
    for (const OpRule& rule : family) f(rule);
  }
}

TEST(OpRules, AreCompleteAndFoundByName) {
  for_each_rule([](const OpRule& rule) {
    SCOPED_TRACE(std::string(rule.op));
    EXPECT_FALSE(rule.op.empty());
    EXPECT_EQ(find_op(rule.op), &rule) << "the operator has two rows";
    EXPECT_NE(rule.infer, nullptr);
    EXPECT_NE(rule.flops, nullptr) << "the row states no arithmetic (graph/ops/cost.h)";
    if (rule.bodies != nullptr) {
      EXPECT_NE(rule.bodies->infer, nullptr);
      EXPECT_NE(rule.bodies->trips, nullptr);
    }
  });
  EXPECT_EQ(find_op("Nothing"), nullptr);
}

TEST(OpRules, CostNothingWhereNothingRuns) {
  const Attributes none;
  const NodeSizes sizes{none, {{4, 8}}, {{4, 8}}};
  for_each_rule([&](const OpRule& rule) {
    if (rule.traffic == Traffic::all) return;
    EXPECT_EQ(rule.flops(sizes), 0) << rule.op;
  });
}

// No formula reads sizes that are not there.
TEST(OpRules, CostFiniteNumbersOfAnySizes) {
  const Attributes none;
  const NodeSizes cases[] = {{none, {}, {}},
                             {none, {{}}, {{}}},
                             {none, {{}, {}, {}}, {{3}}},
                             {none, {{0, 0}, {0, 0}}, {{0, 0}}}};
  for_each_rule([&](const OpRule& rule) {
    for (const NodeSizes& sizes : cases) {
      const double flops = rule.flops(sizes);
      EXPECT_TRUE(flops >= 0 && flops < 1e9) << rule.op << " " << flops;
    }
  });
}

TEST(OpRules, ANodeThatBecomesAnotherOperatorHasItsRow) {
  Node node{.op = "Relu"};
  EXPECT_EQ(&node.op.rule(), find_op("Relu"));
  EXPECT_EQ(node.op, "Relu");
  node.op = std::string("Shape");
  EXPECT_EQ(node.op.rule().traffic, Traffic::output);
  node.op = kCopyOp;
  EXPECT_TRUE(node.is_copy());
  node.op = "my.domain.Thing";
  EXPECT_EQ(&node.op.rule(), &kUnknownOp);
  EXPECT_EQ(node.op.name(), "my.domain.Thing");
  EXPECT_TRUE(Node().op == "");
}

}  // namespace
}  // namespace ferry
