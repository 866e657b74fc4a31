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

TEST(Human, BytesFromText) {
  const std::pair<const char*, std::optional<int64_t>> cases[] = {
      {"0", 0},
      {"512", 512},
      {"512B", 512},
      {"3 KiB", 3072},
      {"80GiB", int64_t{80} << 30},
      {"2TiB", int64_t{2} << 40},
      {"9223372036854775807", INT64_MAX},
      {"8388607TiB", int64_t{8388607} << 40},
      {"8388608TiB", std::nullopt},
      {"9223372036854775808", std::nullopt},
      {"", std::nullopt},
      {"GiB", std::nullopt},
      {"-1", std::nullopt},
      {"+1", std::nullopt},
      {"1.5GiB", std::nullopt},
      {"80GB", std::nullopt},
      {"80 ", std::nullopt},
      {"80  GiB", std::nullopt},
      {"80gib", std::nullopt},
  };
  for (const auto& [text, bytes] : cases) EXPECT_EQ(bytes_from_text(text), bytes) << text;
}

TEST(Human, PrintableMovesNoCursor) {
  EXPECT_EQ(printable("caf\xc3\xa9 \x1b[2J\n\x7f"), "caf\xc3\xa9 \\x1b[2J\\x0a\\x7f");
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
