#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "tests/support/kernel_harness.h"

namespace ferry::test {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

Tensor f(std::vector<float> values) { return Tensor::from(values); }
Tensor i32(std::vector<int32_t> values) { return Tensor::from(values); }
Tensor strings(std::vector<std::string> values) { return Tensor::from(values); }
Tensor b(std::vector<int> values, Shape shape = {}) {
  if (shape.empty()) shape = {static_cast<int64_t>(values.size())};
  Tensor result = Tensor::empty(shape, boolean);
  for (size_t i = 0; i < values.size(); ++i) {
    static_cast<bool*>(result.mutable_data())[i] = values[i] != 0;
  }
  return result;
}

// A bool that comes from a file or a caller may be any byte.
Tensor bool_bytes(std::vector<uint8_t> bytes) {
  Tensor result = Tensor::empty({static_cast<int64_t>(bytes.size())}, boolean);
  std::copy(bytes.begin(), bytes.end(), static_cast<uint8_t*>(result.mutable_data()));
  return result;
}

TEST(LogicalTest, AnyByteButZeroIsTrue) {
  const Tensor bytes = bool_bytes({2, 0, 255, 1}), ones = b({1, 1, 1, 1});
  const Attributes axis = attributes({{"axis", int64_t{0}}});
  check({
      {"not", "Not", {}, {bytes}, {b({0, 1, 0, 0})}},
      {"where", "Where", {}, {bytes, f({1, 2, 3, 4}), f({5, 6, 7, 8})}, {f({1, 6, 3, 4})}},
      {"compress", "Compress", axis, {f({1, 2, 3, 4}), bytes}, {f({1, 3, 4})}},
  });
  for (const auto& [op, expected] :
       {std::pair("And", b({1, 0, 1, 1})), std::pair("Xor", b({0, 1, 0, 0})),
        std::pair("Equal", b({1, 0, 1, 1}))}) {
    const Tensor got = run_node(Device::cpu(), op, {}, {bytes, ones}, 1)[0];
    EXPECT_EQ(difference(got, expected, kExact), "") << op;
  }
}

TEST(LogicalTest, Comparisons) {
  check({
      {"floats", "Equal", {}, {f({1, 2, kNaN}), f({1, 3, kNaN})}, {b({1, 0, 0})}},
      {"strings", "Equal", {}, {strings({"a", "b"}), strings({"a"})}, {b({1, 0})}},
      {"bools", "Equal", {}, {b({1, 0}), b({1, 1})}, {b({1, 0})}},
      {"half", "Equal", {}, {f({1, 2}).half(), f({1, 3}).half()}, {b({1, 0})}},
      {"broadcast", "Greater", {}, {i32({1, 2, 3}), i32({2})}, {b({0, 0, 1})}},
      {"scalar first", "Less", {}, {i32({2}), i32({1, 2, 3})}, {b({0, 0, 1})}},
      {"equal", "GreaterOrEqual", {}, {f({1, 2, kNaN}), f({2, 2, 0})}, {b({0, 1, 0})}},
      {"equal", "LessOrEqual", {}, {f({1, 2, kNaN}), f({2, 2, 0})}, {b({1, 1, 0})}},
      {"large unsigned",
       "Less",
       {},
       {Tensor::from<uint64_t>({1, UINT64_MAX}), Tensor::from<uint64_t>({2})},
       {b({1, 0})}},
  });
  check({
      RefusalCase{"bools have no order",
                  "Less",
                  {},
                  {b({1}), b({0})},
                  1,
                  ErrorCode::invalid_model,
                  "input 0 is bool"},
      RefusalCase{"two types",
                  "Equal",
                  {},
                  {f({1}), i32({1})},
                  1,
                  ErrorCode::invalid_model,
                  "expected float32"},
  });
}

TEST(LogicalTest, BooleanAlgebra) {
  check({
      {"table", "And", {}, {b({0, 0, 1, 1}), b({0, 1, 0, 1})}, {b({0, 0, 0, 1})}},
      {"table", "Or", {}, {b({0, 0, 1, 1}), b({0, 1, 0, 1})}, {b({0, 1, 1, 1})}},
      {"broadcast", "Or", {}, {b({0, 1}, {2, 1}), b({0, 1})}, {b({0, 1, 1, 1}, {2, 2})}},
      {"table", "Not", {}, {b({0, 1})}, {b({1, 0})}},
  });
  check({RefusalCase{"numbers",
                     "And",
                     {},
                     {f({1}), f({1})},
                     1,
                     ErrorCode::invalid_model,
                     "expected one of bool"}});
}

TEST(LogicalTest, Where) {
  check({
      {"same shapes", "Where", {}, {b({1, 0, 1}), f({1, 2, 3}), f({4, 5, 6})}, {f({1, 5, 3})}},
      {"all broadcast",
       "Where",
       {},
       {b({1, 0}, {2, 1}), f({1, 2}), Tensor::scalar(9.0f)},
       {Tensor::from<float>({1, 2, 9, 9}, {2, 2})}},
      {"strings",
       "Where",
       {},
       {b({0, 1}), strings({"a", "b"}), strings({"c"})},
       {strings({"c", "b"})}},
      {"bytes",
       "Where",
       {},
       {b({0, 1}), Tensor::from<uint8_t>({1, 2}), Tensor::from<uint8_t>({3})},
       {Tensor::from<uint8_t>({3, 2})}},
  });
  check({RefusalCase{"branches",
                     "Where",
                     {},
                     {b({1}), f({1}), i32({1})},
                     1,
                     ErrorCode::invalid_model,
                     "input 2 is int32"}});
}

}  // namespace
}  // namespace ferry::test
