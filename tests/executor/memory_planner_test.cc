#include "executor/plan/memory_planner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace ferry {
namespace {

TEST(MemoryPlanner, ReusesMemoryOfTheDead) {
  // A chain: each block is read by the next step.
  std::vector<BlockLife> blocks;
  for (int i = 0; i < 100; ++i) blocks.push_back({1000, i, i + 1});
  const ArenaPlan plan = plan_arena(blocks, 64);
  EXPECT_EQ(plan.bytes, 2u * 1024);
}

// The lowest offset that is free, by looking at every block placed before.
std::vector<size_t> lowest_offsets(const std::vector<BlockLife>& blocks) {
  std::vector<size_t> order(blocks.size()), offsets(blocks.size(), 0);
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order,
                           [&](size_t a, size_t b) { return blocks[a].bytes > blocks[b].bytes; });
  for (size_t i = 0; i < order.size(); ++i) {
    const BlockLife& block = blocks[order[i]];
    if (block.bytes == 0) continue;
    const auto is_free = [&](size_t offset) {
      return std::none_of(order.begin(), order.begin() + static_cast<ptrdiff_t>(i), [&](size_t j) {
        const BlockLife& other = blocks[j];
        return other.first <= block.last && block.first <= other.last &&
               offsets[j] < offset + block.bytes && offset < offsets[j] + other.bytes;
      });
    };
    while (!is_free(offsets[order[i]])) offsets[order[i]] += 64;
  }
  return offsets;
}

TEST(MemoryPlanner, TakesTheLowestOffsetThatIsFree) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    std::vector<BlockLife> blocks(1 + random() % 40);
    for (BlockLife& block : blocks) {
      block.bytes = random() % 500;
      block.first = static_cast<int>(random() % 50) - 1;
      block.last = block.first + static_cast<int>(random() % (random() % 5 == 0 ? 50 : 4));
    }
    EXPECT_EQ(plan_arena(blocks, 64).offsets, lowest_offsets(blocks));
  }
}

// Minutes, if every block looked at every other.
TEST(MemoryPlanner, PlansManyBlocks) {
  constexpr int kSteps = 300'000;
  std::vector<BlockLife> blocks;
  for (int i = 0; i < kSteps; ++i) {
    blocks.push_back({1000, i, i + 1});
    if (i % 4 == 0) blocks.push_back({64, 0, kSteps});
  }
  EXPECT_EQ(plan_arena(blocks, 64).bytes, 2u * 1024 + kSteps / 4 * 64);
}

TEST(MemoryPlanner, EmptyBlocksAndNone) {
  EXPECT_EQ(plan_arena({}, 64).bytes, 0u);
  const ArenaPlan plan = plan_arena({{0, 0, 5}, {10, 0, 5}}, 64);
  EXPECT_EQ(plan.bytes, 64u);
}

TEST(MemoryPlanner, RandomLivesNeverOverlapAndStayNearTheBound) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const int steps = 1 + static_cast<int>(random() % 40);
    std::vector<BlockLife> blocks(1 + random() % 60);
    for (BlockLife& block : blocks) {
      block.bytes = random() % 5000;
      block.first = static_cast<int>(random() % static_cast<unsigned>(steps));
      block.last = std::min(steps - 1, block.first + static_cast<int>(random() % 10));
    }
    const ArenaPlan plan = plan_arena(blocks, 64);
    size_t bound = 0;
    for (int step = 0; step < steps; ++step) {
      size_t live = 0;
      for (const BlockLife& block : blocks) {
        if (block.first <= step && step <= block.last) live += (block.bytes + 63) / 64 * 64;
      }
      bound = std::max(bound, live);
    }
    EXPECT_GE(plan.bytes, bound);
    EXPECT_LE(plan.bytes, bound * 3 / 2 + 64);
    for (size_t i = 0; i < blocks.size(); ++i) {
      EXPECT_EQ(plan.offsets[i] % 64, 0u);
      EXPECT_LE(plan.offsets[i] + blocks[i].bytes, plan.bytes);
      for (size_t j = 0; j < i; ++j) {
        if (blocks[i].last < blocks[j].first || blocks[j].last < blocks[i].first) continue;
        if (blocks[i].bytes == 0 || blocks[j].bytes == 0) continue;
        EXPECT_TRUE(plan.offsets[i] + blocks[i].bytes <= plan.offsets[j] ||
                    plan.offsets[j] + blocks[j].bytes <= plan.offsets[i]);
      }
    }
  }
}

}  // namespace
}  // namespace ferry
