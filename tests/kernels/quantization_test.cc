#include <gtest/gtest.h>

#include "tests/support/kernel_harness.h"

namespace ferry::test {
namespace {

using Ints = std::vector<int64_t>;
Tensor f(std::vector<float> values, Shape shape) { return Tensor::from(values, std::move(shape)); }
Tensor u8(std::vector<uint8_t> values, Shape shape) {
  return Tensor::from(values, std::move(shape));
}
Tensor i8(std::vector<int8_t> values, Shape shape) {
  return Tensor::from(values, std::move(shape));
}
Tensor i32(std::vector<int32_t> values, Shape shape) {
  return Tensor::from(values, std::move(shape));
}
Tensor scalar(float value) { return Tensor::scalar(value); }

Attributes quantize(int64_t axis = 1, int64_t block = 0, int64_t dtype = 0) {
  return attributes({{"axis", axis},
                     {"block_size", block},
                     {"output_dtype", dtype},
                     {"precision", int64_t{0}},
                     {"saturate", int64_t{1}}});
}
Attributes dequantize(int64_t axis = 1, int64_t block = 0) {
  return attributes({{"axis", axis}, {"block_size", block}, {"output_dtype", int64_t{0}}});
}

TEST(QuantizationTest, QuantizeAndDequantize) {
  const Tensor x = f({-1, 0, 1.5f, 2.5f, 1000}, {5});
  check({
      {"halves to even",
       "QuantizeLinear",
       quantize(),
       {x, scalar(1), Tensor::scalar(uint8_t{10})},
       {u8({9, 10, 12, 12, 255}, {5})}},
      {"uint8 without a zero point",
       "QuantizeLinear",
       quantize(),
       {x, scalar(0.5f)},
       {u8({0, 0, 3, 5, 255}, {5})}},
      {"by dtype",
       "QuantizeLinear",
       quantize(1, 0, static_cast<int64_t>(int8)),
       {x, scalar(0.5f)},
       {i8({-2, 0, 3, 5, 127}, {5})}},
      {"axis",
       "QuantizeLinear",
       quantize(0),
       {f({1, 1, 1, 1}, {2, 2}), f({1, 0.5f}, {2}), u8({0, 1}, {2})},
       {u8({1, 1, 3, 3}, {2, 2})}},
      {"packed",
       "QuantizeLinear",
       quantize(1, 0, static_cast<int64_t>(int4)),
       {f({-9, 3, 9}, {3}), scalar(1)},
       {f({-8, 3, 7}, {3}).to(int4)}},
      {"float8",
       "QuantizeLinear",
       quantize(1, 0, static_cast<int64_t>(float8_e4m3fn)),
       {f({1, 1000}, {2}), scalar(2)},
       {f({0.5f, 448}, {2}).to(float8_e4m3fn)}},
      {"back",
       "DequantizeLinear",
       dequantize(),
       {u8({9, 10, 255}, {3}), scalar(0.5f), Tensor::scalar(uint8_t{10})},
       {f({-0.5f, 0, 122.5f}, {3})}},
      {"one scale in a list",
       "DequantizeLinear",
       dequantize(0),
       {i32({2, 4, 6}, {3}), f({0.5f}, {1}), i32({0}, {1})},
       {f({1, 2, 3}, {3})}},
      {"axis",
       "DequantizeLinear",
       dequantize(0),
       {i8({1, 2, 3, 4}, {2, 2}), f({1, 10}, {2})},
       {f({1, 2, 30, 40}, {2, 2})}},
      {"blocks",
       "DequantizeLinear",
       dequantize(1, 2),
       {i8({1, 2, 3, 4}, {1, 4}), f({1, 10}, {1, 2})},
       {f({1, 2, 30, 40}, {1, 4})}},
      {"to half",
       "DequantizeLinear",
       dequantize(),
       {i8({1, 2}, {2}), scalar(0.5f).half()},
       {f({0.5f, 1}, {2}).half()}},
      {"range",
       "DynamicQuantizeLinear",
       {},
       {f({0, 2, -3, -2.5f, 1.34f, 0.5f}, {6})},
       {u8({153, 255, 0, 26, 221, 179}, {6}), scalar(0.0196078438f), Tensor::scalar(uint8_t{153})},
       kRounded},
  });
  check({
      RefusalCase{"scales",
                  "QuantizeLinear",
                  quantize(0),
                  {f({1, 1}, {2, 1}), f({1, 1, 1}, {3})},
                  1,
                  ErrorCode::invalid_model,
                  "scales"},
      RefusalCase{"blocks",
                  "DequantizeLinear",
                  dequantize(1, 3),
                  {i8({1, 2, 3, 4}, {1, 4}), f({1, 10, 5}, {1, 3})},
                  1,
                  ErrorCode::invalid_model,
                  "blocks"},
      RefusalCase{"zero point",
                  "DequantizeLinear",
                  dequantize(),
                  {i8({1}, {1}), scalar(1), Tensor::scalar(uint8_t{0})},
                  1,
                  ErrorCode::invalid_model,
                  "int8"},
  });
}

TEST(QuantizationTest, Products) {
  const Attributes window = attributes({{"auto_pad", std::string("NOTSET")},
                                        {"dilations", Ints{}},
                                        {"group", int64_t{1}},
                                        {"kernel_shape", Ints{2}},
                                        {"pads", Ints{1, 0}},
                                        {"strides", Ints{}}});
  const Tensor a = u8({1, 2, 3, 4}, {2, 2}), b = i8({5, -6, 7, 8}, {2, 2});
  const Tensor line = u8({1, 2, 3}, {1, 1, 3}), taps = u8({1, 10}, {1, 1, 2});
  const Tensor zero = Tensor::scalar(uint8_t{0});
  check({
      {"plain", "MatMulInteger", {}, {a, b}, {i32({19, 10, 43, 14}, {2, 2})}},
      {"zero points",
       "MatMulInteger",
       {},
       {a, b, Tensor::scalar(uint8_t{1}), Tensor::scalar(int8_t{2})},
       {i32({5, 6, 21, 2}, {2, 2})}},
      {"a zero point a row",
       "MatMulInteger",
       {},
       {a, b, u8({1, 3}, {2})},
       {i32({7, 8, 7, 8}, {2, 2})}},
      {"a zero point a column",
       "MatMulInteger",
       {},
       {a, b, {}, i8({5, 0}, {2})},
       {i32({4, 10, 8, 14}, {2, 2})}},
      {"requantized",
       "QLinearMatMul",
       {},
       {a, scalar(0.5f), zero, b, scalar(2), Tensor::scalar(int8_t{0}), scalar(2),
        Tensor::scalar(uint8_t{1})},
       {u8({11, 6, 23, 8}, {2, 2})}},
      // The padding is the zero point: it adds nothing.
      {"padding",
       "ConvInteger",
       window,
       {line, taps, Tensor::scalar(uint8_t{1})},
       {i32({0, 10, 21}, {1, 1, 3})}},
      {"scales a channel, bias",
       "QLinearConv",
       window,
       {line, scalar(1), zero, u8({1, 10, 1, 1}, {2, 1, 2}), f({1, 0.5f}, {2}), u8({0, 0}, {2}),
        scalar(1), Tensor::scalar(uint8_t{3}), i32({0, 2}, {2})},
       {u8({13, 24, 35, 5, 5, 7}, {1, 2, 3})}},
  });
  check({
      RefusalCase{"inner sizes",
                  "MatMulInteger",
                  {},
                  {a, i8({1}, {1, 1})},
                  1,
                  ErrorCode::invalid_model,
                  "inner sizes"},
      RefusalCase{"zero points",
                  "MatMulInteger",
                  {},
                  {a, b, u8({1, 2, 3}, {3})},
                  1,
                  ErrorCode::invalid_model,
                  "3 elements"},
  });
}

}  // namespace
}  // namespace ferry::test
