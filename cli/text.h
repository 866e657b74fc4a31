#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// Small pieces that several verbs share.
namespace ferry::cli {

// " Did you mean 'place'?" or "".
std::string suggestion(std::string_view word, const std::vector<std::string>& known);

// "7.4 MiB"
std::string human_bytes(int64_t bytes);

// Writes to stdout; a closed pipe ends the program quietly.
void print(std::string_view text);

// One line on stderr, unless --quiet.
void note(const std::string& text);

// Text and json; throws Error invalid_argument for another word.
bool wants_json(const std::string& format);

// Rows of cells in columns as wide as their widest cell, two blanks between; numbers to the right.
std::string table(const std::vector<std::vector<std::string>>& rows);

}  // namespace ferry::cli
