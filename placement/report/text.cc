#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "core/human.h"
#include "placement/report/facts.h"
#include "placement/report/report.h"

namespace ferry {
namespace {

constexpr size_t kNodesShown = 20;  // of measured beside predicted: those that are furthest off
constexpr size_t kIslandsShown = 6;

// "sim:0 (simulated)", or "cuda:0 (200) and sim:1 (103, simulated)" where several devices share the
// work.
std::string where_placed(const PlacementData& data) {
  std::vector<std::string> several;
  std::string asked = data.request.device.str();
  for (const DevicePlacement& device : data.devices) {
    if (!is_requested(data, device.device)) continue;
    const std::string words = caveat(device);
    if (device.device == data.request.device && !words.empty()) asked += " (" + words + ")";
    if (device.nodes == 0) continue;
    several.push_back(fmt::format("{} ({}{})", device.device.str(), device.nodes,
                                  words.empty() ? "" : ", " + words));
  }
  const bool shared = !data.request.more_devices.empty() && !several.empty();
  return shared ? join(several, several.size(), " and ") : asked;
}

std::string about(int64_t bytes, bool open) { return human_bytes(bytes) + (open ? "+" : ""); }

std::string header(const PlacementData& data) {
  int64_t weight_bytes = 0;
  for (const WeightPlacement& weight : data.weights) weight_bytes += weight.bytes;
  std::string asked = data.request.device.str();
  for (const Device& more : data.request.more_devices) asked += "," + more.str();
  std::string out = fmt::format("{}  ", printable(data.model));
  if (const auto opset = data.graph.opsets.find(""); opset != data.graph.opsets.end()) {
    out += fmt::format("opset {}  ", opset->second);
  }
  out +=
      fmt::format("{}  weights {}\nasked: {}, fallback {}, {}\n",
                  pluralize(data.nodes.size(), "node", "nodes"), human_bytes(weight_bytes), asked,
                  data.request.cpu_fallback ? "cpu" : "error", to_string(data.request.policy));
  return out;
}

std::string device_table(const PlacementData& data) {
  double all = 0;
  std::map<Device, double> seconds;
  for (const NodePlacement& node : data.nodes) {
    const double own = own_seconds(node).value_or(0);
    seconds[node.device] += own;
    all += own;
  }
  std::vector<std::vector<std::string>> rows{
      {"device", "nodes", "weights", "activations", "workspace", "peak", "limit", "work"}};
  for (const DevicePlacement& device : data.devices) {
    const MemoryUse& memory = device.memory;
    rows.push_back({device.device.str(), std::to_string(device.nodes),
                    human_bytes(device.weight_bytes), about(memory.activations, !memory.known),
                    human_bytes(memory.workspace), about(memory.peak(), !memory.known),
                    memory.limit ? human_bytes(*memory.limit) : "",
                    all > 0 ? fmt::format("{:.1f} %", 100 * seconds[device.device] / all) : ""});
  }
  std::string out = "\n" + table(rows);
  for (const DevicePlacement& device : data.devices) {
    out += fmt::format("  {}: {}", device.device.str(), described(device));
    if (!device.profile.empty()) out += "; times by " + device.profile;
    if (!device.memory.problem.empty()) out += "; memory is not known: " + device.memory.problem;
    out += "\n";
  }
  return out;
}

std::string reason_groups(const PlacementData& data) {
  const std::vector<ReasonGroup> groups = reasons_elsewhere(data);
  if (groups.empty()) return "";
  size_t count = 0;
  for (const ReasonGroup& group : groups) count += group.nodes.size();
  std::string out = fmt::format("\nwhy on cpu ({})\n", count);
  for (const ReasonGroup& group : groups) {
    std::vector<std::string> ops;
    for (const auto& [op, times] : group.ops) {
      ops.push_back(times == 1 ? printable(op) : fmt::format("{} x{}", printable(op), times));
    }
    out += fmt::format("  {:>4}  {:<15} {}\n", group.nodes.size(), group.reason, join(ops, 8));
    if (const ReasonText text = reason_text(group.reason); !text.meaning.empty()) {
      out += fmt::format("        {}\n", text.meaning);
    }
    for (size_t i = 0; i < group.details.size() && i < 3; ++i) {
      const auto& [detail, times] = group.details[i];
      out += fmt::format("        {}{}\n", printable(detail),
                         group.details.size() > 1 ? fmt::format(" (x{})", times) : "");
    }
    if (group.details.size() > 3) {
      out += fmt::format("        and {} more\n",
                         pluralize(group.details.size() - 3, "detail", "details"));
    }
  }
  return out;
}

std::string copy_line(const CopyPlacement& copy) {
  std::vector<std::string> consumers, remarks;
  for (const std::string& name : copy.consumers) consumers.push_back(printable(name));
  const bool open = copy.bytes.expression == "?";
  if (!open && !copy.bytes.expression.empty()) remarks.push_back(copy.bytes.expression + " bytes");
  if (const std::string when = occasion(copy); !when.empty()) remarks.push_back(when);
  if (copy.kind == "stream") remarks.push_back("streamed: no room for it on the device");
  return fmt::format("  {}  {:>12}  {}   {} -> {}{}\n", direction(copy),
                     open ? "data decides" : human_bytes(copy.bytes.value), printable(copy.value),
                     printable(copy.producer), join(consumers, 3),
                     remarks.empty() ? "" : "   (" + join(remarks, remarks.size()) + ")");
}

std::string copy_list(const PlacementData& data) {
  const RunCopies copies = run_copies(data);
  std::string out = fmt::format("\ncopies per run: {}", copies.count);
  if (copies.count > 0) {
    out += fmt::format("   h2d {}   d2h {}", about(copies.host_to_device, copies.open),
                       about(copies.device_to_host, copies.open));
    if (copies.device_to_device > 0) {
      out += "   d2d " + about(copies.device_to_device, copies.open);
    }
    if (data.prediction.copy_seconds > 0) {
      out += "   " + human_seconds(data.prediction.copy_seconds);
    }
    out += at_assumed_sizes(data);
  }
  out += "\n";
  size_t loads = 0;
  int64_t load_bytes = 0;
  for (const CopyPlacement& copy : data.copies) {
    if (copy.when != "load") {
      out += copy_line(copy);
      continue;
    }
    ++loads;
    load_bytes += copy.bytes.value;
  }
  if (loads > 0) {
    out += fmt::format("once, at load: {}, {}\n", pluralize(loads, "copy", "copies"),
                       human_bytes(load_bytes));
  }
  return out;
}

std::string island_line(const PlacementData& data) {
  const std::vector<Island> islands = islands_of(data);
  if (islands.size() < 2) return "";
  std::vector<std::string> words;
  for (const Island& island : islands) {
    words.push_back(fmt::format("{} ({})", island.device.str(), island.count));
  }
  std::string out = fmt::format("islands: {}   ", islands.size());
  if (words.size() <= kIslandsShown) return out + join(words, words.size(), " -> ") + "\n";
  std::map<Device, int> counts;
  for (const Island& island : islands) ++counts[island.device];
  std::vector<std::string> by_device;
  for (const auto& [device, count] : counts) {
    by_device.push_back(fmt::format("{} on {}", count, device.str()));
  }
  return out + join(by_device, by_device.size()) + "\n";
}

std::string prediction_lines(const PlacementData& data) {
  const Prediction& predicted = data.prediction;
  if (predicted.profiles.empty() && predicted.seconds <= 0) return "";
  std::string out = fmt::format("\npredicted: {} a run{}", human_seconds(predicted.seconds),
                                at_assumed_sizes(data));
  if (predicted.kernel_seconds > 0) {
    out += fmt::format("   kernels {}, copies {}", human_seconds(predicted.kernel_seconds),
                       human_seconds(predicted.copy_seconds));
  }
  out += "\n";
  std::vector<std::vector<std::string>> rows;
  const auto other = [&](const std::optional<double>& seconds, const std::string& what) {
    if (!seconds) return;
    const std::string times =
        predicted.seconds > 0 ? fmt::format("{:.2f}x", *seconds / predicted.seconds) : "";
    rows.push_back({"", human_seconds(*seconds), times, what});
  };
  other(predicted.device_first_seconds, "greedy: every node on " + data.request.device.str() +
                                            " that it can run" + at_assumed_sizes(data));
  other(predicted.cpu_seconds, "every node on cpu");
  other(predicted.lower_bound_seconds,
        "lower bound: no placement that keeps the memory limits takes less");
  return out + table(rows);
}

std::string rule_lines(const PlacementData& data) {
  if (data.rules.empty()) return "";
  std::string out = "\nrules\n";
  for (const RuleMatch& rule : data.rules) {
    out += fmt::format("  {:>6} {}  {} -> {}\n", rule.nodes, rule.nodes == 1 ? "node " : "nodes",
                       printable(rule.rule), rule.device.str());
  }
  return out;
}

std::string spill_lines(const PlacementData& data) {
  if (data.spilled.empty()) return "";
  int64_t bytes = 0;
  for (const SpilledWeight& weight : data.spilled) bytes += weight.bytes;
  std::string out =
      fmt::format("\nspilled: {}, {}, for which the memory limit leaves no room\n",
                  pluralize(data.spilled.size(), "weight", "weights"), human_bytes(bytes));
  for (const SpilledWeight& weight : data.spilled) {
    out += fmt::format("  {:>10}  {}   {} {}, {} a run\n", human_bytes(weight.bytes),
                       printable(weight.name),
                       weight.streamed ? "streamed in every run to" : "its nodes are on cpu, not",
                       weight.device.str(), human_seconds(weight.seconds));
  }
  return out;
}

std::string size_lines(const PlacementData& data) {
  if (data.size_ranges.empty()) return "";
  std::string out = "\nsizes: " + size_ranges_sentence(data) + "\n";
  for (const PlacedRange& range : data.size_ranges) {
    std::vector<std::string> devices;
    for (const auto& [device, nodes] : range.nodes) {
      devices.push_back(fmt::format("{} {}", device.str(), nodes));
    }
    out += fmt::format("  {:>6} to {:<6}  {} to {}   {}\n", range.first, range.last,
                       human_seconds(range.first_seconds), human_seconds(range.last_seconds),
                       join(devices, devices.size()));
  }
  return out;
}

struct Comparison {
  double predicted, measured;
  std::string what;
};

std::string comparison_table(const char* title, std::vector<Comparison> items) {
  if (items.empty()) return "";
  std::ranges::stable_sort(items, std::ranges::greater(), [](const Comparison& item) {
    return std::abs(item.measured - item.predicted);
  });
  std::vector<std::vector<std::string>> rows{{"", "predicted", "measured", "error", title}};
  Comparison rest{};
  for (size_t i = 0; i < items.size(); ++i) {
    if (i >= kNodesShown) {
      rest.predicted += items[i].predicted;
      rest.measured += items[i].measured;
      continue;
    }
    rows.push_back({"", human_seconds(items[i].predicted), human_seconds(items[i].measured),
                    percent_off(items[i].predicted, items[i].measured), items[i].what});
  }
  if (items.size() > kNodesShown) {
    rows.push_back({"", human_seconds(rest.predicted), human_seconds(rest.measured),
                    percent_off(rest.predicted, rest.measured),
                    fmt::format("({} more)", items.size() - kNodesShown)});
  }
  return table(rows);
}

std::string measured_lines(const PlacementData& data, const Measured& measured) {
  if (!measured) return "";
  const double predicted = data.prediction.seconds, seconds = measured.run().seconds;
  std::string out =
      fmt::format("\nmeasured: {} a run; predicted {}, off by {}   kernels {}, copies {}\n",
                  human_seconds(seconds), human_seconds(predicted), percent_off(predicted, seconds),
                  human_seconds(measured.kernel_seconds()), human_seconds(measured.copy_seconds()));
  for (const DevicePlacement& device : data.devices) {
    const auto peak = measured.run().peak_bytes.find(device.device);
    if (peak == measured.run().peak_bytes.end()) continue;
    out += fmt::format("  peak on {}: {}; predicted {}\n", device.device.str(),
                       human_bytes(peak->second), human_bytes(device.memory.peak()));
  }
  std::vector<Comparison> nodes, copies;
  for (const NodePlacement& node : data.nodes) {
    if (const auto seconds_there = measured.node(node.name)) {
      nodes.push_back({own_seconds(node).value_or(0), *seconds_there,
                       fmt::format("{} ({})", printable(node.name), node.device.str())});
    }
  }
  for (const CopyPlacement& copy : data.copies) {
    if (const auto seconds_there = measured.copy(copy)) {
      copies.push_back({copy.seconds, *seconds_there,
                        fmt::format("{} {}", direction(copy), printable(copy.value))});
    }
  }
  return out + comparison_table("node", std::move(nodes)) +
         comparison_table("copy", std::move(copies));
}

}  // namespace

std::string placement_summary(const PlacementData& data) {
  const size_t total = data.nodes.size();
  const auto groups = reasons_elsewhere(data);
  size_t elsewhere = 0;
  std::vector<std::string> reasons;
  for (const ReasonGroup& group : groups) {
    elsewhere += group.nodes.size();
    reasons.push_back(fmt::format("{} {}", group.nodes.size(), group.reason));
  }
  std::string out =
      fmt::format("placed {}/{} nodes on {}", total - elsewhere, total, where_placed(data));
  if (elsewhere > 0) {
    out += fmt::format("; {} on cpu ({})", elsewhere, join(reasons, reasons.size()));
  }
  const RunCopies copies = run_copies(data);
  out += "; " + pluralize(static_cast<size_t>(copies.count), "copy", "copies");
  if (copies.count > 0) {
    out += fmt::format(", {}/run{}", about(copies.bytes(), copies.open), at_assumed_sizes(data));
  }
  return out;
}

std::string placement_text(const PlacementData& data, const MeasuredRun* measured) {
  return header(data) + device_table(data) + reason_groups(data) + copy_list(data) +
         island_line(data) + prediction_lines(data) + spill_lines(data) + rule_lines(data) +
         size_lines(data) + measured_lines(data, Measured(measured));
}

}  // namespace ferry
