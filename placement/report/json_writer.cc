#include "placement/report/json_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace ferry {
namespace {

// Length of the UTF-8 sequence that `text` starts with, or 0 where it starts with none.
size_t sequence_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool overlong = (lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xf0 && byte(1) < 0x90);
  const bool surrogate = lead == 0xed && byte(1) > 0x9f;
  const bool too_large = lead == 0xf4 && byte(1) > 0x8f;
  return overlong || surrogate || too_large ? 0 : length;
}

}  // namespace

void JsonWriter::new_line() {
  if (form_ == Form::compact) return;
  out_ += '\n';
  out_.append(2 * depth_, ' ');
}

void JsonWriter::before_value() {
  if (after_key_) {
    after_key_ = false;
    return;
  }
  if (!first_) out_ += ',';
  if (depth_ > 0) new_line();
  first_ = false;
}

void JsonWriter::open(char bracket) {
  before_value();
  out_ += bracket;
  ++depth_;
  first_ = true;
}

void JsonWriter::close(char bracket) {
  --depth_;
  if (!first_) new_line();
  out_ += bracket;
  first_ = false;
}

void JsonWriter::key(std::string_view name) {
  before_value();
  quote(name);
  out_ += form_ == Form::lines ? ": " : ":";
  after_key_ = true;
}

void JsonWriter::value(std::string_view text) {
  before_value();
  quote(text);
}

void JsonWriter::value(bool truth) {
  before_value();
  out_ += truth ? "true" : "false";
}

void JsonWriter::value(double number) {
  before_value();
  if (std::isfinite(number)) {
    fmt::format_to(std::back_inserter(out_), "{}", number);
  } else {
    out_ += "null";
  }
}

void JsonWriter::integer(int64_t number) {
  before_value();
  fmt::format_to(std::back_inserter(out_), "{}", number);
}

void JsonWriter::value(const std::vector<std::string>& items) {
  begin_array();
  for (const std::string& item : items) value(item);
  end_array();
}

void JsonWriter::value(const std::vector<int64_t>& items) {
  before_value();
  fmt::format_to(std::back_inserter(out_), "[{}]", fmt::join(items, ", "));
}

void JsonWriter::raw(std::string_view json) {
  before_value();
  out_ += json;
}

void JsonWriter::quote(std::string_view text) {
  out_ += '"';
  for (size_t i = 0; i < text.size();) {
    const size_t length = sequence_length(text.substr(i));
    const std::string_view sequence = text.substr(i, std::max<size_t>(1, length));
    const char c = text[i];
    i += sequence.size();
    if (length == 0) {
      out_ += "\\ufffd";
    } else if (c == '"' || c == '\\') {
      out_ += '\\';
      out_ += c;
    } else if (c == '\n') {
      out_ += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '<') {
      fmt::format_to(std::back_inserter(out_), "\\u{:04x}", static_cast<unsigned char>(c));
    } else if (sequence == "\u2028" || sequence == "\u2029") {
      out_ += sequence == "\u2028" ? "\\u2028" : "\\u2029";
    } else {
      out_ += sequence;
    }
  }
  out_ += '"';
}

}  // namespace ferry
