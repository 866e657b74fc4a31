#include "cli/text.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "cli/interrupt.h"
#include "core/files.h"
#include "core/human.h"
#include "core/nearest.h"
#include "ferry/error.h"

namespace ferry::cli {

std::string suggestion(std::string_view word, const std::vector<std::string>& known) {
  return did_you_mean(word, known);
}

std::string human_bytes(int64_t bytes) { return ferry::human_bytes(bytes); }

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

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()), 0);
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string pad(widths[i] - row[i].size(), ' ');
      const bool number =
          !row[i].empty() && std::isdigit(static_cast<unsigned char>(row[i][0])) && i > 0;
      line += (i > 0 ? "  " : "") + (number ? pad + row[i] : row[i] + pad);
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
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
