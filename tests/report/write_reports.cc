// write_reports NODES FILE...: the synthetic placement of so many nodes, and what a run of it could
// have measured, as each FILE: .html, or .json in the schema ferry.placement/1.

#include <cstdlib>
#include <string>

#include "core/files.h"
#include "tests/report/synthetic_placement.h"

int main(int argc, char** argv) {
  using namespace ferry;
  if (argc < 3) return 2;
  const Placement placement(synthetic_placement(std::atoi(argv[1])));
  const MeasuredRun run = synthetic_run(*placement.data());
  for (int i = 2; i < argc; ++i) {
    const std::string path = argv[i];
    const bool html = path.ends_with(".html");
    write_file(path, placement.report(html ? ReportFormat::html : ReportFormat::json, &run));
  }
  return 0;
}
