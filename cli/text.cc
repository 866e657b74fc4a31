#include "cli/text.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>

#include "core/human.h"
#include "core/nearest.h"
#include "ferry/error.h"

namespace ferry::cli {

std::string suggestion(std::string_view word, const std::vector<std::string>& known) {
  return did_you_mean(word, known);
}

std::string human_bytes(int64_t bytes) { return ferry::human_bytes(bytes); }

void print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    std::_Exit(1);
  }
}

void note(const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); }

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

}  // namespace ferry::cli
