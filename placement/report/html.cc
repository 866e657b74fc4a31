#include <string>
#include <string_view>

#include "placement/report/facts.h"
#include "placement/report/json_writer.h"
#include "placement/report/report.h"

namespace ferry {
namespace embedded {
// placement/report/page/*
extern const std::string_view report_page, report_style;
extern const std::string_view report_model, report_lanes, report_tables, report_sections,
    report_main;
}  // namespace embedded

std::string placement_html(const PlacementData& data, const MeasuredRun* measured) {
  JsonWriter json(JsonWriter::Form::compact);
  json.begin_object();
  json.key("report");
  json.raw(placement_json(data, measured, JsonForm::compact));
  json.member("summary", placement_summary(data));
  json.member("sizes", size_ranges_sentence(data));
  json.key("reasons");
  json.begin_object();
  for (const ReasonText& text : reason_texts()) {
    json.key(text.code);
    json.begin_object();
    json.member("meaning", text.meaning);
    json.member("advice", text.advice);
    json.end_object();
  }
  json.end_object();
  json.key("kinds");
  json.begin_object();
  for (const CopyKind& kind : copy_kinds()) json.member(kind.word, kind.meaning);
  json.end_object();
  json.end_object();
  const std::string text = std::move(json).text();

  std::string scripts;
  for (const std::string_view script :
       {embedded::report_model, embedded::report_lanes, embedded::report_tables,
        embedded::report_sections, embedded::report_main}) {
    scripts += script;
  }

  struct Part {
    std::string_view mark, content;
  };
  const Part parts[] = {
      {"/*style*/", embedded::report_style}, {"/*data*/", text}, {"/*scripts*/", scripts}};
  std::string_view page = embedded::report_page;
  std::string out;
  for (const Part& part : parts) {
    const size_t at = page.find(part.mark);
    out += page.substr(0, at);
    out += part.content;
    page.remove_prefix(at + part.mark.size());
  }
  out += page;
  return out;
}

}  // namespace ferry
