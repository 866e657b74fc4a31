#include "placement/report/markdown.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/human.h"
#include "placement/report/facts.h"
#include "placement/report/report.h"

namespace ferry {

std::string markdown_code(std::string_view name) {
  const std::string text = printable(name);
  size_t longest = 0, run = 0;
  for (const char c : text) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  const std::string fence(longest + 1, '`'), blank(longest > 0 ? 1 : 0, ' ');
  std::string out = fence + blank;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out + blank + fence;
}

std::string markdown_plain(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    if (std::string_view("|*_`<[]\\").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

std::string markdown_row(const std::vector<std::string>& cells) {
  return "| " + join(cells, cells.size(), " | ") + " |\n";
}

std::string markdown_head(const std::vector<std::string>& cells, std::string_view align) {
  std::vector<std::string> rules;
  for (const char side : align) rules.push_back(side == 'r' ? "---:" : "---");
  return markdown_row(cells) + markdown_row(rules);
}

namespace {

// What a comment has room for; the other faces have all of them.
constexpr size_t kCopiesShown = 20, kNodesShown = 10;

std::string devices(const PlacementData& data) {
  std::string out =
      "\n" +
      markdown_head({"device", "nodes", "weights", "peak memory", "limit", "what it is"}, "lrrrrl");
  for (const DevicePlacement& device : data.devices) {
    const MemoryUse& memory = device.memory;
    out += markdown_row({markdown_code(device.device.str()), std::to_string(device.nodes),
                         human_bytes(device.weight_bytes),
                         human_bytes(memory.peak()) + (memory.known ? "" : " and more"),
                         memory.limit ? human_bytes(*memory.limit) : "",
                         markdown_plain(described(device))});
  }
  return out;
}

std::string prediction(const PlacementData& data, const Measured& measured) {
  const Prediction& predicted = data.prediction;
  if (predicted.profiles.empty() && predicted.seconds <= 0) return "";
  std::string out = "\n" + markdown_head({"placement", "predicted time of a run"}, "lr") +
                    markdown_row({"**this one**", "**" + human_seconds(predicted.seconds) + "**"});
  const auto other = [&](const char* what, const std::optional<double>& seconds) {
    if (seconds) out += markdown_row({what, human_seconds(*seconds)});
  };
  other("greedy: every node on the device that can run there", predicted.device_first_seconds);
  other("every node on the CPU", predicted.cpu_seconds);
  other("lower bound", predicted.lower_bound_seconds);
  if (measured) {
    out +=
        markdown_row({"measured (" + percent_off(predicted.seconds, measured.run().seconds) + ")",
                      human_seconds(measured.run().seconds)});
  }
  if (const std::string sizes = at_assumed_sizes(data); !sizes.empty()) {
    out += "\nSizes that were not given counted as 1:" + markdown_plain(sizes) + ".\n";
  }
  return out;
}

std::string reasons(const PlacementData& data) {
  const std::vector<ReasonGroup> groups = reasons_elsewhere(data);
  if (groups.empty()) return "";
  std::string out = "\n" + markdown_head({"nodes", "reason", "operators", "what it means"}, "rlll");
  std::string lists;
  for (const ReasonGroup& group : groups) {
    std::vector<std::string> ops;
    for (const auto& [op, count] : group.ops) {
      ops.push_back(markdown_code(op) + (count == 1 ? "" : fmt::format(" x{}", count)));
    }
    out += markdown_row({std::to_string(group.nodes.size()), markdown_code(group.reason),
                         join(ops, 8), std::string(reason_text(group.reason).meaning)});
    std::string nodes;
    for (size_t i = 0; i < group.nodes.size() && i < kNodesShown; ++i) {
      nodes += "- " + markdown_code(group.nodes[i]->name);
      if (!group.nodes[i]->detail.empty()) nodes += ": " + markdown_plain(group.nodes[i]->detail);
      nodes += "\n";
    }
    if (group.nodes.size() > kNodesShown) {
      nodes += fmt::format("- and {} more\n", group.nodes.size() - kNodesShown);
    }
    lists += fmt::format("\n<details><summary>{} nodes: {}</summary>\n\n{}\n</details>\n",
                         group.nodes.size(), group.reason, nodes);
  }
  return out + lists;
}

std::string copies(const PlacementData& data) {
  std::vector<const CopyPlacement*> of_runs;
  for (const CopyPlacement& copy : data.copies) {
    if (copy.when != "load") of_runs.push_back(&copy);
  }
  if (of_runs.empty()) return "";
  std::ranges::stable_sort(of_runs, std::ranges::greater(),
                           [](const CopyPlacement* copy) { return copy->bytes.value; });
  std::string out =
      "\n" +
      markdown_head({"copy", "from, to", "bytes", "when", "producer", "consumers"}, "llrlll");
  for (size_t i = 0; i < of_runs.size() && i < kCopiesShown; ++i) {
    const CopyPlacement& copy = *of_runs[i];
    std::vector<std::string> consumers;
    for (const std::string& name : copy.consumers) consumers.push_back(markdown_code(name));
    const std::string when = occasion(copy);
    out += markdown_row({markdown_code(copy.value), copy.from.str() + " → " + copy.to.str(),
                         markdown_plain(size_of(copy.bytes)), when.empty() ? "each run" : when,
                         markdown_code(copy.producer), join(consumers, 3)});
  }
  if (of_runs.size() > kCopiesShown) {
    out += fmt::format("\nand {} smaller copies\n", of_runs.size() - kCopiesShown);
  }
  return out;
}

std::string rules_and_sizes(const PlacementData& data) {
  std::string out;
  for (const RuleMatch& rule : data.rules) {
    out +=
        fmt::format("\n- rule {}: {} on {}", markdown_code(rule.rule),
                    pluralize(static_cast<size_t>(rule.nodes), "node", "nodes"), rule.device.str());
  }
  for (const SpilledWeight& weight : data.spilled) {
    out += fmt::format("\n- spilled {} ({}): {}", markdown_code(weight.name),
                       human_bytes(weight.bytes),
                       weight.streamed ? "streamed in every run" : "its nodes are on the CPU");
  }
  if (const std::string sizes = size_ranges_sentence(data); !sizes.empty()) {
    out += "\n- sizes: " + markdown_plain(sizes);
  }
  return out.empty() ? "" : out + "\n";
}

}  // namespace

std::string placement_markdown(const PlacementData& data, const MeasuredRun* measured) {
  return "**" + markdown_plain(data.model) + "**: " + markdown_plain(placement_summary(data)) +
         "\n" + devices(data) + prediction(data, Measured(measured)) + reasons(data) +
         copies(data) + rules_and_sizes(data);
}

}  // namespace ferry
