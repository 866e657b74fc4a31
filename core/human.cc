#include "core/human.h"

#include <fmt/format.h>

#include <charconv>

#include "core/checked.h"

namespace ferry {
namespace {

constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};

}  // namespace

std::string human_bytes(int64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::optional<int64_t> bytes_from_text(std::string_view text) {
  int64_t amount = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), amount);
  if (error != std::errc() || amount < 0) return std::nullopt;
  std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
  if (unit.empty()) return amount;
  if (unit.starts_with(' ')) unit.remove_prefix(1);
  int64_t size = 1;
  for (const char* name : kUnits) {
    if (unit == name) return checked_mul(amount, size);
    size *= 1024;
  }
  return std::nullopt;
}

std::string human_seconds(double seconds) {
  struct Unit {
    double size;
    const char* name;
  };
  static constexpr Unit kUnits[] = {{1, "s"}, {1e-3, "ms"}, {1e-6, "us"}};
  for (const Unit& unit : kUnits) {
    // What would round up to 1000 of the smaller unit is 1 of this one.
    if (seconds >= 0.9995 * unit.size)
      return fmt::format("{:.3g} {}", seconds / unit.size, unit.name);
  }
  return fmt::format("{:.3g} ns", seconds * 1e9);
}

}  // namespace ferry
