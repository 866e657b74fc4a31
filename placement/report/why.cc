#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/human.h"
#include "core/nearest.h"
#include "ferry/error.h"
#include "placement/report/facts.h"
#include "placement/report/report.h"

namespace ferry {
namespace {

std::string because(const std::string& reason, const std::string& detail) {
  return reason + (detail.empty() ? "" : ", " + printable(detail));
}

std::string copy_story(const CopyPlacement& copy) {
  std::vector<std::string> consumers;
  for (const std::string& name : copy.consumers) consumers.push_back(printable(name));
  std::string out =
      fmt::format("{} -> {}  {}", copy.from.str(), copy.to.str(), size_of(copy.bytes));
  if (const std::string when = occasion(copy); !when.empty()) out += "  " + when;
  if (copy.seconds > 0) out += "  " + human_seconds(copy.seconds);
  out += fmt::format("\n    {} -> {}\n", printable(copy.producer), join(consumers, 8));
  const auto kind = std::ranges::find(copy_kinds(), copy.kind, &CopyKind::word);
  if (kind != copy_kinds().end()) {
    out += fmt::format("    {}: {}\n", kind->word, kind->meaning);
  }
  return out;
}

std::string node_story(const PlacementData& data, const NodePlacement& node) {
  std::string out = fmt::format("{} ({}) is on {}: {}\n", printable(node.name), printable(node.op),
                                node.device.str(), because(node.reason, node.detail));
  const ReasonText text = reason_text(node.reason);
  if (!text.meaning.empty()) out += fmt::format("  {}\n  {}\n", text.meaning, text.advice);
  for (const DevicePlacement& device : data.devices) {
    const std::string words = caveat(device);
    const std::string name = device.device.str() + (words.empty() ? "" : " (" + words + ")");
    const auto time = std::ranges::find(node.predicted, device.device, &PredictedTime::device);
    const auto move = std::ranges::find(node.moves, device.device, &MoveCost::device);
    const auto refusal = std::ranges::find(node.rejected, device.device, &RejectedDevice::device);
    if (refusal != node.rejected.end()) {
      out += fmt::format("  {:<18} cannot run it: {}\n", name,
                         because(refusal->reason, refusal->detail));
      continue;
    }
    if (time == node.predicted.end() && move == node.moves.end()) continue;
    out += fmt::format("  {:<18}", name);
    if (time != node.predicted.end()) out += " " + human_seconds(time->seconds) + " a run";
    if (device.device == node.device) {
      out += ", here";
    } else if (move != node.moves.end()) {
      out += fmt::format("; moving it there makes a run {} {}, copies included",
                         human_seconds(move->seconds < 0 ? -move->seconds : move->seconds),
                         move->seconds < 0 ? "shorter" : "longer");
    }
    out += "\n";
  }
  if (node.flops > 0 || node.bytes > 0) {
    out += fmt::format("  work: {:.4g} FLOP, {} read and written\n", node.flops,
                       human_bytes(static_cast<int64_t>(node.bytes)));
  }
  std::vector<std::string> outputs, sources;
  for (const std::string& output : node.outputs) outputs.push_back(printable(output));
  for (const std::string& source : node.sources) sources.push_back(printable(source));
  if (!outputs.empty()) out += "  writes " + join(outputs, outputs.size()) + "\n";
  if (!sources.empty()) out += "  from the ONNX " + join(sources, sources.size()) + "\n";
  for (const CopyPlacement& copy : data.copies) {
    const bool reads = std::ranges::find(copy.consumers, node.name) != copy.consumers.end();
    if (!reads && copy.producer != node.name) continue;
    out += fmt::format("  {} {}  {}",
                       reads ? "reads a copy of" : "copied from it:", printable(copy.value),
                       copy_story(copy));
  }
  return out;
}

// Where a value lives that nothing copies, or "".
std::string value_story(const PlacementData& data, std::string_view name) {
  const std::string prefix = std::string(name) + " ";
  for (const NodePlacement& node : data.nodes) {
    for (const std::string& output : node.outputs) {
      if (!output.starts_with(prefix)) continue;
      return fmt::format("{}\n  written by {} on {}\n", printable(output), printable(node.name),
                         node.device.str());
    }
  }
  return "";
}

std::string weight_story(const WeightPlacement& weight) {
  std::vector<std::string> homes;
  for (const Device& home : weight.homes) homes.push_back(home.str());
  return fmt::format("{} {}{}, a weight of {}\n  lives on {}\n", printable(weight.name),
                     to_string(weight.dtype), weight.shape, human_bytes(weight.bytes),
                     join(homes, homes.size(), " and "));
}

}  // namespace

std::string placement_why(const PlacementData& data, std::string_view name) {
  std::string out;
  std::vector<std::string> known;
  for (const NodePlacement& node : data.nodes) {
    const bool from_it = std::ranges::find(node.sources, name) != node.sources.end();
    if (node.name == name || from_it) out += node_story(data, node);
    known.push_back(node.name);
  }
  out += value_story(data, name);
  for (const WeightPlacement& weight : data.weights) {
    if (weight.name == name) out += weight_story(weight);
    known.push_back(weight.name);
  }
  std::string copies;
  for (const CopyPlacement& copy : data.copies) {
    if (copy.value == name) copies += "  " + copy_story(copy);
    known.push_back(copy.value);
  }
  if (!copies.empty()) out += fmt::format("copies of {}\n", printable(name)) + copies;
  if (!out.empty()) return out;
  throw Error(ErrorCode::not_found,
              "no node and no value of the plan is named '" + printable(name) + "'." +
                  did_you_mean(name, known) +
                  " --format json lists them, with the nodes of the file that they came from.");
}

}  // namespace ferry
