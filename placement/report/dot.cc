#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/human.h"
#include "placement/report/facts.h"
#include "placement/report/report.h"

// Graphviz takes minutes for graphs of many nodes, so large ones show their islands alone.
namespace ferry {
namespace {

constexpr size_t kNodeLimit = 1500, kNameWidth = 40;

// Fills of clusters, by the order of devices in the report.
constexpr std::string_view kFills[] = {"#eeeeee", "#d7eef8", "#fff1cc", "#ddf3e4", "#f5e3ee"};

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : printable(text)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

// Two lines in one label.
std::string two_lines(std::string_view first, std::string_view second) {
  std::string out = quoted(first), below = quoted(second);
  out.pop_back();
  return out + "\\n" + below.substr(1);
}

std::string shortened(const std::string& name) {
  if (name.size() <= kNameWidth) return name;
  const size_t half = (kNameWidth - 3) / 2;
  return name.substr(0, half) + "..." + name.substr(name.size() - half);
}

// Wider for more bytes: 1 for a few, 6 for a GiB.
double pen_width(int64_t bytes) {
  return 1 + std::log2(1 + static_cast<double>(std::max<int64_t>(0, bytes)) / 1024) / 4;
}

class DotWriter {
 public:
  explicit DotWriter(const PlacementData& data) : data_(data), islands_(islands_of(data)) {
    for (size_t i = 0; i < data.nodes.size(); ++i) ids_[data.nodes[i].name] = i;
    for (size_t i = 0; i < islands_.size(); ++i) {
      for (size_t n = 0; n < islands_[i].count; ++n) island_of_.push_back(i);
    }
  }

  std::string write() && {
    const bool whole = data_.nodes.size() <= kNodeLimit;
    std::string title = printable(data_.model) + ": " + placement_summary(data_);
    if (!whole) {
      title += fmt::format(". Its {} islands alone: more than {} nodes",
                           std::min(islands_.size(), kNodeLimit), kNodeLimit);
      if (islands_.size() > kNodeLimit) title += fmt::format(", {} islands", islands_.size());
    }
    line("digraph placement {{");
    line("  label={}; labelloc=t; fontname=\"sans-serif\";", quoted(title));
    line("  node [shape=box, style=filled, fillcolor=white, fontname=\"sans-serif\"];");
    line("  edge [fontname=\"sans-serif\", fontsize=10];");
    if (whole) {
      clusters();
      edges_within(data_.graph, "");
      copies();
    } else {
      island_graph();
    }
    line("}}");
    return std::move(out_);
  }

 private:
  template <typename... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
    out_ += '\n';
  }

  std::string_view fill_of(Device device) const {
    const auto at = std::ranges::find(data_.devices, device, &DevicePlacement::device);
    return kFills[static_cast<size_t>(at - data_.devices.begin()) % std::size(kFills)];
  }

  // "sim:0 (simulated)"
  std::string name_of(Device device) const {
    const auto at = std::ranges::find(data_.devices, device, &DevicePlacement::device);
    const std::string words = at == data_.devices.end() ? "" : caveat(*at);
    return device.str() + (words.empty() ? "" : " (" + words + ")");
  }

  void clusters() {
    for (const Island& island : islands_) {
      line("  subgraph cluster_{} {{", island.id);
      line("    label={}; style=filled; fillcolor=\"{}\";",
           quoted(fmt::format("{}: {}", island.id, name_of(island.device))),
           fill_of(island.device));
      for (size_t i = island.first; i < island.first + island.count; ++i) {
        const NodePlacement& node = data_.nodes[i];
        line("    n{} [label={}, tooltip={}];", i,
             two_lines(node.op, shortened(printable(node.name))),
             quoted(node.name + ": " + node.reason +
                    (node.detail.empty() ? "" : ", " + node.detail)));
      }
      line("  }}");
    }
  }

  // From writer to reader, what insert_copies put between them apart; dashed into a body.
  void edges_within(const Graph& graph, const std::string& owner) {
    for (const NodeId id : graph.order()) {
      const Node& node = graph.node(id);
      const auto reader = ids_.find(node.name);
      if (reader == ids_.end()) continue;
      std::set<std::string> writers;
      for (const auto* values : {&node.inputs, &node.captures}) {
        for (const ValueId value : *values) {
          if (value == kNoValue || graph.value(value).is_constant()) continue;
          const NodeId producer = graph.value(value).producer;
          writers.insert(producer == kNoNode ? owner : graph.node(producer).name);
        }
      }
      for (const std::string& name : writers) {
        const auto writer = ids_.find(name);
        if (writer == ids_.end()) continue;  // an input of the model, or a copy
        line("  n{} -> n{}{};", writer->second, reader->second,
             name == owner ? " [style=dashed]" : "");
      }
      for (const auto& body : node.bodies) edges_within(*body, node.name);
    }
  }

  // The node of this name, or a point outside that is made for it.
  std::string end_of(const std::string& name, const std::string& value) {
    if (const auto at = ids_.find(name); at != ids_.end()) return fmt::format("n{}", at->second);
    const auto [at, added] = outside_.emplace(name + " " + value, outside_.size());
    if (added) {
      line("  x{} [label={}, shape=ellipse, fillcolor=\"#ffffff\"];", at->second,
           two_lines(name, shortened(printable(value))));
    }
    return fmt::format("x{}", at->second);
  }

  void copies() {
    for (const CopyPlacement& copy : data_.copies) {
      if (copy.when == "load") continue;
      const std::string from = end_of(copy.producer, copy.value);
      for (const std::string& consumer : copy.consumers) {
        const std::string to = end_of(consumer, copy.value);
        line("  {} -> {} [label={}, color=\"#c0392b\", penwidth={:.1f}];", from, to,
             two_lines(fmt::format("{} {}", direction(copy), size_of(copy.bytes)),
                       shortened(printable(copy.value))),
             pen_width(copy.bytes.value));
      }
    }
  }

  void island_graph() {
    const size_t shown = std::min(islands_.size(), kNodeLimit);
    for (size_t i = 0; i < shown; ++i) {
      const Island& island = islands_[i];
      double seconds = 0;
      for (size_t n = island.first; n < island.first + island.count; ++n) {
        seconds += own_seconds(data_.nodes[n]).value_or(0);
      }
      line("  i{} [label={}, fillcolor=\"{}\"];", i,
           two_lines(fmt::format("{}: {}", island.id, name_of(island.device)),
                     pluralize(island.count, "node", "nodes") +
                         (seconds > 0 ? ", " + human_seconds(seconds) : "")),
           fill_of(island.device));
      if (i > 0) line("  i{} -> i{} [style=dotted, arrowhead=none];", i - 1, i);
    }
    struct Sum {
      int count = 0;
      int64_t bytes = 0;
    };
    std::map<std::pair<size_t, size_t>, Sum> sums;
    for (const CopyPlacement& copy : data_.copies) {
      const auto from = ids_.find(copy.producer);
      if (copy.when == "load" || from == ids_.end()) continue;
      for (const std::string& consumer : copy.consumers) {
        const auto to = ids_.find(consumer);
        if (to == ids_.end()) continue;
        Sum& sum = sums[{island_of_[from->second], island_of_[to->second]}];
        ++sum.count;
        sum.bytes += copy.bytes.value;
      }
    }
    for (const auto& [ends, sum] : sums) {
      if (ends.first == ends.second || ends.first >= shown || ends.second >= shown) continue;
      line("  i{} -> i{} [label={}, color=\"#c0392b\", penwidth={:.1f}];", ends.first, ends.second,
           two_lines(pluralize(static_cast<size_t>(sum.count), "copy", "copies"),
                     human_bytes(sum.bytes)),
           pen_width(sum.bytes));
    }
  }

  const PlacementData& data_;
  const std::vector<Island> islands_;
  std::vector<size_t> island_of_;  // of each node
  std::map<std::string, size_t> ids_, outside_;
  std::string out_;
};

}  // namespace

std::string placement_dot(const PlacementData& data) { return DotWriter(data).write(); }

}  // namespace ferry
