#include "cli/compare_nodes.h"

#include <algorithm>
#include <map>

#include "ferry/error.h"
#include "placement/placement.h"

namespace ferry::cli {
namespace {

// What a node of a placed graph reads, through the copies.
class PlacedGraph {
 public:
  explicit PlacedGraph(const Graph& graph) : graph_(graph) {
    for (const NodeId id : graph.order()) {
      if (graph.node(id).is_copy()) continue;
      order_.push_back(id);
      by_name_[graph.node(id).name] = id;
    }
  }

  const std::vector<NodeId>& order() const { return order_; }  // without copies
  const Node& node(NodeId id) const { return graph_.node(id); }
  const Node* find(const std::string& name) const {
    const auto at = by_name_.find(name);
    return at == by_name_.end() ? nullptr : &graph_.node(at->second);
  }
  const std::vector<ValueId>& outputs() const { return graph_.outputs(); }
  // The value's name, of a copy its source's.
  const std::string& name_of(ValueId id) const {
    for (NodeId maker = graph_.value(id).producer; maker != kNoNode && graph_.node(maker).is_copy();
         maker = graph_.value(id).producer) {
      id = graph_.node(maker).inputs[0];
    }
    return graph_.value(id).name;
  }
  bool can_be_wanted(ValueId id) const {
    return id != kNoValue && graph_.value(id).type.kind == Type::Kind::tensor &&
           !graph_.value(id).is_constant();
  }

 private:
  const Graph& graph_;
  std::vector<NodeId> order_;
  std::map<std::string, NodeId> by_name_;
};

}  // namespace

double NodeComparison::worst() const {
  double out = 0;
  for (const ValueComparison& value : values) out = std::max(out, value.comparison.worst);
  return out;
}

bool NodeComparison::same() const {
  return std::ranges::all_of(values, [](const auto& value) { return value.comparison.same(); });
}

NodeComparer::NodeComparer(const Model& a, const Model& b, const Inputs& inputs,
                           const Tolerances& tolerances)
    : a_(a), b_(b), inputs_(inputs), tolerances_(tolerances) {
  const PlacedGraph graph_a(a.placement().data()->graph), graph_b(b.placement().data()->graph);
  for (const NodeId id : graph_a.order()) {
    const Node& node = graph_a.node(id);
    const Node* const other = graph_b.find(node.name);
    if (other == nullptr || other->op != node.op) {
      throw Error(ErrorCode::internal,
                  "'" + node.name + "' is a node of one placement and not of the other.");
    }
    const size_t position = steps_.size();
    Step step{node.name, node.op, node.device, other->device, {}};
    for (const auto* list : {&node.inputs, &node.captures}) {
      for (const ValueId input : *list) {
        if (input != kNoValue) last_read_by_[graph_a.name_of(input)] = position;
      }
    }
    for (const ValueId output : node.outputs) {
      if (!graph_a.can_be_wanted(output)) continue;
      step.values.push_back(graph_a.name_of(output));
      written_by_[step.values.back()] = position;
      values_.push_back(step.values.back());
    }
    steps_.push_back(std::move(step));
  }
  for (const ValueId output : graph_a.outputs()) {
    last_read_by_[graph_a.name_of(output)] = steps_.size();
  }
}

std::vector<ValueComparison> NodeComparer::compare_values(const std::vector<std::string>& names,
                                                          int64_t* bytes) const {
  std::vector<ValueComparison> out;
  if (names.empty()) return out;
  RunOptions options;
  options.outputs = names;
  const Outputs of_a = a_.run(inputs_, options), of_b = b_.run(inputs_, options);
  for (size_t i = 0; i < names.size(); ++i) {
    const Tensor a = of_a[i].cpu(), b = of_b[i].cpu();
    if (bytes != nullptr) *bytes += static_cast<int64_t>(b.nbytes());
    const Tolerance tolerance = tolerances_.of(names[i], b.dtype());
    out.push_back({names[i], tolerance, compare(a, b, tolerance)});
  }
  return out;
}

NodeComparison NodeComparer::compare_step(const Step& step) const {
  return {step.node, step.op, step.device_a, step.device_b, compare_values(step.values)};
}

std::vector<NodeComparison> NodeComparer::every_node(const Progress& progress,
                                                     int64_t budget) const {
  std::vector<NodeComparison> out;
  size_t group = 16;  // nodes of one run; follows what the run before weighed
  for (size_t first = 0; first < steps_.size();) {
    const size_t end = std::min(steps_.size(), first + group);
    std::vector<std::string> names;
    for (size_t i = first; i < end; ++i) {
      names.insert(names.end(), steps_[i].values.begin(), steps_[i].values.end());
    }
    int64_t bytes = 0;
    std::vector<ValueComparison> values = compare_values(names, &bytes);
    auto next = std::make_move_iterator(values.begin());
    for (; first < end; ++first) {
      const Step& step = steps_[first];
      const auto own = next + static_cast<ptrdiff_t>(step.values.size());
      out.push_back({step.node, step.op, step.device_a, step.device_b, {next, own}});
      next = own;
    }
    group = bytes < budget / 2 ? group * 2
            : bytes > budget   ? std::max<size_t>(1, group / 2)
                               : group;
    progress(first, steps_.size());
  }
  return out;
}

std::vector<std::string> NodeComparer::crossing(size_t position) const {
  std::vector<std::string> out;
  for (const std::string& value : values_) {
    const auto read = last_read_by_.find(value);
    if (written_by_.at(value) < position && read != last_read_by_.end() &&
        read->second >= position) {
      out.push_back(value);
    }
  }
  return out;
}

std::optional<FirstDifference> NodeComparer::first_difference(const Progress& progress) const {
  FirstDifference out;
  const auto same_behind = [&](size_t position) {
    ++out.runs;
    return std::ranges::all_of(compare_values(crossing(position)),
                               [](const auto& value) { return value.comparison.same(); });
  };
  size_t same = 0, differs = steps_.size();
  if (steps_.empty() || same_behind(differs)) return std::nullopt;
  while (differs - same > 1) {
    progress(steps_.size() - (differs - same), steps_.size());
    const size_t middle = same + (differs - same) / 2;
    (same_behind(middle) ? same : differs) = middle;
  }
  ++out.runs;
  out.node = compare_step(steps_[same]);
  return out;
}

}  // namespace ferry::cli
