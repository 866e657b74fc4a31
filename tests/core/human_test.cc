#include "core/human.h"

#include <gtest/gtest.h>

namespace ferry {
namespace {

TEST(Human, Bytes) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(1023), "1023 B");
  EXPECT_EQ(human_bytes(1024), "1.0 KiB");
  EXPECT_EQ(human_bytes(int64_t{7} << 30), "7.0 GiB");
}

TEST(Human, Seconds) {
  EXPECT_EQ(human_seconds(0), "0 ns");
  EXPECT_EQ(human_seconds(7.56e-8), "75.6 ns");
  EXPECT_EQ(human_seconds(9.996e-7), "1 us");
  EXPECT_EQ(human_seconds(3.4912e-6), "3.49 us");
  EXPECT_EQ(human_seconds(1.42e-3), "1.42 ms");
  EXPECT_EQ(human_seconds(2.1), "2.1 s");
}

}  // namespace
}  // namespace ferry
