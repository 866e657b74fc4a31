#include "placement/solve/cost.h"

#include <gtest/gtest.h>

#include "tests/support/graph_builder.h"

namespace ferry {
namespace {

TEST(Cost, CountsTheArithmeticOfProducts) {
  struct Case {
    std::string op;
    std::vector<Dims> inputs;
    Dims output;
    double flops;
  };
  const Case cases[] = {
      {"MatMul", {{8, 64}, {64, 32}}, {8, 32}, 2.0 * 8 * 64 * 32},
      {"MatMul", {{4, 8, 64}, {4, 64, 32}}, {4, 8, 32}, 2.0 * 4 * 8 * 64 * 32},
      {"Gemm", {{8, 64}, {64, 32}, {32}}, {8, 32}, 2.0 * 8 * 64 * 32},
      {"Conv", {{1, 3, 8, 8}, {16, 3, 3, 3}}, {1, 16, 6, 6}, 2.0 * 16 * 6 * 6 * 3 * 9},
      {"ConvTranspose", {{1, 3, 8, 8}, {3, 16, 2, 2}}, {1, 16, 16, 16}, 2.0 * 3 * 64 * 16 * 4},
      {"LSTM", {{5, 2, 8}, {1, 16, 8}, {1, 16, 4}}, {5, 1, 2, 4}, 2.0 * 5 * 2 * (16 * 8 + 16 * 4)},
      {"Add", {{2, 3}, {2, 3}}, {2, 3}, 6},
      {"Reshape", {{2, 3}, {2}}, {6}, 0},
      {"Add", {{Dim::symbol("batch"), 3}, {3}}, {Dim::symbol("batch"), 3}, 12},
  };
  for (const Case& c : cases) {
    GraphBuilder build;
    std::vector<std::string> names;
    for (const Dims& dims : c.inputs) {
      names.push_back("i" + std::to_string(names.size()));
      build.input(names.back(), dims);
    }
    const Node& node = build.node(c.op, names, {"y"}, c.output);
    AssumedSizes sizes({{"batch", 4}});
    const Work work = work_of(build.graph, node, sizes);
    EXPECT_DOUBLE_EQ(work.flops, c.flops) << c.op;
    EXPECT_EQ(work.dtype, float32) << c.op;
  }
}

TEST(Cost, CountsBytesAndNotesWhatItAssumes) {
  GraphBuilder build;
  build.input("x", {Dim::symbol("n"), Dim::symbol("m")});
  const Node& node = build.node("NonZero", {"x"}, {"y"}, {2, Dim()}, int64);
  AssumedSizes sizes({{"n", 10}});
  const Work work = work_of(build.graph, node, sizes);
  EXPECT_DOUBLE_EQ(work.bytes, 10 * 4 + 2 * 8);
  EXPECT_EQ(sizes.assumed(), std::vector<std::string>{"m"});
}

TEST(Cost, LooksAtSizesAndViewsForFree) {
  GraphBuilder build;
  build.input("x", {1000, 1000});
  AssumedSizes sizes({});
  const Node& shape = build.node("Shape", {"x"}, {"s"}, {2}, int64);
  EXPECT_DOUBLE_EQ(work_of(build.graph, shape, sizes).bytes, 2 * 8);
  const Node& view = build.node("Reshape", {"x", "s"}, {"y"}, {1000, 1000});
  const DeviceProfile device{"d", "test", {{float32, 1e12}}, 1e11, 1e-6};
  EXPECT_EQ(node_picoseconds(work_of(build.graph, view, sizes), device), 0);
}

TEST(Cost, TakesTheSlowerOfArithmeticAndMemory) {
  const DeviceProfile device{"d", "test", {{float32, 1e12}, {float16, 4e12}}, 1e11, 1e-6};
  EXPECT_EQ(node_picoseconds({.flops = 2e6, .bytes = 1e3, .dtype = float32}, device),
            1'000'000 + 2'000'000);
  EXPECT_EQ(node_picoseconds({.flops = 2e6, .bytes = 1e3, .dtype = float16}, device),
            1'000'000 + 500'000);
  EXPECT_EQ(node_picoseconds({.flops = 2e3, .bytes = 1e6, .dtype = float32}, device),
            1'000'000 + 10'000'000);
  EXPECT_EQ(node_picoseconds({.flops = 1e6, .bytes = 0, .dtype = int64}, device),
            1'000'000 + 1'000'000);
  const LinkProfile link{"l", "test", 1e10, 5e-6};
  EXPECT_EQ(copy_picoseconds(100'000, link), 5'000'000 + 10'000'000);
}

}  // namespace
}  // namespace ferry
