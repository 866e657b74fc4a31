#include <fmt/format.h>

#include <map>
#include <string>
#include <vector>

#include "core/human.h"
#include "placement/report/facts.h"
#include "placement/report/json_writer.h"
#include "placement/report/report.h"

// Node data of Google's Model Explorer, in the form for one graph: an object of "results" by node
// id, each a value to show on the node and the colour of its background. Its ONNX adapter gives a
// node the ONNX node's name as its id, so what Ferry made of several nodes stands on each of them.
namespace ferry {
namespace {

// By the order of devices in the report: the CPU, then those of the request.
constexpr std::string_view kColors[] = {"#d9d9d9", "#8ecae6", "#ffd166", "#95d5b2", "#e0b1cb"};

std::string shown(const NodePlacement& node, const std::string& caveat, const Measured& measured) {
  std::vector<std::string> parts{node.device.str() + (caveat.empty() ? "" : " (" + caveat + ")")};
  if (const auto seconds = own_seconds(node)) parts.push_back(human_seconds(*seconds));
  if (const auto seconds = measured.node(node.name)) {
    parts.push_back("measured " + human_seconds(*seconds));
  }
  if (node.bytes > 0) parts.push_back(human_bytes(static_cast<int64_t>(node.bytes)));
  if (node.reason != "requested") parts.push_back(node.reason);
  return join(parts, parts.size());
}

}  // namespace

std::string placement_model_explorer(const PlacementData& data, const MeasuredRun* measured_run) {
  const Measured measured(measured_run);
  std::map<Device, std::string_view> colors;
  std::map<Device, std::string> caveats;
  for (size_t i = 0; i < data.devices.size(); ++i) {
    colors[data.devices[i].device] = kColors[i % std::size(kColors)];
    caveats[data.devices[i].device] = caveat(data.devices[i]);
  }
  // One ONNX node may have become several; their texts stand beside one another.
  std::map<std::string, std::vector<const NodePlacement*>> by_id;
  for (const NodePlacement& node : data.nodes) {
    if (node.sources.empty()) by_id[node.name].push_back(&node);
    for (const std::string& source : node.sources) by_id[source].push_back(&node);
  }
  JsonWriter json(JsonWriter::Form::lines);
  json.begin_object();
  json.member("name", "Ferry: device, predicted time, bytes, reason");
  json.key("results");
  json.begin_object();
  for (const auto& [id, nodes] : by_id) {
    std::vector<std::string> values;
    for (const NodePlacement* node : nodes) {
      values.push_back(shown(*node, caveats[node->device], measured));
    }
    json.key(id);
    json.begin_object();
    json.member("value", join(values, values.size(), "; "));
    json.member("bgColor", colors[nodes.front()->device]);
    json.member("textColor", "#000000");
    json.end_object();
  }
  json.end_object();
  json.member("hideInAggregatedStatsTable", true);
  json.end_object();
  return std::move(json).text() + "\n";
}

}  // namespace ferry
