#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ferry/device.h"

namespace ferry {

// Parses JSON that a user wrote. Throws Error invalid_argument: no JSON (with line and column), a
// name that stands twice in one object, or more than `most_bytes`.
nlohmann::json parse_json(std::string_view text, std::string_view file, size_t most_bytes);

// A value in such a file and its place in it, so that every refusal names both. Points into the
// JSON and the name of the file, which must outlive it. Every function throws Error
// invalid_argument where the value is not what it asks for.
class JsonValue {
 public:
  JsonValue(const nlohmann::json& json, std::string_view file) : json_(&json), file_(file) {}

  // Of an object: refuses members that are not among `known`.
  void allow_only(std::initializer_list<std::string_view> known) const;
  JsonValue member(std::string_view key) const;
  std::optional<JsonValue> find(std::string_view key) const;  // absent: nothing
  std::vector<std::pair<std::string, JsonValue>> members() const;
  std::vector<JsonValue> items() const;  // of an array

  bool is_object() const;
  bool boolean() const;
  double number(double least, double most) const;
  int64_t integer(int64_t least, int64_t most) const;
  std::string text() const;      // not empty
  std::string any_text() const;  // may be empty
  Device device() const;

  // "profile.json: $.devices[0].flops: expected ..., got 3."
  [[noreturn]] void refuse(const std::string& expected, const std::string& hint = {}) const;

 private:
  JsonValue(const nlohmann::json& json, std::string_view file, std::string path)
      : json_(&json), file_(file), path_(std::move(path)) {}
  void require_object() const;

  const nlohmann::json* json_;
  std::string_view file_;
  std::string path_ = "$";
};

}  // namespace ferry
