#include <gtest/gtest.h>

#include <limits>
#include <map>

#include "tests/support/kernel_harness.h"

namespace ferry::test {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
using Ints = std::vector<int64_t>;

Tensor f(std::vector<float> values, Shape shape) { return Tensor::from(values, std::move(shape)); }
Tensor f(std::vector<float> values) { return Tensor::from(values); }
Tensor i64(Ints values) { return Tensor::from(values); }
Tensor strings(std::vector<std::string> values) { return Tensor::from(values); }

Attributes flat(int64_t sorted = 1) { return attributes({{"sorted", sorted}}); }
Attributes along(int64_t axis, int64_t sorted = 1) {
  return attributes({{"axis", axis}, {"sorted", sorted}});
}

TEST(TensorUniqueTest, OfFewValues) {
  const Tensor x = f({2, 1, 1, 3, 4, 3});
  const Tensor rows = f({1, 0, 0, 1, 0, 0, 2, 3, 4}, {3, 3});
  check({
      {"sorted",
       "Unique",
       flat(),
       {x},
       {f({1, 2, 3, 4}), i64({1, 0, 3, 4}), i64({1, 0, 0, 2, 3, 2}), i64({2, 1, 2, 1})}},
      {"as they come",
       "Unique",
       flat(0),
       {x},
       {f({2, 1, 3, 4}), i64({0, 1, 3, 4}), i64({0, 1, 1, 2, 3, 2}), i64({1, 2, 2, 1})}},
      {"values alone", "Unique", flat(), {x}, {f({1, 2, 3, 4})}},
      {"counts alone", "Unique", flat(), {x}, {f({1, 2, 3, 4}), {}, {}, i64({2, 1, 2, 1})}},
      {"flattened", "Unique", flat(), {f({1, 2, 2, 1}, {2, 2})}, {f({1, 2})}},
      {"scalar", "Unique", flat(), {f({7}, {})}, {f({7}), i64({0}), i64({0}), i64({1})}},
      {"nothing",
       "Unique",
       flat(),
       {Tensor::empty({0, 3})},
       {Tensor::empty({0}), i64({}), i64({}), i64({})}},
      {"rows",
       "Unique",
       along(0),
       {rows},
       {f({1, 0, 0, 2, 3, 4}, {2, 3}), i64({0, 2}), i64({0, 0, 1}), i64({2, 1})}},
      {"columns",
       "Unique",
       along(-1),
       {rows},
       {f({0, 0, 1, 0, 0, 1, 3, 4, 2}, {3, 3}), i64({1, 2, 0}), i64({2, 0, 1}), i64({1, 1, 1})}},
      {"columns as they come",
       "Unique",
       along(1, 0),
       {f({3, 1, 3, 4, 1, 4}, {2, 3})},
       {f({3, 1, 4, 1}, {2, 2}), i64({0, 1}), i64({0, 1, 0}), i64({2, 1})}},
      {"rows of nothing",
       "Unique",
       along(0),
       {Tensor::empty({3, 0})},
       {Tensor::empty({1, 0}), i64({0}), i64({0, 0, 0}), i64({3})}},
      {"strings",
       "Unique",
       flat(),
       {strings({"b", "", "a", "b"})},
       {strings({"", "a", "b"}), i64({1, 2, 0}), i64({2, 0, 1, 2}), i64({1, 1, 2})}},
      {"NaN once and last, zero of either sign",
       "Unique",
       flat(),
       {f({kNaN, 0, kNaN, -0.0f, -1})},
       {f({-1, 0, kNaN}), i64({4, 1, 0}), i64({2, 1, 2, 1, 0}), i64({1, 2, 2})}},
      {"half", "Unique", flat(), {f({2, -1, 2}).half()}, {f({-1, 2}).half()}},
      {"bool", "Unique", flat(), {f({1, 0, 1}).to(boolean)}, {f({0, 1}).to(boolean)}},
      {"bytes",
       "Unique",
       flat(),
       {Tensor::from<uint8_t>({200, 3, 200})},
       {Tensor::from<uint8_t>({3, 200})}},
  });
}

TEST(TensorUniqueTest, AgreesWithAMap) {
  Random random;
  SCOPED_TRACE("seed " + std::to_string(random.seed()));
  Ints values;
  for (int i = 0; i < 500; ++i) values.push_back(random.integer(-40, 40));
  std::map<int64_t, Ints> places;  // in order
  for (size_t i = 0; i < values.size(); ++i) {
    places[values[i]].push_back(static_cast<int64_t>(i));
  }
  Ints unique, indices, inverse(values.size()), counts;
  for (const auto& [value, at] : places) {
    for (const int64_t i : at) inverse[i] = static_cast<int64_t>(unique.size());
    unique.push_back(value);
    indices.push_back(at.front());
    counts.push_back(static_cast<int64_t>(at.size()));
  }
  check({{"500 integers",
          "Unique",
          flat(),
          {i64(values)},
          {i64(unique), i64(indices), i64(inverse), i64(counts)}}});
}

TEST(TensorUniqueTest, Refusals) {
  const Tensor x = f({1, 1, 2});
  check({RefusalCase{"axis", "Unique", along(1), {x}, 1, ErrorCode::invalid_model, "axis 1"}});
  check_refused({
      {"declared values",
       {"Unique", flat(), {x}, {{float32, {3}}}},
       "output 0 has the shape [2], the model declares [3]"},
      {"declared counts",
       {"Unique", flat(), {x}, {{float32, {-1}}, {}, {}, {int64, {1}}}},
       "output 3 has the shape [2], the model declares [1]"},
      {"declared positions",
       {"NonZero", {}, {x}, {{int64, {1, 2}}}},
       "output 0 has the shape [1, 3], the model declares [1, 2]"},
      {"declared selection",
       {"Compress", {}, {x, x.to(boolean)}, {{float32, {2}}}},
       "output 0 has the shape [3], the model declares [2]"},
  });
  const GivenNode declared{"Unique", flat(), {x}, {{float32, {2}}}};
  EXPECT_EQ(difference(run_given(Device::cpu(), declared)[0], f({1, 2}), kExact), "");
}

}  // namespace
}  // namespace ferry::test
