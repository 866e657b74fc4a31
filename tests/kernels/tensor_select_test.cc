#include <gtest/gtest.h>

#include <limits>

#include "tests/support/kernel_harness.h"

namespace ferry::test {
namespace {

using Ints = std::vector<int64_t>;
Tensor f(std::vector<float> values, Shape shape) { return Tensor::from(values, std::move(shape)); }
Tensor i64(Ints values, Shape shape) { return Tensor::from(values, std::move(shape)); }
Tensor i64(Ints values) { return Tensor::from(values); }

TEST(TensorSelectTest, Scatters) {
  const auto elements = [](int64_t axis, const char* reduction) {
    return attributes({{"axis", axis}, {"reduction", std::string(reduction)}});
  };
  const auto nd = [](const char* reduction) {
    return attributes({{"reduction", std::string(reduction)}});
  };
  const Tensor x = f({1, 2, 3, 4, 5, 6}, {2, 3});
  const Tensor strings = Tensor::from<std::string>({"a", "b"});
  check({
      {"rows",
       "ScatterElements",
       elements(1, "none"),
       {x, i64({2, 0}, {2, 1}), f({9, 8}, {2, 1})},
       {f({1, 2, 9, 8, 5, 6}, {2, 3})}},
      {"negative",
       "ScatterElements",
       elements(0, "none"),
       {x, i64({-1}, {1, 1}), f({9}, {1, 1})},
       {f({1, 2, 3, 9, 5, 6}, {2, 3})}},
      {"add twice",
       "ScatterElements",
       elements(1, "add"),
       {x, i64({0, 0}, {1, 2}), f({10, 20}, {1, 2})},
       {f({31, 2, 3, 4, 5, 6}, {2, 3})}},
      {"mul",
       "ScatterElements",
       elements(1, "mul"),
       {x, i64({1}, {1, 1}), f({5}, {1, 1})},
       {f({1, 10, 3, 4, 5, 6}, {2, 3})}},
      {"max",
       "ScatterElements",
       elements(1, "max"),
       {x, i64({0, 1}, {1, 2}), f({0, 7}, {1, 2})},
       {f({1, 7, 3, 4, 5, 6}, {2, 3})}},
      {"min, half",
       "ScatterElements",
       elements(1, "min"),
       {x.half(), i64({0, 1}, {1, 2}), f({0, 7}, {1, 2}).half()},
       {f({0, 2, 3, 4, 5, 6}, {2, 3}).half()}},
      {"strings",
       "ScatterElements",
       elements(0, "none"),
       {strings, i64({1}), Tensor::from<std::string>({"z"})},
       {Tensor::from<std::string>({"a", "z"})}},
      {"rows",
       "ScatterND",
       nd("none"),
       {x, i64({1}, {1, 1}), f({7, 8, 9}, {1, 3})},
       {f({1, 2, 3, 7, 8, 9}, {2, 3})}},
      {"elements, add",
       "ScatterND",
       nd("add"),
       {x, i64({0, 0, 0, 0}, {2, 2}), f({1, 2}, {2})},
       {f({4, 2, 3, 4, 5, 6}, {2, 3})}},
  });
  check({
      RefusalCase{"index",
                  "ScatterElements",
                  elements(1, "none"),
                  {x, i64({3}, {1, 1}), f({9}, {1, 1})},
                  1,
                  ErrorCode::runtime,
                  "index 3"},
      RefusalCase{"updates",
                  "ScatterElements",
                  elements(1, "none"),
                  {x, i64({0}, {1, 1}), f({9, 9}, {1, 2})},
                  1,
                  ErrorCode::invalid_model,
                  "updates"},
      RefusalCase{"index",
                  "ScatterND",
                  nd("none"),
                  {x, i64({2}, {1, 1}), f({7, 8, 9}, {1, 3})},
                  1,
                  ErrorCode::runtime,
                  "index 2"},
      RefusalCase{"reduction",
                  "ScatterND",
                  nd("div"),
                  {x, i64({0}, {1, 1}), f({7, 8, 9}, {1, 3})},
                  1,
                  ErrorCode::invalid_model,
                  "reduction"},
  });
}

TEST(TensorSelectTest, TopK) {
  const auto form = [](int64_t axis, int64_t largest) {
    return attributes({{"axis", axis}, {"largest", largest}, {"sorted", int64_t{1}}});
  };
  const Tensor x = f({1, 5, 5, 2, 9, 0}, {2, 3});
  check({
      {"rows",
       "TopK",
       form(-1, 1),
       {x, i64({2})},
       {f({5, 5, 9, 2}, {2, 2}), i64({1, 2, 1, 0}, {2, 2})}},
      {"smallest", "TopK", form(1, 0), {x, i64({1})}, {f({1, 0}, {2, 1}), i64({0, 2}, {2, 1})}},
      {"columns",
       "TopK",
       form(0, 1),
       {x, i64({1})},
       {f({2, 9, 5}, {1, 3}), i64({1, 1, 0}, {1, 3})}},
      {"none", "TopK", form(1, 1), {x, i64({0})}, {f({}, {2, 0}), i64({}, {2, 0})}},
      {"half",
       "TopK",
       form(-1, 1),
       {x.half(), i64({1})},
       {f({5, 9}, {2, 1}).half(), i64({1, 1}, {2, 1})}},
  });
  check({RefusalCase{
      "too many", "TopK", form(1, 1), {x, i64({4})}, 2, ErrorCode::invalid_model, "K is 4"}});
}

TEST(TensorSelectTest, MarksAndTriangles) {
  const auto axis = [](int64_t value) { return attributes({{"axis", value}}); };
  const auto upper = [](int64_t value) { return attributes({{"upper", value}}); };
  const Tensor square = f({1, 2, 3, 4, 5, 6, 7, 8, 9}, {3, 3});
  const Tensor yes_no = f({1, 0, 1}, {3}).to(boolean);
  check({
      {"last axis",
       "OneHot",
       axis(-1),
       {i64({0, 2, -1, 7}), Tensor::scalar(int64_t{3}), f({0, 5}, {2})},
       {f({5, 0, 0, 0, 0, 5, 0, 0, 5, 0, 0, 0}, {4, 3})}},
      {"no index",
       "OneHot",
       axis(-1),
       {f({std::numeric_limits<float>::quiet_NaN(), 1e30f, 1}, {3}), i64({2}), f({0, 1}, {2})},
       {f({1, 0, 0, 0, 0, 1}, {3, 2})}},
      {"first axis",
       "OneHot",
       axis(0),
       {i64({1, 0}), i64({2}), f({0, 1}, {2})},
       {f({0, 1, 1, 0}, {2, 2})}},
      {"rows", "Compress", axis(0), {square, yes_no}, {f({1, 2, 3, 7, 8, 9}, {2, 3})}},
      {"flat", "Compress", {}, {square, yes_no}, {f({1, 3}, {2})}},
      {"upper", "Trilu", upper(1), {square}, {f({1, 2, 3, 0, 5, 6, 0, 0, 9}, {3, 3})}},
      {"lower",
       "Trilu",
       upper(0),
       {square, Tensor::scalar(int64_t{-1})},
       {f({0, 0, 0, 4, 0, 0, 7, 8, 0}, {3, 3})}},
      {"far away",
       "Trilu",
       upper(1),
       {square, Tensor::scalar(int64_t{INT64_MAX})},
       {Tensor::zeros({3, 3})}},
      {"eye",
       "EyeLike",
       attributes({{"k", int64_t{1}}}),
       {f({0, 0, 0, 0, 0, 0}, {2, 3})},
       {f({0, 1, 0, 0, 0, 1}, {2, 3})}},
      {"eye of another type",
       "EyeLike",
       attributes({{"k", int64_t{0}}, {"dtype", int64_t{7}}}),
       {f({0, 0}, {1, 2})},
       {i64({1, 0}, {1, 2})}},
  });
}

TEST(TensorSelectTest, BlocksAndSequences) {
  const auto block = [](const char* mode) {
    return attributes({{"blocksize", int64_t{2}}, {"mode", std::string(mode)}});
  };
  const Tensor deep = f({0, 1, 2, 3, 4, 5, 6, 7}, {1, 8, 1, 1});
  const Attributes time_first = attributes({{"batch_axis", int64_t{1}}, {"time_axis", int64_t{0}}});
  check({
      {"depth first",
       "DepthToSpace",
       block("DCR"),
       {deep},
       {f({0, 2, 4, 6, 1, 3, 5, 7}, {1, 2, 2, 2})}},
      {"column first",
       "DepthToSpace",
       block("CRD"),
       {deep},
       {f({0, 1, 2, 3, 4, 5, 6, 7}, {1, 2, 2, 2})}},
      {"back",
       "SpaceToDepth",
       attributes({{"blocksize", int64_t{2}}}),
       {f({0, 2, 4, 6, 1, 3, 5, 7}, {1, 2, 2, 2})},
       {deep}},
      {"reversed",
       "ReverseSequence",
       time_first,
       {f({1, 2, 3, 4, 5, 6}, {3, 2}), i64({3, 2})},
       {f({5, 4, 3, 2, 1, 6}, {3, 2})}},
  });
  check({
      RefusalCase{"channels",
                  "DepthToSpace",
                  block("DCR"),
                  {Tensor::zeros({1, 3, 1, 1})},
                  1,
                  ErrorCode::invalid_model,
                  "multiple"},
      RefusalCase{"lengths",
                  "ReverseSequence",
                  time_first,
                  {Tensor::zeros({3, 1}), i64({4})},
                  1,
                  ErrorCode::runtime,
                  "sequence_lens"},
  });
}

}  // namespace
}  // namespace ferry::test
