#include "placement/report/json_writer.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

namespace ferry {
namespace {

TEST(JsonWriter, EscapesWhatAModelMayBeNamed) {
  struct Case {
    std::string text, json;
  };
  const Case cases[] = {
      {"plain", R"("plain")"},
      {"a\"b\\c", R"("a\"b\\c")"},
      {"line\nend\ttab", R"("line\nend\u0009tab")"},
      {"</script>", R"("\u003c/script>")"},
      {"\u2028\u2029", R"("\u2028\u2029")"},
      {"héllo 🙂", "\"héllo 🙂\""},
      {"\xff", R"("\ufffd")"},
      {"cut \xe2\x82", R"("cut \ufffd\ufffd")"},
      {"overlong \xc0\xaf", R"("overlong \ufffd\ufffd")"},
      {"surrogate \xed\xa0\x80", R"("surrogate \ufffd\ufffd\ufffd")"},
      {std::string("\0nul", 4), R"("\u0000nul")"},
      {"\x1b[31m\x7f", R"("\u001b[31m\u007f")"},
  };
  for (const Case& c : cases) {
    JsonWriter json(JsonWriter::Form::compact);
    json.value(c.text);
    const std::string text = std::move(json).text();
    EXPECT_EQ(text, c.json);
    EXPECT_TRUE(nlohmann::json::accept(text)) << text;
  }
}

TEST(JsonWriter, NestsInEitherForm) {
  const auto write = [](JsonWriter::Form form) {
    JsonWriter json(form);
    json.begin_object();
    json.member("empty", std::vector<std::string>{});
    json.member("numbers", std::vector<int64_t>{1, -2});
    json.key("list");
    json.begin_array();
    json.value(true);
    json.value(0.25);
    json.value(std::numeric_limits<double>::infinity());
    json.raw("{\"raw\":1}");
    json.end_array();
    json.member("last", uint8_t{7});
    json.end_object();
    return std::move(json).text();
  };
  EXPECT_EQ(write(JsonWriter::Form::compact),
            R"({"empty":[],"numbers":[1, -2],"list":[true,0.25,null,{"raw":1}],"last":7})");
  EXPECT_EQ(write(JsonWriter::Form::lines), R"({
  "empty": [],
  "numbers": [1, -2],
  "list": [
    true,
    0.25,
    null,
    {"raw":1}
  ],
  "last": 7
})");
}

}  // namespace
}  // namespace ferry
