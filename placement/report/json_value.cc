#include "placement/report/json_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "core/nearest.h"
#include "ferry/error.h"

namespace ferry {
namespace {

using Json = nlohmann::json;

constexpr size_t kShown = 60;  // bytes of a text in a message

[[noreturn]] void refuse_file(std::string_view file, const std::string& what) {
  throw Error(ErrorCode::invalid_argument, std::string(file) + ": " + what);
}

std::string in_quotes(std::string_view text) {
  const bool cut = text.size() > kShown;
  return Json(std::string(text.substr(0, kShown)))
             .dump(-1, ' ', true, Json::error_handler_t::replace) +
         (cut ? "..." : "");
}

// Members as an identifier, others in brackets: $.flops, $["my card"].
std::string place_of(std::string_view key) {
  const bool plain = !key.empty() && std::ranges::all_of(key, [](char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
  return plain ? "." + std::string(key) : "[" + in_quotes(key) + "]";
}

std::string shown(const Json& json) {
  switch (json.type()) {
    case Json::value_t::object:
      return "an object";
    case Json::value_t::array:
      return "a list";
    case Json::value_t::string:
      return in_quotes(json.get_ref<const std::string&>());
    default:
      return json.dump();
  }
}

}  // namespace

nlohmann::json parse_json(std::string_view text, std::string_view file, size_t most_bytes) {
  if (text.size() > most_bytes) {
    refuse_file(file, fmt::format("expected at most {} bytes, got {}.", most_bytes, text.size()));
  }
  std::vector<std::set<std::string>> open;  // names so far in each object around this place
  const Json::parser_callback_t no_duplicates = [&](int, Json::parse_event_t event, Json& json) {
    if (event == Json::parse_event_t::object_start) {
      open.emplace_back();
    } else if (event == Json::parse_event_t::object_end) {
      open.pop_back();
    } else if (event == Json::parse_event_t::key) {
      const auto& key = json.get_ref<const std::string&>();
      if (!open.back().insert(key).second) {
        refuse_file(file, "the name " + in_quotes(key) + " stands twice in one object.");
      }
    }
    return true;
  };
  try {
    return Json::parse(text, no_duplicates);
  } catch (const Json::exception& error) {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: ..."
    const std::string what = error.what();
    const size_t end = what.find("] ");
    refuse_file(file, "not JSON: " + (end == what.npos ? what : what.substr(end + 2)) + ".");
  }
}

void JsonValue::refuse(const std::string& expected, const std::string& hint) const {
  refuse_file(file_, path_ + ": expected " + expected + ", got " + shown(*json_) + "." + hint);
}

bool JsonValue::is_object() const { return json_->is_object(); }

void JsonValue::require_object() const {
  if (!json_->is_object()) refuse("an object");
}

void JsonValue::allow_only(std::initializer_list<std::string_view> known) const {
  require_object();
  for (const auto& [key, value] : json_->items()) {
    if (std::ranges::find(known, key) != known.end()) continue;
    const std::vector<std::string> names(known.begin(), known.end());
    refuse_file(file_,
                fmt::format("{}{}: expected one of {}, got this name.{}", path_, place_of(key),
                            fmt::join(names, ", "), did_you_mean(key, names)));
  }
}

std::optional<JsonValue> JsonValue::find(std::string_view key) const {
  require_object();
  const auto found = json_->find(key);
  if (found == json_->end()) return std::nullopt;
  return JsonValue(*found, file_, path_ + place_of(key));
}

JsonValue JsonValue::member(std::string_view key) const {
  const auto found = find(key);
  if (!found) refuse_file(file_, path_ + place_of(key) + ": expected a value, got none.");
  return *found;
}

std::vector<std::pair<std::string, JsonValue>> JsonValue::members() const {
  require_object();
  std::vector<std::pair<std::string, JsonValue>> out;
  for (const auto& [key, value] : json_->items()) {
    out.emplace_back(key, JsonValue(value, file_, path_ + place_of(key)));
  }
  return out;
}

std::vector<JsonValue> JsonValue::items() const {
  if (!json_->is_array()) refuse("a list");
  std::vector<JsonValue> out;
  for (const Json& item : *json_) {
    out.push_back(JsonValue(item, file_, fmt::format("{}[{}]", path_, out.size())));
  }
  return out;
}

bool JsonValue::boolean() const {
  if (!json_->is_boolean()) refuse("true or false");
  return json_->get<bool>();
}

double JsonValue::number(double least, double most) const {
  const double value = json_->is_number() ? json_->get<double>() : least - 1;
  if (!json_->is_number() || !(value >= least && value <= most)) {
    refuse(fmt::format("a number from {:g} to {:g}", least, most));
  }
  return value;
}

int64_t JsonValue::integer(int64_t least, int64_t most) const {
  const bool fits =
      json_->is_number_integer() &&
      (!json_->is_number_unsigned() || json_->get<uint64_t>() <= static_cast<uint64_t>(INT64_MAX));
  if (!fits || json_->get<int64_t>() < least || json_->get<int64_t>() > most) {
    refuse(fmt::format("an integer from {} to {}", least, most));
  }
  return json_->get<int64_t>();
}

std::string JsonValue::any_text() const {
  if (!json_->is_string()) refuse("a text");
  return json_->get<std::string>();
}

std::string JsonValue::text() const {
  if (!json_->is_string() || json_->get_ref<const std::string&>().empty()) {
    refuse("a text that is not empty");
  }
  return json_->get<std::string>();
}

Device JsonValue::device() const {
  if (json_->is_string()) {
    try {
      return Device(json_->get_ref<const std::string&>());
    } catch (const Error&) {  // told with its place
    }
  }
  const std::vector<std::string> kinds = {"cpu", "cuda", "sim"};
  const std::string word = json_->is_string() ? json_->get<std::string>() : "";
  refuse("a device, such as cpu, cuda:0 or sim:0",
         did_you_mean(word.substr(0, word.find(':')), kinds));
}

}  // namespace ferry
