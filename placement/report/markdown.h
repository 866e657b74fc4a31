#pragma once

#include <string>
#include <string_view>
#include <vector>

// Markdown in GitHub's flavour, for text that may hold anything.
namespace ferry {

// A name as code, whatever it consists of, also within a table.
std::string markdown_code(std::string_view name);

// Text of ours or of a kernel, also within a table.
std::string markdown_plain(std::string_view text);

// One line of a table; the cells are Markdown already.
std::string markdown_row(const std::vector<std::string>& cells);

// The first two lines of a table. `align` has a character for each column, 'l' or 'r'.
std::string markdown_head(const std::vector<std::string>& cells, std::string_view align);

}  // namespace ferry
