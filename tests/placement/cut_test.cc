#include "placement/solve/cut.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <random>
#include <string>

#include "core/checked.h"

namespace ferry {
namespace {

using End = CutProblem::End;

Side side_of(const End& end, const std::vector<Side>& sides) {
  return end.item < 0 ? end.side : sides[static_cast<size_t>(end.item)];
}

// The time of one assignment; kForbidden where an item is where it cannot run, or a value crosses
// that cannot.
int64_t cut_cost(const CutProblem& problem, const std::vector<Side>& sides) {
  int64_t total = 0;
  const auto add = [&](int64_t cost) {
    const bool is_forbidden = total == kForbidden || cost == kForbidden;
    total = is_forbidden ? kForbidden
                         : std::min(checked_add(total, cost).value_or(kForbidden), kForbidden - 1);
  };
  for (size_t i = 0; i < problem.items.size(); ++i) {
    add(problem.items[i].cost[static_cast<size_t>(sides[i])]);
  }
  for (const CutProblem::Value& value : problem.values) {
    const Side home = side_of(value.writer, sides);
    const bool crosses = std::ranges::any_of(
        value.readers, [&](const End& reader) { return side_of(reader, sides) != home; });
    if (crosses) add(value.copy[home == Side::host ? 1 : 0]);
  }
  return total;
}

// Up to 12 nodes with several outputs, host ports, fixed inputs and outputs, and nodes that one
// device cannot run.
CutProblem random_problem(std::mt19937_64& random) {
  const auto below = [&](uint64_t n) { return static_cast<int64_t>(random() % n); };
  CutProblem problem;
  const int64_t items = 1 + below(12);
  const auto time = [&] { return below(4) == 0 ? 0 : below(1000); };
  for (int64_t i = 0; i < items; ++i) {
    CutProblem::Item item{{time(), time()}};
    if (below(6) == 0) item.cost[static_cast<size_t>(below(2))] = kForbidden;
    problem.items.push_back(item);
  }
  const auto fixed = [&] { return End{-1, below(3) == 0 ? Side::device : Side::host}; };
  const int64_t inputs = 1 + below(3);
  for (int64_t v = 0; v < inputs + items + below(4); ++v) {
    CutProblem::Value value;
    const int64_t writer = v - inputs < items ? v - inputs : below(static_cast<uint64_t>(items));
    value.writer = writer < 0 || below(10) == 0 ? fixed() : End{static_cast<int>(writer)};
    value.copy = {time(), time()};
    for (int64_t r = below(5); r > 0; --r) {
      const int64_t reader = writer + 1 + below(4);
      value.readers.push_back(reader >= items || below(8) == 0 ? fixed()
                                                               : End{static_cast<int>(reader)});
    }
    problem.values.push_back(std::move(value));
  }
  return problem;
}

std::vector<Side> sides_of(uint64_t bits, size_t items) {
  std::vector<Side> sides(items);
  for (size_t i = 0; i < items; ++i) sides[i] = bits >> i & 1 ? Side::device : Side::host;
  return sides;
}

TEST(Cut, IsTheBestOfAllAssignments) {
  constexpr uint64_t kSeed = 20260101;
  std::mt19937_64 random(kSeed);
  for (int round = 0; round < 2000; ++round) {
    SCOPED_TRACE("seed " + std::to_string(kSeed) + ", round " + std::to_string(round));
    const CutProblem problem = random_problem(random);
    const size_t items = problem.items.size();
    int64_t best = kForbidden;
    int most = 0;
    for (uint64_t bits = 0; bits < uint64_t{1} << items; ++bits) {
      const int64_t cost = cut_cost(problem, sides_of(bits, items));
      const int on_device = std::popcount(bits);
      if (cost < best || (cost == best && on_device > most)) best = cost, most = on_device;
    }
    ASSERT_NE(best, kForbidden);
    const std::vector<Side> sides = minimum_cut(problem);
    ASSERT_EQ(cut_cost(problem, sides), best);
    ASSERT_EQ(std::ranges::count(sides, Side::device), most);
    ASSERT_EQ(sides, minimum_cut(problem));
  }
}

TEST(Cut, PaysACopyOnceForAllReadersOfADestination) {
  CutProblem problem;
  problem.items = {{{10, 100}}, {{100, 30}}, {{100, 30}}};
  problem.values = {{End{0}, {End{1}, End{2}}, {50, 50}}};
  const std::vector<Side> sides = minimum_cut(problem);
  EXPECT_EQ(sides, (std::vector{Side::host, Side::device, Side::device}));
  EXPECT_EQ(cut_cost(problem, sides), 10 + 30 + 30 + 50);
}

TEST(Cut, KeepsWhatTheHostReadsOnTheHost) {
  CutProblem problem;
  problem.items = {{{10, 9}}, {{kForbidden, 5}}};
  // Item 1 reads item 0's output through a host port.
  problem.values = {{End{0}, {End{-1, Side::host}}, {2, 2}},
                    {End{-1, Side::host}, {End{1}}, {0, 3}}};
  EXPECT_EQ(minimum_cut(problem), (std::vector{Side::host, Side::device}));
}

TEST(Cut, PrefersTheDeviceWhereBothCostTheSame) {
  CutProblem problem;
  problem.items = {{{7, 7}}};
  EXPECT_EQ(minimum_cut(problem), (std::vector{Side::device}));
}

TEST(Cut, StaysWithinSixtyFourBits) {
  CutProblem problem;
  problem.items = {{{kForbidden - 1, kForbidden - 1}}, {{kForbidden - 1, 1}}, {{1, kForbidden}}};
  problem.values = {{End{0}, {End{1}, End{2}}, {kForbidden - 1, kForbidden - 1}}};
  const std::vector<Side> sides = minimum_cut(problem);
  EXPECT_EQ(sides[2], Side::host);
  EXPECT_EQ(cut_cost(problem, sides), kForbidden - 1);
  EXPECT_EQ(cut_cost(problem, {Side::host, Side::host, Side::device}), kForbidden);
  // A value that cannot cross keeps its writer and its reader together.
  problem.items = {{{5, 1}}, {{1, kForbidden}}};
  problem.values = {{End{0}, {End{1}}, {kForbidden, kForbidden}}};
  EXPECT_EQ(minimum_cut(problem), (std::vector{Side::host, Side::host}));
  EXPECT_EQ(cut_cost(problem, {Side::device, Side::host}), kForbidden);
}

TEST(Cut, HandlesLongChains) {
  CutProblem problem;
  constexpr int kItems = 10000;
  for (int i = 0; i < kItems; ++i) {
    problem.items.push_back({{i % 3 == 0 ? 5 : 40, i % 3 == 0 ? 40 : 5}});
    if (i > 0) problem.values.push_back({End{i - 1}, {End{i}}, {6, 6}});
  }
  const std::vector<Side> sides = minimum_cut(problem);
  // A trip to the host costs 12 and saves 35.
  for (int i = 0; i < kItems; ++i) {
    EXPECT_EQ(sides[static_cast<size_t>(i)], i % 3 == 0 ? Side::host : Side::device) << i;
  }
}

}  // namespace
}  // namespace ferry
