#include "placement/report/report.h"

namespace ferry {

std::string Placement::summary() const { return placement_summary(*data_); }
std::string Placement::text() const { return placement_text(*data_); }
std::string Placement::json() const { return placement_json(*data_); }
std::string Placement::why(std::string_view node_or_value) const {
  return placement_why(*data_, node_or_value);
}

std::string Placement::report(ReportFormat format, const MeasuredRun* measured) const {
  switch (format) {
    case ReportFormat::text:
      return placement_text(*data_, measured);
    case ReportFormat::json:
      return placement_json(*data_, measured);
    case ReportFormat::markdown:
      return placement_markdown(*data_, measured);
    case ReportFormat::csv:
      return placement_csv(*data_, measured);
    case ReportFormat::dot:
      return placement_dot(*data_);
    case ReportFormat::model_explorer:
      return placement_model_explorer(*data_, measured);
    case ReportFormat::html:
      return placement_html(*data_, measured);
  }
  return "";
}

}  // namespace ferry
