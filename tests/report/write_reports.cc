// write_reports [--hostile] NODES FILE...: the synthetic placement of so many nodes, and what a run
// of it could have measured, as each FILE: .html, or .json in the schema ferry.placement/1.
// --hostile gives things the names that a page must take for text.

#include <cstdlib>
#include <string>
#include <vector>

#include "core/files.h"
#include "tests/report/synthetic_placement.h"

namespace {

void make_hostile(ferry::PlacementData& data) {
  const std::string script = "</script><script>window.hacked = 1</script>";
  const std::string picture = "<img src=x onerror='window.hacked = 1'>\u2028__proto__";
  data.model = script;
  data.nodes[0].name = script;
  data.nodes[0].op = "__proto__";
  data.nodes[1].name = "__proto__";
  data.nodes[1].outputs = {picture};
  data.nodes[4].detail = picture;
  data.copies[0].value = picture;
  data.copies[0].consumers = {script, "__proto__"};
  data.weights[0].name = picture;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace ferry;
  std::vector<std::string> arguments(argv + 1, argv + argc);
  const bool hostile = !arguments.empty() && arguments[0] == "--hostile";
  if (hostile) arguments.erase(arguments.begin());
  if (arguments.size() < 2) return 2;
  const auto data = synthetic_placement(std::atoi(arguments[0].c_str()));
  if (hostile) make_hostile(*data);
  const MeasuredRun run = synthetic_run(*data);
  const Placement placement(data);
  for (size_t i = 1; i < arguments.size(); ++i) {
    const bool html = arguments[i].ends_with(".html");
    write_file(arguments[i],
               placement.report(html ? ReportFormat::html : ReportFormat::json, &run));
  }
  return 0;
}
