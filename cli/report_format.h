#pragma once

#include <string>

#include "ferry/placement.h"

// Which form of report is asked for.
namespace ferry::cli {

// By the word of --format. Throws Error invalid_argument, with the nearest word.
ReportFormat report_format_of_word(const std::string& word);

// By the ending of the file: report.me.json is Model Explorer's, other .json are Ferry's own. What
// has no ending at all, as "-", gets `otherwise`. Throws Error invalid_argument, which lists the
// endings.
ReportFormat report_format_of_file(const std::string& path, ReportFormat otherwise);

}  // namespace ferry::cli
