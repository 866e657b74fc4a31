#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ferry {

// "512 B", "7.4 MiB": binary units, one digit after the point.
std::string human_bytes(int64_t bytes);

// "512", "512B", "80GiB", "4 MiB" as bytes; nothing for other text and for what exceeds 64 bits.
std::optional<int64_t> bytes_from_text(std::string_view text);

// "75.6 ns", "3.49 us", "1.42 ms", "2.1 s": three significant digits.
std::string human_seconds(double seconds);

// Control characters escaped, so that a name from a file moves no cursor and opens no line.
std::string printable(std::string_view name);

// Rows of cells in columns as wide as their widest cell, two blanks between; numbers to the right,
// and in the first row what stands above a number.
std::string table(const std::vector<std::vector<std::string>>& rows);

}  // namespace ferry
