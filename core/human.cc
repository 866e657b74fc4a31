#include "core/human.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
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

std::string printable(std::string_view name) {
  const auto is_control = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  };
  if (std::ranges::none_of(name, is_control)) return std::string(name);
  std::string out;
  for (const char c : name) {
    out +=
        is_control(c) ? fmt::format("\\x{:02x}", static_cast<unsigned char>(c)) : std::string(1, c);
  }
  return out;
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

namespace {

bool is_number(const std::string& cell) {
  const size_t sign = cell.starts_with('+') || cell.starts_with('-') ? 1 : 0;
  return cell.size() > sign && std::isdigit(static_cast<unsigned char>(cell[sign]));
}

}  // namespace

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()), 0);
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (size_t r = 0; r < rows.size(); ++r) {
    std::string line;
    for (size_t i = 0; i < rows[r].size(); ++i) {
      const std::string& cell = rows[r][i];
      const bool heads_numbers = r == 0 && std::ranges::any_of(rows, [&](const auto& row) {
                                   return i < row.size() && is_number(row[i]);
                                 });
      const std::string pad(widths[i] - cell.size(), ' ');
      const bool right = i > 0 && (is_number(cell) || heads_numbers);
      line += (i > 0 ? "  " : "") + (right ? pad + cell : cell + pad);
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

}  // namespace ferry
