#include "graph/dim.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ferry/error.h"

namespace ferry {
namespace {

const Dim kBatch = Dim::symbol("batch"), kSeq = Dim::symbol("seq");

TEST(Dim, PrintsOneNormalForm) {
  struct Case {
    Dim dim;
    const char* text;
  };
  const Case kCases[] = {
      {Dim(3) + Dim(4), "7"},
      {kSeq + Dim(1) + kSeq, "2*seq + 1"},
      {kSeq * kBatch, "batch*seq"},
      {kBatch * kSeq - kSeq * kBatch, "0"},
      {(kBatch + Dim(1)) * (kBatch - Dim(1)), "batch*batch - 1"},
      {Dim(-1) * kSeq, "-seq"},
      {floor_div(Dim(4) * kSeq, Dim(2)), "2*seq"},
      {floor_div(kSeq + Dim(1), Dim(2)), "floor((seq + 1)/2)"},
      {floor_div(Dim(2) * kSeq + Dim(5), Dim(2)), "seq + 2"},
      {floor_div(kBatch * kSeq, kSeq), "batch"},
      {floor_div(kSeq, kSeq), "1"},
      {floor_div(Dim(-7), Dim(2)), "-4"},
      {ceil_div(Dim(7), Dim(2)), "4"},
      {ceil_div(Dim(-7), Dim(2)), "-3"},
      {min(Dim(3), Dim(5)), "3"},
      {max(kSeq, Dim(1)), "max(seq, 1)"},
      {floor_div(kSeq, Dim(0)), "?"},
      {Dim() + Dim(1), "?"},
      {Dim(INT64_MAX) * kSeq * Dim(2), "?"},
  };
  for (const Case& c : kCases) EXPECT_EQ(c.dim.str(), c.text);
}

TEST(Dim, NumbersThatOverflowAreRefused) {
  for (const auto& overflow :
       {+[] { return Dim(INT64_MAX) + Dim(1); }, +[] { return Dim(INT64_MIN) - Dim(1); },
        +[] { return Dim(INT64_MAX) * Dim(2); }}) {
    try {
      overflow();
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_model);
      EXPECT_THAT(error.what(), ::testing::HasSubstr("does not fit into 64 bits"));
    }
  }
  EXPECT_EQ(floor_div(Dim(INT64_MIN), Dim(-1)).str(), "?");
}

// A size is followed as long as it is short: neither time nor text grow without bound.
TEST(Dim, LongExpressionsAreUnknown) {
  Dim nested = kSeq;
  for (int i = 0; i < 30; ++i) nested = floor_div(nested * nested + Dim(1), Dim(3));
  EXPECT_TRUE(nested.is_unknown());
  Dim sum = kSeq, power = kSeq;
  for (int i = 0; i < 100; ++i) {
    sum = sum + Dim::symbol("s" + std::to_string(i));
    power = power * power;
  }
  EXPECT_TRUE(sum.is_unknown());
  EXPECT_TRUE(power.is_unknown());
  Dim strided = kSeq;  // a tower of convolutions
  for (int i = 0; i < 64; ++i) strided = floor_div(strided - Dim(1), Dim(2)) + Dim(1);
  EXPECT_TRUE(strided.is_symbolic());
}

TEST(Dim, EqualityIsOfTheNormalForm) {
  EXPECT_EQ(kSeq + kBatch, kBatch + kSeq);
  EXPECT_EQ(floor_div(kSeq + Dim(3), Dim(2)), floor_div(kSeq + Dim(3), Dim(2)));
  EXPECT_FALSE(kSeq == kBatch);
  EXPECT_FALSE(Dim() == Dim());
  EXPECT_EQ(Dim(3), Dim(1) + Dim(2));
}

TEST(Dim, Evaluates) {
  const std::map<std::string, int64_t> symbols{{"batch", 2}, {"seq", 7}};
  EXPECT_EQ((kBatch * kSeq + Dim(1)).evaluate(symbols), 15);
  EXPECT_EQ(floor_div(kSeq, Dim(2)).evaluate(symbols), 3);
  EXPECT_EQ(ceil_div(kSeq, Dim(2)).evaluate(symbols), 4);
  EXPECT_EQ(max(kSeq, kBatch * Dim(10)).evaluate(symbols), 20);
  EXPECT_EQ(Dim::symbol("other").evaluate(symbols), std::nullopt);
  EXPECT_EQ((Dim(INT64_MAX) * kSeq).evaluate(symbols), std::nullopt);
  EXPECT_EQ(Dim().evaluate(symbols), std::nullopt);
}

}  // namespace
}  // namespace ferry
