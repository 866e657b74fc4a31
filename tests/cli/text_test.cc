#include "cli/text.h"

#include <gtest/gtest.h>

namespace ferry::cli {
namespace {

TEST(ShortenNames, CutsTheLongestWordInTheMiddle) {
  struct Case {
    const char* text;
    size_t width;
    const char* shown;
  };
  const Case cases[] = {
      {"h2d  3.0 MiB  /encoder/layer.0/attention/query/MatMul -> /y\n", 0,
       "h2d  3.0 MiB  /encoder/layer.0/attention/query/MatMul -> /y\n"},
      {"h2d  3.0 MiB  /encoder/layer.0/attention/query/MatMul -> /y\n", 50,
       "h2d  3.0 MiB  /encoder/laye...n/query/MatMul -> /y\n"},
      {"two names /aaaaaaaaaaaaaaaaaaaaaaaaaaaa /bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n", 40,
       "two names /aaaaa...aaaaaaa /bbbbb...bbbbbbb\n"},
      {"short words are never cut, however narrow\n", 10,
       "short words are never cut, however narrow\n"},
      {"fits\nthis/line/is/longer/than/the/width\n", 20, "fits\nthis/lin...the/width\n"},
  };
  for (const Case& c : cases) {
    const std::string shown = shorten_names(c.text, c.width);
    EXPECT_EQ(shown, c.shown);
    EXPECT_EQ(shorten_names(shown, c.width), shown);
  }
}

TEST(ShortenNames, KeepsCharactersWhole) {
  const std::string name =
      "/\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9"
      "\u00e9";
  for (size_t width = 16; width < 34; ++width) {
    const std::string shown = shorten_names(name + "\n", width);
    for (size_t i = 0; i + 1 < shown.size(); ++i) {
      EXPECT_EQ(shown[i] == '\xc3', shown[i + 1] == '\xa9') << width;
    }
  }
}

}  // namespace
}  // namespace ferry::cli
