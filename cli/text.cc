#include "cli/text.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <utility>

#include "cli/interrupt.h"
#include "core/files.h"
#include "core/nearest.h"
#include "ferry/error.h"

namespace ferry::cli {

std::string suggestion(std::string_view word, const std::vector<std::string>& known) {
  return did_you_mean(word, known);
}

void print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) {
    return;
  }
  if (errno == EPIPE) {  // end as a program does that does not handle it
    std::signal(SIGPIPE, SIG_DFL);
    std::raise(SIGPIPE);
  }
  throw Error(ErrorCode::io, std::string("cannot write to stdout: ") + std::strerror(errno) + ".");
}

namespace {
int verbosity_level = 0;
}  // namespace

void set_verbosity(int level) { verbosity_level = level; }
int verbosity() { return verbosity_level; }

void note(const std::string& text) {
  if (verbosity() >= 0) std::fprintf(stderr, "%s\n", text.c_str());
}

void write_output(const std::string& path, std::string_view bytes) {
  if (path == "-") return print(bytes);
  const WritingFile guard;
  write_file(path, bytes);
}

bool wants_json(const std::string& format) {
  if (format == "json") return true;
  if (format == "text") return false;
  throw Error(ErrorCode::invalid_argument, "'" + format +
                                               "' is not a format: expected text or json." +
                                               suggestion(format, {"text", "json"}));
}

size_t terminal_width() {
  winsize size{};
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

namespace {

constexpr size_t kShortestName = 16;  // what is this short stays whole

// The longest word of the line: where it starts, and its length.
std::pair<size_t, size_t> longest_word(std::string_view line) {
  std::pair<size_t, size_t> longest{0, 0};
  for (size_t start = 0; start < line.size();) {
    const size_t end = std::min(line.find(' ', start), line.size());
    if (end - start > longest.second) longest = {start, end - start};
    start = end + 1;
  }
  return longest;
}

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

}  // namespace

std::string shorten_names(std::string_view text, size_t width) {
  std::string out;
  for (size_t start = 0; start < text.size();) {
    const size_t end = std::min(text.find('\n', start), text.size());
    std::string line(text.substr(start, end - start));
    start = end + 1;
    while (width > 0 && line.size() > width) {
      const auto [at, length] = longest_word(line);
      if (length <= kShortestName) break;
      const size_t kept =
          std::max(kShortestName, length - std::min(length, line.size() - width)) - 3;
      size_t from = at + kept / 2, to = at + length - (kept - kept / 2);
      while (from > at && continues_character(line[from])) --from;
      while (to < at + length && continues_character(line[to])) ++to;
      line.replace(from, to - from, "...");
    }
    out += line + "\n";
  }
  return out;
}

Progress::Progress(size_t total)
    : total_(total),
      on_terminal_(verbosity() >= 0 && isatty(STDERR_FILENO) != 0),
      next_(Clock::now() + std::chrono::seconds(1)) {}

Progress::~Progress() {
  if (shown_) std::fprintf(stderr, "\r\033[K");
}

void Progress::show(size_t done, const std::string& remark) {
  if (!on_terminal_ || Clock::now() < next_) return;
  next_ = Clock::now() + std::chrono::milliseconds(100);
  shown_ = true;
  std::fprintf(stderr, "\r\033[K%zu/%zu  %s", done, total_, remark.c_str());
}

}  // namespace ferry::cli
