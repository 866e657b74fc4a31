#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "ferry/operator.h"
#include "ferry/tensor.h"

namespace ferry {

// A node's attributes by name. The importer writes every attribute that its operator has in the IR,
// defaults included, so readers use get() and only attributes without a default need find().
class Attributes {
 public:
  void set(std::string name, Attribute value);

  // nullptr when there is none of the name.
  const Attribute* lookup(std::string_view name) const;
  bool has(std::string_view name) const { return lookup(name) != nullptr; }

  // Throws Error internal when the attribute is missing or of another type: the importer wrote the
  // node, so that is a defect.
  template <typename T>
  const T& get(std::string_view name) const {
    const T* value = find<T>(name);
    if (value == nullptr) fail(name);
    return *value;
  }

  // nullptr when the attribute is not there; throws Error internal when it is of another type.
  template <typename T>
  const T* find(std::string_view name) const {
    const Attribute* attribute = lookup(name);
    if (attribute == nullptr) return nullptr;
    const T* value = std::get_if<T>(attribute);
    if (value == nullptr) fail(name);
    return value;
  }

  int64_t get_int(std::string_view name) const { return get<int64_t>(name); }
  float get_float(std::string_view name) const { return get<float>(name); }
  const std::string& get_string(std::string_view name) const { return get<std::string>(name); }
  const std::vector<int64_t>& get_ints(std::string_view name) const {
    return get<std::vector<int64_t>>(name);
  }

  // In order of name.
  const std::vector<std::pair<std::string, Attribute>>& items() const { return items_; }

 private:
  [[noreturn]] static void fail(std::string_view name);

  std::vector<std::pair<std::string, Attribute>> items_;
};

// Same names, types and values; tensors by dtype, shape and bytes.
bool operator==(const Attributes& a, const Attributes& b);

std::string to_string(const Attribute& attribute);

}  // namespace ferry
