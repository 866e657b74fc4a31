#pragma once

#include <charconv>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "core/human.h"

// Small pieces that several verbs share.
namespace ferry::cli {

// The whole text as a number; nothing where it is none, or none that T holds.
template <typename T>
std::optional<T> number(std::string_view text) {
  T value{};
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, value);
  return end == last && error == std::errc() ? std::optional(value) : std::nullopt;
}

// " Did you mean 'place'?" or "".
std::string suggestion(std::string_view word, const std::vector<std::string>& known);

// Writes to stdout. A closed pipe ends the program quietly; another failure is Error io.
void print(std::string_view text);

// How much is said on stderr: -1 errors only (--quiet), 0, 1 (-v), 2 (-vv).
void set_verbosity(int level);
int verbosity();

// One line on stderr, unless --quiet.
void note(const std::string& text);

// Text and json; throws Error invalid_argument for another word.
bool wants_json(const std::string& format);

// Writes a file whole or not at all, Ctrl-C included; "-" is stdout.
void write_output(const std::string& path, std::string_view bytes);

// Columns of the terminal that stdout is, or 0 where it is none.
size_t terminal_width();

// Lines of at most `width` columns, where their longest words can be cut in the middle for it:
// "/encoder/...MatMul". A width of 0 cuts nothing.
std::string shorten_names(std::string_view text, size_t width);

// "123/1951  2 failed" on the last line of a terminal's stderr, from the second second on; nothing
// elsewhere or with --quiet. The line is gone when the object is.
class Progress {
 public:
  explicit Progress(size_t total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void show(size_t done, const std::string& remark);

 private:
  using Clock = std::chrono::steady_clock;

  size_t total_;
  bool on_terminal_;
  bool shown_ = false;
  Clock::time_point next_;
};

}  // namespace ferry::cli
