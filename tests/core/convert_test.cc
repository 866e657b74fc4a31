#include "core/convert.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "ferry/error.h"

namespace ferry {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

double through(DType dtype, double value, ConvertOptions options = {}) {
  uint64_t storage = 0;
  store_from_double(dtype, &storage, 0, value, options);
  return load_as_double(dtype, &storage, 0);
}

TEST(Convert, RoundsAndSaturatesEveryFormat) {
  struct Case {
    DType dtype;
    double in, saturated, unsaturated;
  };
  // From the tables of ONNX's Cast and of the OCP 8-bit floating point specification.
  const Case kCases[] = {
      {float16, 65519, 65504, 65504},
      {float16, 65520, kInf, kInf},
      {float16, 0x1p-25, 0, 0},
      {float16, 0x1.8p-25, 0x1p-24, 0x1p-24},
      {float16, 2049, 2048, 2048},
      {float16, 2051, 2052, 2052},
      {bfloat16, 257, 256, 256},
      {bfloat16, 259, 260, 260},
      {bfloat16, 3.4e38, kInf, kInf},
      {float8_e4m3fn, 448, 448, 448},
      {float8_e4m3fn, 464, 448, 448},
      {float8_e4m3fn, 465, 448, kNan},
      {float8_e4m3fn, kInf, 448, kNan},
      {float8_e4m3fn, 0x1p-10, 0, 0},
      {float8_e4m3fn, 0x1.8p-10, 0x1p-9, 0x1p-9},
      {float8_e4m3fnuz, 240, 240, 240},
      {float8_e4m3fnuz, 1000, 240, kNan},
      {float8_e4m3fnuz, -kInf, -240, kNan},
      {float8_e5m2, 57344, 57344, 57344},
      {float8_e5m2, 1e6, 57344, kInf},
      {float8_e5m2, -kInf, -57344, -kInf},
      {float8_e5m2fnuz, 1e6, 57344, kNan},
      {float4_e2m1, 5, 4, 4},
      {float4_e2m1, 100, 6, 6},
      {float4_e2m1, -0.25, -0.0, -0.0},
      {float4_e2m1, 0.75, 1, 1},
      {float4_e2m1, kInf, 6, 6},
  };
  for (const Case& c : kCases) {
    const double saturated = through(c.dtype, c.in);
    const double unsaturated = through(c.dtype, c.in, {.saturate = false});
    EXPECT_TRUE(saturated == c.saturated || (std::isnan(saturated) && std::isnan(c.saturated)))
        << to_string(c.dtype) << " " << c.in << " gives " << saturated;
    EXPECT_TRUE(unsaturated == c.unsaturated ||
                (std::isnan(unsaturated) && std::isnan(c.unsaturated)))
        << to_string(c.dtype) << " " << c.in << " gives " << unsaturated;
  }
}

TEST(Convert, EveryCodeOfASmallFormatIsAFixedPoint) {
  for (const DType dtype : {float16, bfloat16, float8_e4m3fn, float8_e4m3fnuz, float8_e5m2,
                            float8_e5m2fnuz, float8_e8m0, float4_e2m1}) {
    const int codes = 1 << dtype_bits(dtype);
    for (int code = 0; code < codes; ++code) {
      const uint16_t bits = static_cast<uint16_t>(code);
      const double value = load_as_double(dtype, &bits, 0);
      uint16_t again = 0;
      store_from_double(dtype, &again, 0, value, {.saturate = false});
      if (std::isnan(value)) {
        EXPECT_TRUE(std::isnan(load_as_double(dtype, &again, 0))) << to_string(dtype) << code;
      } else {
        EXPECT_EQ(again, bits) << to_string(dtype) << " code " << code << " value " << value;
      }
    }
  }
}

TEST(Convert, FastHalfPathsEqualTheGeneralOnes) {
  for (int code = 0; code < 1 << 16; ++code) {
    const auto bits = static_cast<uint16_t>(code);
    const float fast = half_to_float(bits);
    const double slow = load_as_double(float16, &bits, 0);
    ASSERT_TRUE(fast == slow || (std::isnan(fast) && std::isnan(slow))) << code;
    if (!std::isnan(fast)) {
      ASSERT_EQ(float_to_half(fast), bits);
    }
  }
  // Every 4099th float: a prime step, so that all exponents and low bits occur.
  for (uint64_t i = 0; i < (uint64_t{1} << 32); i += 4099 * 16) {
    const float value = __builtin_bit_cast(float, static_cast<uint32_t>(i));
    if (std::isnan(value)) continue;
    uint16_t half = 0, brain = 0;
    store_from_double(float16, &half, 0, value);
    store_from_double(bfloat16, &brain, 0, value);
    ASSERT_EQ(float_to_half(value), half) << value;
    ASSERT_EQ(float_to_bfloat16(value), brain) << value;
  }
}

TEST(Convert, E8M0Rounds) {
  const auto with = [](RoundMode mode) { return ConvertOptions{.e8m0_round = mode}; };
  EXPECT_EQ(through(float8_e8m0, 1.5, with(RoundMode::up)), 2);
  EXPECT_EQ(through(float8_e8m0, 1.5, with(RoundMode::down)), 1);
  EXPECT_EQ(through(float8_e8m0, 1.25, with(RoundMode::nearest)), 1);
  EXPECT_EQ(through(float8_e8m0, 1.5, with(RoundMode::nearest)), 2);
  EXPECT_EQ(through(float8_e8m0, 4, with(RoundMode::up)), 4);
}

TEST(Convert, FloatsToIntegersAreDefinedEverywhere) {
  struct Case {
    double in;
    DType to;
    double out;
  };
  const Case kCases[] = {
      {2.9, int32, 2},
      {-2.9, int32, -2},
      {kNan, int64, 0},
      {1e30, int64, 9223372036854775807.0},
      {-1e30, int64, -9223372036854775808.0},
      {300, uint8, 44},
      {1.8446744073709552e19, uint64, 1.8446744073709552e19},
      {kNan, boolean, 1},
      {0.0, boolean, 0},
      {-7, int4, -7},
  };
  for (const Case& c : kCases) {
    EXPECT_EQ(through(c.to, c.in), c.out) << c.in << " to " << to_string(c.to);
  }
}

TEST(Convert, IntegersKeepTheirLowBits) {
  const std::vector<int64_t> in{-1, 255, 256, INT64_MIN, 7};
  std::vector<uint8_t> bytes(in.size());
  convert(int64, in.data(), uint8, bytes.data(), 5);
  EXPECT_EQ(bytes, (std::vector<uint8_t>{255, 255, 0, 0, 7}));
  uint8_t packed[3] = {};
  convert(int64, in.data(), int4, packed, 5);
  EXPECT_EQ(packed[0], 0xff);
  EXPECT_EQ(packed[1], 0x00);
  EXPECT_EQ(packed[2], 0x07);
  const uint64_t big = UINT64_MAX;
  float as_float = 0;
  convert(uint64, &big, float32, &as_float, 1);
  EXPECT_EQ(as_float, 1.8446744073709552e19f);
}

TEST(Convert, RefusesStringsAndComplex) {
  EXPECT_FALSE(can_convert(DType::string, float32));
  EXPECT_FALSE(can_convert(float32, complex64));
  float in = 0;
  double out[2];
  EXPECT_THROW(convert(float32, &in, complex64, out, 1), Error);
}

}  // namespace
}  // namespace ferry
