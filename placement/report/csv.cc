#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>

#include "placement/report/facts.h"
#include "placement/report/report.h"

namespace ferry {
namespace {

// Fields with commas, quotes or line ends are quoted (RFC 4180). What a spreadsheet would take for
// a formula gets a quote before it.
std::string field(std::string_view text) {
  std::string out;
  if (!text.empty() && std::string_view("=+-@\t").find(text[0]) != std::string_view::npos) {
    out = "'";
  }
  out += text;
  if (out.find_first_of(",\"\r\n") == std::string::npos) return out;
  std::string quoted = "\"";
  for (const char c : out) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

std::string number(const std::optional<double>& value) {
  return value ? fmt::format("{}", *value) : "";
}

// Work of 0 is work that nobody counted.
std::optional<double> known(double work) { return work > 0 ? std::optional(work) : std::nullopt; }

}  // namespace

std::string placement_csv(const PlacementData& data, const MeasuredRun* measured_run) {
  const Measured measured(measured_run);
  std::map<Device, std::string> caveats;
  for (const DevicePlacement& device : data.devices) caveats[device.device] = caveat(device);
  std::string out =
      "name,op,device,reason,detail,island,device_is,predicted_seconds,move_device,move_seconds,"
      "flops,bytes,sources,measured_seconds\r\n";
  for (const NodePlacement& node : data.nodes) {
    // The other device on which the node would cost least.
    const auto move = std::ranges::min_element(node.moves, {}, &MoveCost::seconds);
    const bool moves = move != node.moves.end();
    out += fmt::format(
        "{},{},{},{},{},{},{},{},{},{},{},{},{},{}\r\n", field(node.name), field(node.op),
        node.device.str(), node.reason, field(node.detail), node.island,
        field(caveats[node.device]), number(own_seconds(node)), moves ? move->device.str() : "",
        moves ? number(move->seconds) : "", number(known(node.flops)), number(known(node.bytes)),
        field(join(node.sources, node.sources.size(), " ")), number(measured.node(node.name)));
  }
  return out;
}

}  // namespace ferry
