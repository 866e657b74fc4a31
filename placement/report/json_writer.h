#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ferry {

// Writes JSON as it comes, since a report has some 100,000 members. Calls nest as the text does:
//
//   JsonWriter json(JsonWriter::Form::lines);
//   json.begin_object();
//   json.member("name", "x");
//   json.key("homes"); json.begin_array(); json.value("cpu"); json.end_array();
//   json.end_object();
//   std::string text = std::move(json).text();
//
// Strings that are not UTF-8 are written with U+FFFD for each byte that is not. '<', U+2028 and
// U+2029 are escaped, so that the text may stand in a <script>. Numbers that are not finite, which
// JSON has no words for, become null.
class JsonWriter {
 public:
  enum class Form : uint8_t { compact, lines };  // lines: indented by two

  explicit JsonWriter(Form form) : form_(form) {}

  void begin_object() { open('{'); }
  void end_object() { close('}'); }
  void begin_array() { open('['); }
  void end_array() { close(']'); }
  void key(std::string_view name);

  void value(std::string_view text);
  void value(const char* text) { value(std::string_view(text)); }
  void value(bool truth);
  void value(double number);
  void value(std::integral auto number) { integer(static_cast<int64_t>(number)); }
  void value(const std::vector<std::string>& items);
  void value(const std::vector<int64_t>& items);  // in one line in either form
  // JSON that is already written.
  void raw(std::string_view json);

  template <typename T>
  void member(std::string_view name, const T& item) {
    key(name);
    value(item);
  }

  std::string text() && { return std::move(out_); }

 private:
  void open(char bracket);
  void close(char bracket);
  void integer(int64_t number);
  void before_value();  // the comma and the line that come before a key or an element
  void new_line();
  void quote(std::string_view text);

  Form form_;
  std::string out_;
  size_t depth_ = 0;
  bool first_ = true;  // nothing stands yet in the innermost bracket
  bool after_key_ = false;
};

}  // namespace ferry
