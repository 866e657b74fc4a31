#include "placement/report/facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "core/checked.h"
#include "core/human.h"

namespace ferry {
namespace {

std::vector<std::pair<std::string, int>> most_frequent_first(
    const std::map<std::string, int>& counts) {
  std::vector<std::pair<std::string, int>> out(counts.begin(), counts.end());
  std::ranges::stable_sort(out, std::ranges::greater(), &std::pair<std::string, int>::second);
  return out;
}

// "cpu" where all nodes are on it, else "sim:0 (53 of 64 nodes)": the CPU has the others.
std::string devices_of(const PlacedRange& range) {
  std::vector<std::string> devices;
  int total = 0, elsewhere = 0;
  for (const auto& [device, nodes] : range.nodes) {
    total += nodes;
    if (device.is_cpu() || nodes == 0) continue;
    elsewhere += nodes;
    devices.push_back(device.str());
  }
  if (elsewhere == 0) return "cpu";
  std::string names = join(devices, devices.size(), " and ");
  if (elsewhere == total) return names;
  return fmt::format("{} ({} of {} nodes)", names, elsewhere, total);
}

}  // namespace

std::string_view direction(const CopyPlacement& copy) {
  if (copy.from.is_cpu()) return "h2d";
  return copy.to.is_cpu() ? "d2h" : "d2d";
}

std::string pluralize(size_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

std::string join(const std::vector<std::string>& items, size_t limit, std::string_view between) {
  std::string out;
  for (size_t i = 0; i < items.size() && i < limit; ++i) {
    if (i > 0) out += between;
    out += items[i];
  }
  if (items.size() > limit) out += fmt::format(", {} more", items.size() - limit);
  return out;
}

std::string caveat(const DevicePlacement& device) {
  std::vector<std::string> words;
  if (device.simulated) words.push_back("simulated");
  if (device.assumed) words.push_back("assumed");
  return join(words, words.size());
}

std::string described(const DevicePlacement& device) {
  const std::string words = caveat(device);
  return device.name + (words.empty() ? "" : " (" + words + ")");
}

std::string at_assumed_sizes(const PlacementData& data) {
  std::vector<std::string> sizes;
  for (const std::string& symbol : data.assumed_symbols) sizes.push_back(symbol + "=1");
  return sizes.empty() ? "" : " at " + join(sizes, 3);
}

std::string size_of(const ByteCount& bytes) {
  if (bytes.expression == "?") return "data decides";
  return human_bytes(bytes.value) +
         (bytes.expression.empty() ? "" : " (" + bytes.expression + " bytes)");
}

std::string occasion(const CopyPlacement& copy) {
  if (copy.when == "load") return "at load";
  if (copy.when != "trip") return "";
  return "each trip, " + pluralize(static_cast<size_t>(copy.times), "trip", "trips");
}

std::string percent_off(double predicted, double measured) {
  if (predicted <= 0) return "-";
  return fmt::format("{:+.1f} %", 100 * (measured - predicted) / predicted);
}

bool is_requested(const PlacementData& data, Device device) {
  const PlacementRequest& request = data.request;
  return device == request.device ||
         std::ranges::find(request.more_devices, device) != request.more_devices.end();
}

std::vector<ReasonGroup> reasons_elsewhere(const PlacementData& data) {
  struct Counts {
    ReasonGroup group;
    std::map<std::string, int> ops, details;
  };
  std::map<std::string_view, Counts> by_reason;
  for (const NodePlacement& node : data.nodes) {
    if (is_requested(data, node.device)) continue;
    Counts& counts = by_reason[node.reason];
    counts.group.reason = node.reason;
    counts.group.nodes.push_back(&node);
    counts.group.seconds += own_seconds(node).value_or(0);
    ++counts.ops[node.op];
    if (!node.detail.empty()) ++counts.details[node.detail];
  }
  std::vector<ReasonGroup> out;
  for (auto& [reason, counts] : by_reason) {
    counts.group.ops.assign(counts.ops.begin(), counts.ops.end());
    counts.group.details = most_frequent_first(counts.details);
    out.push_back(std::move(counts.group));
  }
  std::ranges::stable_sort(out, std::ranges::greater(),
                           [](const ReasonGroup& group) { return group.nodes.size(); });
  return out;
}

std::vector<Island> islands_of(const PlacementData& data) {
  std::vector<Island> out;
  for (size_t i = 0; i < data.nodes.size(); ++i) {
    const NodePlacement& node = data.nodes[i];
    if (out.empty() || out.back().id != node.island) out.push_back({node.island, node.device, i});
    ++out.back().count;
  }
  return out;
}

std::optional<double> own_seconds(const NodePlacement& node) {
  const auto at = std::ranges::find(node.predicted, node.device, &PredictedTime::device);
  if (at == node.predicted.end()) return std::nullopt;
  return at->seconds;
}

std::string size_ranges_sentence(const PlacementData& data) {
  const auto& ranges = data.size_ranges;
  if (ranges.empty()) return "";
  const std::string symbol =
      data.request.size_range ? data.request.size_range->symbol : std::string("size");
  if (ranges.size() == 1) {
    return fmt::format("{} for {} {} to {}", devices_of(ranges[0]), symbol, ranges[0].first,
                       ranges[0].last);
  }
  std::string out = fmt::format("{} below {} {}", devices_of(ranges[0]), symbol, ranges[1].first);
  for (size_t i = 1; i < ranges.size(); ++i) {
    out += ", " + devices_of(ranges[i]) + " from ";
    out += i == 1 ? "there" : std::to_string(ranges[i].first);
  }
  return out;
}

RunCopies run_copies(const PlacementData& data) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  RunCopies out;
  for (const CopyPlacement& copy : data.copies) {
    if (copy.when == "load") continue;
    ++out.count;
    int64_t& bytes = copy.from.is_cpu() ? out.host_to_device
                     : copy.to.is_cpu() ? out.device_to_host
                                        : out.device_to_device;
    const auto all = checked_mul(copy.bytes.value, copy.times);
    bytes = checked_add(bytes, all.value_or(kMost)).value_or(kMost);
    if (copy.bytes.expression == "?" || copy.when == "trip") out.open = true;
  }
  return out;
}

Measured::Measured(const MeasuredRun* run) : run_(run) {
  if (run == nullptr) return;
  for (const MeasuredRun::Step& step : run->steps) {
    if (step.copy) {
      copies_[{step.node, step.device}] += step.seconds;
      copy_seconds_ += step.seconds;
    } else {
      nodes_[step.node] += step.seconds;
      kernel_seconds_ += step.seconds;
    }
  }
}

std::optional<double> Measured::node(const std::string& name) const {
  const auto at = nodes_.find(name);
  if (at == nodes_.end()) return std::nullopt;
  return at->second;
}

std::optional<double> Measured::copy(const CopyPlacement& copy) const {
  const auto at = copies_.find({copy.value, copy.to});
  if (at == copies_.end()) return std::nullopt;
  return at->second;
}

}  // namespace ferry
