#include "placement/network.h"

#include <algorithm>

#include "core/checked.h"
#include "placement/body_interface.h"

namespace ferry {
namespace {

using End = CutProblem::End;
constexpr End kHost{-1, Side::host};

// What exceeds 64 bits is as long as can be.
int64_t times(int64_t cost, int64_t trips) {
  return checked_mul(cost, trips).value_or(kForbidden - 1);
}

class Builder {
 public:
  Builder(PlacementNetwork& network, const NetworkFacts& facts)
      : network_(network), facts_(facts) {}

  // `inputs` and `outputs`: where the graph's are; `captured`: the value of the problem that each
  // capture is, or kNone.
  void add(Graph& graph, int64_t trips, const std::vector<End>& inputs,
           const std::vector<End>& outputs, const std::vector<int>& captured) {
    std::vector<int> index(static_cast<size_t>(graph.value_count()), kNone);
    for (size_t i = 0; i < inputs.size(); ++i) {
      index[graph.inputs()[i]] = add_value(graph, graph.inputs()[i], inputs[i], trips);
    }
    for (size_t i = 0; i < captured.size(); ++i) index[graph.captures()[i]] = captured[i];
    for (const NodeId id : graph.order()) add_node(graph, id, trips, index);
    for (size_t i = 0; i < outputs.size(); ++i) read(index[graph.outputs()[i]], outputs[i]);
  }

 private:
  static constexpr int kNone = -1;

  int add_value(const Graph& graph, ValueId id, End writer, int64_t trips) {
    const Value& value = graph.value(id);
    if (value.is_constant()) return kNone;
    CutProblem::Value entry{.writer = writer, .readers = {}, .copy = {kForbidden, kForbidden}};
    if (value.type.kind == Type::Kind::tensor) {
      const double bytes = assumed_bytes(value.type, facts_.sizes);
      entry.copy.fill(times(copy_picoseconds(bytes, facts_.link), trips));
    }
    network_.problem.values.push_back(std::move(entry));
    return static_cast<int>(network_.problem.values.size()) - 1;
  }

  void read(int value, End reader) {
    if (value != kNone)
      network_.problem.values[static_cast<size_t>(value)].readers.push_back(reader);
  }

  void add_node(Graph& graph, NodeId id, int64_t trips, std::vector<int>& index) {
    const Node& node = graph.node(id);
    const NodeCapability on_host = facts_.capability.ask(graph, node, Device::cpu());
    const NodeCapability there = facts_.capability.ask(graph, node, facts_.request.device);
    const End self{static_cast<int>(network_.problem.items.size())};
    network_.nodes.emplace_back(&graph, id);
    network_.problem.items.push_back(item_of(graph, node, on_host, there, trips));
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const int port = static_cast<int>(i);
      if (node.inputs[i] == kNoValue) continue;
      if (on_host.metadata_inputs.contains(port) && there.metadata_inputs.contains(port)) continue;
      read(index[node.inputs[i]], there.host_inputs.contains(port) ? kHost : self);
    }
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] == kNoValue) continue;
      const End writer = there.host_outputs.contains(static_cast<int>(i)) ? kHost : self;
      index[node.outputs[i]] = add_value(graph, node.outputs[i], writer, trips);
    }
    if (!node.bodies.empty()) add_bodies(graph, id, self, trips, index);
  }

  CutProblem::Item item_of(const Graph& graph, const Node& node, const NodeCapability& on_host,
                           const NodeCapability& there, int64_t trips) const {
    const Work work = work_of(graph, node, facts_.sizes);
    CutProblem::Item item{{kForbidden, kForbidden}};
    if (on_host.support.ok) item.cost[0] = times(node_picoseconds(work, facts_.host), trips);
    if (there.support.ok && !facts_.host_only(node)) {
      int64_t cost = node_picoseconds(work, facts_.device);
      if (there.read_back > 0) {
        cost += copy_picoseconds(there.read_back, facts_.link);
      }
      item.cost[1] = times(cost, trips);
    }
    return item;
  }

  void add_bodies(Graph& graph, NodeId id, End self, int64_t trips, const std::vector<int>& index) {
    const Node& node = graph.node(id);
    const BodyInterface interface(node);
    const int64_t inner_trips = times(trips, trips_of(graph, node));
    std::vector<int> captured;
    for (const ValueId value : node.captures) captured.push_back(index[value]);
    for (const auto& body : node.bodies) {
      std::vector<End> inputs, outputs;
      for (size_t i = 0; i < body->inputs().size(); ++i) {
        inputs.push_back(interface.input_on_host(i) ? kHost : self);
      }
      for (size_t i = 0; i < body->outputs().size(); ++i) {
        outputs.push_back(interface.output_on_host(i) ? kHost : self);
      }
      add(*body, inner_trips, inputs, outputs, captured);
    }
  }

  int64_t trips_of(const Graph& graph, const Node& node) const {
    if (node.op == "If") return 1;
    if (node.op == "Scan") return scan_trips(graph, node);
    if (node.op == "Loop" && node.inputs[0] != kNoValue &&
        graph.value(node.inputs[0]).is_constant()) {
      return std::max<int64_t>(1, graph.value(node.inputs[0]).constant.span<int64_t>()[0]);
    }
    return kAssumedTrips;
  }

  // The size of the first scanned input along its axis.
  int64_t scan_trips(const Graph& graph, const Node& node) const {
    const auto scanned = static_cast<size_t>(node.attributes.get_int("num_scan_inputs"));
    const auto& shape = graph.value(node.inputs[node.inputs.size() - scanned]).type.shape;
    if (!shape) return kAssumedTrips;
    const int64_t axis = node.attributes.get_ints("scan_input_axes")[0];
    const Dim& size = (*shape)[static_cast<size_t>(axis < 0 ? axis + std::ssize(*shape) : axis)];
    return std::max<int64_t>(1, facts_.sizes.of(size).value_or(kAssumedTrips));
  }

  PlacementNetwork& network_;
  const NetworkFacts& facts_;
};

}  // namespace

PlacementNetwork network_of(Graph& graph, const NetworkFacts& facts) {
  PlacementNetwork network;
  std::vector<End> outputs;
  for (size_t i = 0; i < graph.outputs().size(); ++i) {
    const bool on_host = delivered_on(graph, facts.request, i).is_cpu();
    outputs.push_back({-1, on_host ? Side::host : Side::device});
  }
  Builder(network, facts)
      .add(graph, 1, std::vector<End>(graph.inputs().size(), kHost), outputs, {});
  return network;
}

}  // namespace ferry
