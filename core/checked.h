#pragma once

#include <cstdint>
#include <optional>

namespace ferry {

// Arithmetic that reports overflow instead of wrapping: nullopt where the result does not fit.
template <typename T>
constexpr std::optional<T> checked_add(T a, T b) {
  T out;
  return __builtin_add_overflow(a, b, &out) ? std::nullopt : std::optional<T>(out);
}
template <typename T>
constexpr std::optional<T> checked_sub(T a, T b) {
  T out;
  return __builtin_sub_overflow(a, b, &out) ? std::nullopt : std::optional<T>(out);
}
template <typename T>
constexpr std::optional<T> checked_mul(T a, T b) {
  T out;
  return __builtin_mul_overflow(a, b, &out) ? std::nullopt : std::optional<T>(out);
}

}  // namespace ferry
