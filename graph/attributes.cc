#include "graph/attributes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "ferry/error.h"

namespace ferry {
namespace {

bool same_tensor(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || a.shape() != b.shape()) return false;
  if (a.shares_storage_with(b)) return true;
  if (a.dtype() == DType::string) {
    return std::ranges::equal(a.span<std::string>(), b.span<std::string>());
  }
  return a.nbytes() == 0 || std::memcmp(a.data(), b.data(), a.nbytes()) == 0;
}

struct SameValue {
  template <typename T, typename U>
  bool operator()(const T&, const U&) const {
    return false;
  }
  template <typename T>
  bool operator()(const T& a, const T& b) const {
    return a == b;
  }
  // By bits, so that NaN equals itself and -0 differs from 0.
  bool operator()(float a, float b) const {
    return __builtin_bit_cast(uint32_t, a) == __builtin_bit_cast(uint32_t, b);
  }
  bool operator()(const std::vector<float>& a, const std::vector<float>& b) const {
    return std::ranges::equal(a, b, *this);
  }
  bool operator()(const Tensor& a, const Tensor& b) const { return same_tensor(a, b); }
};

template <typename T>
std::string list(const std::vector<T>& items) {
  std::string out = "[";
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += ", ";
    out += to_string(Attribute(items[i]));
  }
  return out + "]";
}

struct Print {
  std::string operator()(int64_t v) const { return std::to_string(v); }
  std::string operator()(float v) const { return fmt::format("{}", v); }
  std::string operator()(const std::string& v) const { return "\"" + v + "\""; }
  std::string operator()(const Tensor& v) const {
    return std::string(to_string(v.dtype())) + to_string(std::span(v.shape()));
  }
  template <typename T>
  std::string operator()(const std::vector<T>& v) const {
    return list(v);
  }
};

}  // namespace

void Attributes::set(std::string name, Attribute value) {
  const auto at =
      std::lower_bound(items_.begin(), items_.end(), name,
                       [](const auto& item, const std::string& key) { return item.first < key; });
  if (at != items_.end() && at->first == name) {
    at->second = std::move(value);
  } else {
    items_.emplace(at, std::move(name), std::move(value));
  }
}

const Attribute* Attributes::lookup(std::string_view name) const {
  for (const auto& [key, value] : items_) {
    if (key == name) return &value;
  }
  return nullptr;
}

void Attributes::fail(std::string_view name) {
  throw Error(ErrorCode::internal, "the IR node has no attribute '" + std::string(name) +
                                       "' of the expected type; the importer must write it.");
}

bool operator==(const Attributes& a, const Attributes& b) {
  return std::ranges::equal(a.items(), b.items(), [](const auto& x, const auto& y) {
    return x.first == y.first && std::visit(SameValue(), x.second, y.second);
  });
}

std::string to_string(const Attribute& attribute) { return std::visit(Print(), attribute); }

}  // namespace ferry
