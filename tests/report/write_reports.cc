// write_reports [--hostile | --three] NODES FILE...: the synthetic placement of so many nodes, and
// what a run of it could have measured, as each FILE: .html, or .json in the schema
// ferry.placement/1.
// --hostile gives things the names that a page must take for text, --three is for three devices.

#include <cstdlib>
#include <map>
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

// Every other layer of 16 nodes runs on an assumed device.
void add_third_device(ferry::PlacementData& data) {
  const ferry::Device first(ferry::DeviceKind::sim, 0), second(ferry::DeviceKind::sim, 1);
  ferry::DevicePlacement device = data.devices[1];
  device.device = second;
  device.assumed = true;
  device.nodes = 0;
  std::map<std::string, ferry::Device> homes;
  for (size_t i = 0; i < data.nodes.size(); ++i) {
    ferry::NodePlacement& node = data.nodes[i];
    if (node.device == first && i / 16 % 2 == 1) {
      node.device = second;
      ++device.nodes;
      --data.devices[1].nodes;
    }
    homes[node.name] = node.device;
  }
  for (ferry::CopyPlacement& copy : data.copies) {
    if (homes.contains(copy.producer)) copy.from = homes[copy.producer];
    if (homes.contains(copy.consumers[0])) copy.to = homes[copy.consumers[0]];
  }
  data.request.more_devices = {second};
  data.devices.push_back(device);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace ferry;
  std::vector<std::string> arguments(argv + 1, argv + argc);
  std::string kind;
  if (!arguments.empty() && arguments[0].starts_with("--")) {
    kind = arguments[0];
    arguments.erase(arguments.begin());
  }
  if (arguments.size() < 2) return 2;
  const auto data = synthetic_placement(std::atoi(arguments[0].c_str()));
  if (kind == "--hostile") make_hostile(*data);
  if (kind == "--three") add_third_device(*data);
  const MeasuredRun run = synthetic_run(*data);
  const Placement placement(data);
  for (size_t i = 1; i < arguments.size(); ++i) {
    const bool html = arguments[i].ends_with(".html");
    write_file(arguments[i],
               placement.report(html ? ReportFormat::html : ReportFormat::json, &run));
  }
  return 0;
}
