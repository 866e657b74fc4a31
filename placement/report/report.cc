#include "placement/report/report.h"

namespace ferry {

std::string Placement::summary() const { return placement_summary(*data_); }
std::string Placement::text() const { return placement_text(with_memory(*data_)); }
std::string Placement::json() const { return placement_json(with_memory(*data_)); }
std::string Placement::why(std::string_view node_or_value) const {
  return placement_why(with_memory(*data_), node_or_value);
}

std::string Placement::report(ReportFormat format, const MeasuredRun* measured) const {
  switch (format) {
    case ReportFormat::text:
      return placement_text(with_memory(*data_), measured);
    case ReportFormat::json:
      return placement_json(with_memory(*data_), measured);
    case ReportFormat::markdown:
      return placement_markdown(with_memory(*data_), measured);
    case ReportFormat::csv:
      return placement_csv(with_memory(*data_), measured);
    case ReportFormat::dot:
      return placement_dot(with_memory(*data_));
    case ReportFormat::model_explorer:
      return placement_model_explorer(with_memory(*data_), measured);
    case ReportFormat::html:
      return placement_html(with_memory(*data_), measured);
  }
  return "";
}

}  // namespace ferry
