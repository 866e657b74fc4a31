#include "cli/placement_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/text.h"
#include "core/human.h"
#include "ferry/error.h"

namespace ferry::cli {
namespace {

std::string size_of(const CopyPlacement& copy) {
  if (copy.bytes.expression == "?") return "data decides";
  return human_bytes(copy.bytes.value) +
         (copy.bytes.expression.empty() ? "" : " (" + copy.bytes.expression + " bytes)") +
         (copy.when == "trip"   ? " each trip"
          : copy.when == "load" ? " at load"
                                : "");
}

std::string joined(const std::vector<std::string>& words, std::string_view between) {
  std::string out;
  for (const std::string& word : words) {
    if (!out.empty()) out += between;
    out += word;
  }
  return out;
}

// Fields with commas, quotes or line ends are quoted (RFC 4180).
std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? "\"\"" : std::string(1, c);
  return out + "\"";
}

std::string markdown_row(const std::vector<std::string>& cells) {
  std::string out = "|";
  for (const std::string& cell : cells) {
    out += " ";
    for (const char c : cell) out += c == '|' ? "\\|" : std::string(1, c);
    out += " |";
  }
  return out + "\n";
}

}  // namespace

std::string explain_node(const Placement& placement, const std::string& name) {
  std::vector<std::string> names;
  for (const NodePlacement& node : placement.nodes()) names.push_back(node.name);
  const auto at = std::ranges::find(placement.nodes(), name, &NodePlacement::name);
  if (at == placement.nodes().end()) {
    throw Error(ErrorCode::not_found,
                "no node of the plan is named '" + name + "'." + suggestion(name, names) +
                    " --format json lists them, with the nodes of the file that they came from.");
  }
  const auto because = [](const std::string& reason, const std::string& detail) {
    return reason + (detail.empty() ? "" : ", " + detail);
  };
  std::string out = fmt::format("{} ({}) is on {}: {}\n", at->name, at->op, at->device.str(),
                                because(at->reason, at->detail));
  for (const PredictedTime& time : at->predicted) {
    out += fmt::format("  predicted on {}: {}\n", time.device.str(), human_seconds(time.seconds));
  }
  for (const RejectedDevice& rejected : at->rejected) {
    out += fmt::format("  not on {}: {}\n", rejected.device.str(),
                       because(rejected.reason, rejected.detail));
  }
  if (!at->sources.empty()) out += "  from " + joined(at->sources, ", ") + "\n";
  for (const CopyPlacement& copy : placement.copies()) {
    const bool reads = std::ranges::find(copy.consumers, name) != copy.consumers.end();
    if (!reads && copy.producer != name) continue;
    out += fmt::format("  {} {}  {} -> {}  {}\n",
                       reads ? "reads a copy of" : "copied from it:", copy.value, copy.from.str(),
                       copy.to.str(), size_of(copy));
  }
  return out;
}

std::string placement_csv(const Placement& placement) {
  std::string out = "name,op,device,reason,detail,island\r\n";
  for (const NodePlacement& node : placement.nodes()) {
    out += fmt::format("{},{},{},{},{},{}\r\n", csv_field(node.name), csv_field(node.op),
                       node.device.str(), node.reason, csv_field(node.detail), node.island);
  }
  return out;
}

std::string placement_markdown(const Placement& placement) {
  std::string out = placement.summary() + "\n\n";
  out += markdown_row({"device", "nodes", "weights", "what it is"}) + "| --- | --- | --- | --- |\n";
  for (const DevicePlacement& device : placement.devices()) {
    out += markdown_row({device.device.str(), std::to_string(device.nodes),
                         human_bytes(device.weight_bytes),
                         device.name + (device.simulated ? " (simulated)" : "")});
  }
  std::string elsewhere;
  for (const NodePlacement& node : placement.nodes()) {
    if (node.device == placement.request().device) continue;
    elsewhere += markdown_row({node.name, node.op, node.device.str(), node.reason, node.detail});
  }
  if (!elsewhere.empty()) {
    out += "\n" + markdown_row({"node", "op", "device", "reason", "detail"}) +
           "| --- | --- | --- | --- | --- |\n" + elsewhere;
  }
  std::string copies;
  for (const CopyPlacement& copy : placement.copies()) {
    if (copy.when == "load") continue;
    copies += markdown_row({copy.value, copy.from.str() + " -> " + copy.to.str(), size_of(copy),
                            copy.producer, joined(copy.consumers, ", ")});
  }
  if (!copies.empty()) {
    out += "\n" + markdown_row({"copy", "from, to", "bytes", "producer", "consumers"}) +
           "| --- | --- | --- | --- | --- |\n" + copies;
  }
  return out;
}

}  // namespace ferry::cli
