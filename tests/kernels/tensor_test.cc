#include <gtest/gtest.h>

#include "tests/support/kernel_harness.h"

namespace ferry::test {
namespace {

using Ints = std::vector<int64_t>;

Tensor f(std::vector<float> values, Shape shape) { return Tensor::from(values, std::move(shape)); }
Tensor i64(Ints values) { return Tensor::from(values); }

TEST(TensorTest, Views) {
  const Tensor x = f({1, 2, 3, 4, 5, 6}, {2, 3});
  const Attributes plain = attributes({{"allowzero", int64_t{0}}});
  check({
      {"same", "Identity", {}, {x}, {x}},
      {"sizes", "Reshape", plain, {x, i64({3, 2})}, {f({1, 2, 3, 4, 5, 6}, {3, 2})}},
      {"-1", "Reshape", plain, {x, i64({-1})}, {f({1, 2, 3, 4, 5, 6}, {6})}},
      {"0 copies", "Reshape", plain, {x, i64({0, 1, -1})}, {f({1, 2, 3, 4, 5, 6}, {2, 1, 3})}},
      {"axis 1",
       "Flatten",
       attributes({{"axis", int64_t{1}}}),
       {f({1, 2, 3, 4}, {2, 1, 2})},
       {f({1, 2, 3, 4}, {2, 2})}},
      {"axis 0",
       "Flatten",
       attributes({{"axis", int64_t{0}}}),
       {x},
       {f({1, 2, 3, 4, 5, 6}, {1, 6})}},
      {"axes", "Squeeze", {}, {f({1, 2}, {1, 2, 1}), i64({0})}, {f({1, 2}, {2, 1})}},
      {"all", "Squeeze", {}, {f({1, 2}, {1, 2, 1})}, {f({1, 2}, {2})}},
      {"axes", "Unsqueeze", {}, {f({1, 2}, {2}), i64({0, -1})}, {f({1, 2}, {1, 2, 1})}},
  });
  check({
      RefusalCase{
          "elements", "Reshape", plain, {x, i64({4})}, 1, ErrorCode::invalid_model, "elements"},
      RefusalCase{
          "two -1", "Reshape", plain, {x, i64({-1, -1})}, 1, ErrorCode::invalid_model, "twice"},
      RefusalCase{"size", "Squeeze", {}, {x, i64({0})}, 1, ErrorCode::invalid_model, "not 1"},
      RefusalCase{"axis", "Unsqueeze", {}, {x, i64({0, 0})}, 1, ErrorCode::invalid_model, "twice"},
  });
}

TEST(TensorTest, TransposeAgreesWithTheDefinition) {
  Random random;
  SCOPED_TRACE("seed " + std::to_string(random.seed()));
  std::vector<KernelCase> cases;
  for (int round = 0; round < 40; ++round) {
    const int64_t rank = random.integer(0, 5);
    Shape shape = random.shape(rank, round % 8 == 0 ? 17 : 4);
    Ints perm;
    for (int64_t i = 0; i < rank; ++i) perm.insert(perm.begin() + random.integer(0, i), i);
    const DType dtype = std::vector<DType>{float32, float64, uint8, int16}[round % 4];
    const Tensor x = random.tensor(shape, dtype, 0, 100);
    Shape result(rank);
    for (int64_t i = 0; i < rank; ++i) result[i] = shape[perm[i]];
    Tensor y = Tensor::empty(result, dtype);
    const size_t bytes = dtype_bytes(dtype, 1);
    Shape strides(rank);
    int64_t stride = 1;
    for (int64_t i = rank; i-- > 0;) {
      strides[i] = stride;
      stride *= shape[i];
    }
    for (int64_t i = 0; i < y.numel(); ++i) {
      int64_t rest = i, from = 0;
      for (int64_t k = rank; k-- > 0;) {
        from += rest % result[k] * strides[perm[k]];
        rest /= result[k];
      }
      std::copy_n(static_cast<const std::byte*>(x.data()) + from * bytes, bytes,
                  static_cast<std::byte*>(y.mutable_data()) + i * bytes);
    }
    cases.push_back(
        {text(shape) + " perm " + text(perm), "Transpose", attributes({{"perm", perm}}), {x}, {y}});
  }
  cases.push_back({"reversed",
                   "Transpose",
                   attributes({{"perm", Ints{}}}),
                   {f({1, 2, 3, 4, 5, 6}, {2, 3})},
                   {f({1, 4, 2, 5, 3, 6}, {3, 2})}});
  cases.push_back({"strings",
                   "Transpose",
                   attributes({{"perm", Ints{1, 0}}}),
                   {Tensor::from<std::string>({"a", "b", "c", "d"}, {2, 2})},
                   {Tensor::from<std::string>({"a", "c", "b", "d"}, {2, 2})}});
  check(cases);
  check({RefusalCase{"perm",
                     "Transpose",
                     attributes({{"perm", Ints{0}}}),
                     {f({1, 2}, {1, 2})},
                     1,
                     ErrorCode::invalid_model,
                     "perm"}});
}

TEST(TensorTest, ConcatAndSplit) {
  const auto along = [](int64_t axis) { return attributes({{"axis", axis}}); };
  const auto split = [](int64_t axis, int64_t outputs) {
    return attributes({{"axis", axis}, {"num_outputs", outputs}});
  };
  check({
      {"rows",
       "Concat",
       along(0),
       {f({1, 2}, {1, 2}), f({3, 4, 5, 6}, {2, 2})},
       {f({1, 2, 3, 4, 5, 6}, {3, 2})}},
      {"columns",
       "Concat",
       along(-1),
       {f({1, 2}, {2, 1}), f({3, 4, 5, 6}, {2, 2})},
       {f({1, 3, 4, 2, 5, 6}, {2, 3})}},
      {"nothing among them", "Concat", along(0), {f({}, {0, 1}), f({7}, {1, 1})}, {f({7}, {1, 1})}},
      {"strings",
       "Concat",
       along(0),
       {Tensor::from<std::string>({"a"}), Tensor::from<std::string>({"bc"})},
       {Tensor::from<std::string>({"a", "bc"})}},
      {"equal",
       "Split",
       split(1, 2),
       {f({1, 2, 3, 4}, {1, 4})},
       {f({1, 2}, {1, 2}), f({3, 4}, {1, 2})}},
      {"last is smaller", "Split", split(0, 2), {f({1, 2, 3}, {3})}, {f({1, 2}, {2}), f({3}, {1})}},
      {"sizes",
       "Split",
       split(0, 3),
       {f({1, 2, 3}, {3}), i64({1, 0, 2})},
       {f({1}, {1}), f({}, {0}), f({2, 3}, {2})}},
  });
  check({
      RefusalCase{"ranks",
                  "Concat",
                  along(0),
                  {f({1}, {1}), f({1}, {1, 1})},
                  1,
                  ErrorCode::invalid_model,
                  "axes"},
      RefusalCase{"sizes",
                  "Concat",
                  along(0),
                  {f({1, 2}, {1, 2}), f({1}, {1, 1})},
                  1,
                  ErrorCode::invalid_model,
                  "do not agree"},
      RefusalCase{"sum",
                  "Split",
                  split(0, 2),
                  {f({1, 2, 3}, {3}), i64({1, 1})},
                  2,
                  ErrorCode::invalid_model,
                  "sum"},
  });
}

TEST(TensorTest, Slice) {
  const Tensor x = f({1, 2, 3, 4, 5, 6, 7, 8}, {2, 4});
  check({
      {"axes and steps",
       "Slice",
       {},
       {x, i64({1, 0}), i64({2, 3}), i64({0, 1}), i64({1, 2})},
       {f({5, 7}, {1, 2})}},
      {"default axes", "Slice", {}, {x, i64({0, 1}), i64({-1, 1000})}, {f({2, 3, 4}, {1, 3})}},
      {"backwards",
       "Slice",
       {},
       {x, i64({-1}), i64({INT64_MIN}), i64({1}), i64({-1})},
       {f({4, 3, 2, 1, 8, 7, 6, 5}, {2, 4})}},
      {"nothing", "Slice", {}, {x, i64({5}), i64({9}), i64({1})}, {f({}, {2, 0})}},
      {"huge step",
       "Slice",
       {},
       {x, i64({1}), i64({INT64_MAX}), i64({1}), i64({INT64_MAX})},
       {f({2, 6}, {2, 1})}},
      {"int32 bounds",
       "Slice",
       {},
       {x, Tensor::from<int32_t>({0}), Tensor::from<int32_t>({1})},
       {f({1, 2, 3, 4}, {1, 4})}},
  });
  check({
      RefusalCase{"step",
                  "Slice",
                  {},
                  {x, i64({0}), i64({1}), i64({0}), i64({0})},
                  1,
                  ErrorCode::invalid_model,
                  "step"},
      RefusalCase{"axis",
                  "Slice",
                  {},
                  {x, i64({0}), i64({1}), i64({2})},
                  1,
                  ErrorCode::invalid_model,
                  "axis 2"},
      RefusalCase{
          "counts", "Slice", {}, {x, i64({0, 0}), i64({1})}, 1, ErrorCode::invalid_model, "ends"},
  });
}

TEST(TensorTest, ExpandTilePad) {
  const auto mode = [](const std::string& name) { return attributes({{"mode", name}}); };
  const Tensor line = f({1, 2, 3}, {3});
  check({
      {"rows",
       "Expand",
       {},
       {f({1, 2}, {2, 1}), i64({3, 1, 2})},
       {f({1, 1, 2, 2, 1, 1, 2, 2, 1, 1, 2, 2}, {3, 2, 2})}},
      {"smaller", "Expand", {}, {f({1, 2}, {2}), i64({1})}, {f({1, 2}, {2})}},
      {"both axes",
       "Tile",
       {},
       {f({1, 2, 3, 4}, {2, 2}), i64({2, 2})},
       {f({1, 2, 1, 2, 3, 4, 3, 4, 1, 2, 1, 2, 3, 4, 3, 4}, {4, 4})}},
      {"none", "Tile", {}, {line, i64({0})}, {f({}, {0})}},
      {"constant",
       "Pad",
       mode("constant"),
       {line, i64({1, 2}), Tensor::scalar(9.0f)},
       {f({9, 1, 2, 3, 9, 9}, {6})}},
      {"zeros",
       "Pad",
       mode("constant"),
       {f({1, 2, 3, 4}, {2, 2}), i64({1, 0, 0, 1})},
       {f({0, 0, 0, 1, 2, 0, 3, 4, 0}, {3, 3})}},
      {"cut", "Pad", mode("constant"), {line, i64({-1, 1})}, {f({2, 3, 0}, {3})}},
      {"reflect", "Pad", mode("reflect"), {line, i64({2, 2})}, {f({3, 2, 1, 2, 3, 2, 1}, {7})}},
      {"edge", "Pad", mode("edge"), {line, i64({2, 1})}, {f({1, 1, 1, 2, 3, 3}, {6})}},
      {"wrap", "Pad", mode("wrap"), {line, i64({2, 4})}, {f({2, 3, 1, 2, 3, 1, 2, 3, 1}, {9})}},
      {"axes",
       "Pad",
       mode("constant"),
       {f({1, 2, 3, 4}, {2, 2}), i64({1, 0}), {}, i64({-1})},
       {f({0, 1, 2, 0, 3, 4}, {2, 3})}},
  });
  check({
      RefusalCase{
          "shapes", "Expand", {}, {line, i64({2})}, 1, ErrorCode::invalid_model, "broadcast"},
      RefusalCase{
          "repeats", "Tile", {}, {line, i64({-1})}, 1, ErrorCode::invalid_model, "negative"},
      RefusalCase{
          "pads", "Pad", mode("constant"), {line, i64({1})}, 1, ErrorCode::invalid_model, "pads"},
      RefusalCase{
          "mode", "Pad", mode("mirror"), {line, i64({1, 1})}, 1, ErrorCode::invalid_model, "mode"},
  });
}

}  // namespace
}  // namespace ferry::test
