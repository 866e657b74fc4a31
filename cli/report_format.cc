#include "cli/report_format.h"

#include <algorithm>
#include <vector>

#include "cli/text.h"
#include "ferry/error.h"

namespace ferry::cli {
namespace {

struct Format {
  std::string_view word, ending;
  ReportFormat format;
};
// Longer endings before those that they end with.
constexpr Format kFormats[] = {
    {"text", ".txt", ReportFormat::text},
    {"model_explorer", ".me.json", ReportFormat::model_explorer},
    {"json", ".json", ReportFormat::json},
    {"csv", ".csv", ReportFormat::csv},
    {"markdown", ".md", ReportFormat::markdown},
    {"dot", ".dot", ReportFormat::dot},
    {"html", ".html", ReportFormat::html},
};

std::string listed(std::string_view Format::*part) {
  std::string out;
  for (const Format& format : kFormats) {
    if (!out.empty()) out += &format == std::end(kFormats) - 1 ? " or " : ", ";
    out += format.*part;
  }
  return out;
}

}  // namespace

ReportFormat report_format_of_word(const std::string& word) {
  const auto at = std::ranges::find(kFormats, word, &Format::word);
  if (at != std::end(kFormats)) return at->format;
  std::vector<std::string> words;
  for (const Format& format : kFormats) words.emplace_back(format.word);
  throw Error(ErrorCode::invalid_argument, "'" + word + "' is not a format: expected " +
                                               listed(&Format::word) + "." +
                                               suggestion(word, words));
}

ReportFormat report_format_of_file(const std::string& path, ReportFormat otherwise) {
  if (path.find('.', path.find_last_of('/') + 1) == std::string::npos) return otherwise;
  for (const Format& format : kFormats) {
    if (path.ends_with(format.ending)) return format.format;
  }
  throw Error(ErrorCode::invalid_argument,
              "'" + path + "': a report ends in " + listed(&Format::ending) + ".");
}

}  // namespace ferry::cli
