#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "core/human.h"
#include "placement/placement.h"

namespace ferry {
namespace {

const char* direction(const CopyPlacement& copy) {
  if (copy.from.is_cpu()) return "h2d";
  return copy.to.is_cpu() ? "d2h" : "d2d";
}

// Copies of every run, without uploads of weights.
int device_nodes(const PlacementData& data) {
  return static_cast<int>(std::ranges::count_if(
      data.nodes, [&](const NodePlacement& n) { return n.device == data.request.device; }));
}

// Reasons of the nodes that are not on the requested device, most frequent first.
struct ReasonGroup {
  std::string reason;
  int count = 0;
  std::map<std::string, int> ops;
  std::string detail;
};

std::vector<ReasonGroup> reasons_elsewhere(const PlacementData& data) {
  std::map<std::string, ReasonGroup> groups;
  for (const NodePlacement& node : data.nodes) {
    if (node.device == data.request.device) continue;
    ReasonGroup& group = groups[node.reason];
    group.reason = node.reason;
    if (group.count++ == 0) group.detail = node.detail;
    ++group.ops[node.op];
  }
  std::vector<ReasonGroup> out;
  for (auto& [reason, group] : groups) out.push_back(std::move(group));
  std::ranges::stable_sort(out, [](const auto& a, const auto& b) { return a.count > b.count; });
  return out;
}

std::string pluralize(int count, const char* one, const char* many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

std::string about(int64_t bytes, bool open) { return human_bytes(bytes) + (open ? "+" : ""); }

std::string join(const std::vector<std::string>& items, size_t limit) {
  std::string out;
  for (size_t i = 0; i < items.size() && i < limit; ++i) out += (i > 0 ? ", " : "") + items[i];
  if (items.size() > limit) out += fmt::format(", {} more", items.size() - limit);
  return out;
}

// " at batch=1, seq=1" for sizes that the request did not give.
std::string assumed(const PlacementData& data) {
  std::vector<std::string> sizes;
  for (const std::string& symbol : data.assumed_symbols) sizes.push_back(symbol + "=1");
  return sizes.empty() ? "" : " at " + join(sizes, 3);
}

}  // namespace

RunCopies run_copies(const PlacementData& data) {
  RunCopies out;
  for (const CopyPlacement& copy : data.copies) {
    if (copy.when == "load") continue;
    ++out.count;
    int64_t& bytes = copy.from.is_cpu() ? out.host_to_device
                     : copy.to.is_cpu() ? out.device_to_host
                                        : out.device_to_device;
    bytes += copy.bytes.value;
    if (copy.bytes.expression == "?" || copy.when == "trip") out.open = true;
  }
  return out;
}

std::string placement_summary(const PlacementData& data) {
  const int total = static_cast<int>(data.nodes.size()), there = device_nodes(data);
  const bool simulated = std::ranges::any_of(
      data.devices, [](const DevicePlacement& d) { return d.simulated && d.nodes > 0; });
  std::string out = fmt::format("placed {}/{} nodes on {}{}", there, total,
                                data.request.device.str(), simulated ? " (simulated)" : "");
  if (there < total) {
    std::string reasons;
    for (const ReasonGroup& group : reasons_elsewhere(data)) {
      reasons += fmt::format("{}{} {}", reasons.empty() ? "" : ", ", group.count, group.reason);
    }
    out += fmt::format("; {} on cpu ({})", total - there, reasons);
  }
  const RunCopies copies = run_copies(data);
  out += "; " + pluralize(copies.count, "copy", "copies");
  if (copies.count > 0) {
    out += fmt::format(", {}/run{}", about(copies.bytes(), copies.open), assumed(data));
  }
  return out;
}

std::string placement_text(const PlacementData& data) {
  std::string out =
      fmt::format("{}  {}   asked: {}, fallback {}\n", data.model,
                  pluralize(static_cast<int>(data.nodes.size()), "node", "nodes"),
                  data.request.device.str(), data.request.cpu_fallback ? "cpu" : "error");
  out += fmt::format("\n{:<8} {:>6}  {:>10}  {}\n", "device", "nodes", "weights", "what it is");
  for (const DevicePlacement& device : data.devices) {
    out += fmt::format("{:<8} {:>6}  {:>10}  {}{}\n", device.device.str(), device.nodes,
                       human_bytes(device.weight_bytes), device.name,
                       device.simulated ? " (simulated)" : "");
  }
  const std::vector<ReasonGroup> groups = reasons_elsewhere(data);
  if (!groups.empty()) {
    out += fmt::format("\nwhy on cpu ({})\n",
                       static_cast<int>(data.nodes.size()) - device_nodes(data));
    for (const ReasonGroup& group : groups) {
      std::vector<std::string> ops;
      for (const auto& [op, count] : group.ops) {
        ops.push_back(count == 1 ? op : fmt::format("{} x{}", op, count));
      }
      out += fmt::format("  {:>4}  {:<15} {}\n", group.count, group.reason, join(ops, 8));
      if (!group.detail.empty()) out += fmt::format("        {}\n", group.detail);
    }
  }
  const RunCopies copies = run_copies(data);
  out += fmt::format("\ncopies per run: {}", copies.count);
  if (copies.count > 0) {
    out += fmt::format("   h2d {}   d2h {}{}", about(copies.host_to_device, copies.open),
                       about(copies.device_to_host, copies.open), assumed(data));
  }
  out += "\n";
  if (data.prediction.device_first_seconds) {
    out += fmt::format("predicted: {} a run; {} with all on {} that it can run{}\n",
                       human_seconds(data.prediction.seconds),
                       human_seconds(*data.prediction.device_first_seconds),
                       data.request.device.str(), assumed(data));
  }
  for (const CopyPlacement& copy : data.copies) {
    if (copy.when == "load") continue;
    const std::string size =
        copy.bytes.expression == "?" ? std::string("data decides") : human_bytes(copy.bytes.value);
    out += fmt::format("  {}  {:>10}  {}   {} -> {}{}\n", direction(copy), size, copy.value,
                       copy.producer, join(copy.consumers, 3),
                       copy.when == "trip" ? "   (each trip)" : "");
  }
  return out;
}

}  // namespace ferry
