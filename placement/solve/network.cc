#include "placement/solve/network.h"

#include <algorithm>

#include "core/checked.h"
#include "placement/solve/body_interface.h"

namespace ferry {
namespace {

using End = AssignmentProblem::End;
constexpr End kHost{-1, 0};

// What exceeds 64 bits is as long as can be.
int64_t times(int64_t cost, int64_t trips) {
  return checked_mul(cost, trips).value_or(kForbidden - 1);
}

// What is the same of a node's ports on whichever device it runs.
struct NodePorts {
  Ports host_inputs, metadata_inputs, host_outputs;
};

class Builder {
 public:
  Builder(PlacementNetwork& network, const NetworkFacts& facts)
      : network_(network), facts_(facts), devices_(static_cast<int>(facts.costs.devices.size())) {
    network_.problem.devices = devices_;
  }

  // `inputs` and `outputs`: where the graph's are; `captured`: the value of the problem that each
  // capture is, or kNone.
  void add(Graph& graph, int64_t trips, const std::vector<End>& inputs,
           const std::vector<End>& outputs, const std::vector<int>& captured, bool in_body) {
    std::vector<int> index(static_cast<size_t>(graph.value_count()), kNone);
    if (facts_.weight_price) add_weights(graph, in_body, index);
    for (size_t i = 0; i < inputs.size(); ++i) {
      index[graph.inputs()[i]] = add_value(graph, graph.inputs()[i], inputs[i], trips);
    }
    for (size_t i = 0; i < captured.size(); ++i) index[graph.captures()[i]] = captured[i];
    for (const NodeId id : graph.order()) add_node(graph, id, trips, index);
    for (size_t i = 0; i < outputs.size(); ++i) read(index[graph.outputs()[i]], outputs[i]);
  }

 private:
  static constexpr int kNone = -1;

  // Of a time from each device to each.
  size_t matrix_size() const {
    return static_cast<size_t>(devices_) * static_cast<size_t>(devices_);
  }

  int push(AssignmentProblem::Value value) {
    network_.problem.values.push_back(std::move(value));
    return static_cast<int>(network_.problem.values.size()) - 1;
  }

  int add_value(const Graph& graph, ValueId id, End writer, int64_t trips) {
    const Value& value = graph.value(id);
    if (value.is_constant()) return kNone;
    AssignmentProblem::Value entry;
    entry.writer = writer;
    entry.copy.assign(matrix_size(), kForbidden);
    if (value.type.kind == Type::Kind::tensor) {
      const double bytes = assumed_bytes(value.type, facts_.sizes);
      for (int from = 0; from < devices_; ++from) {
        for (int to = 0; to < devices_; ++to) {
          entry.copy[static_cast<size_t>(from) * static_cast<size_t>(devices_) +
                     static_cast<size_t>(to)] = times(facts_.costs.copy(bytes, from, to), trips);
        }
      }
    }
    return push(std::move(entry));
  }

  void add_weights(const Graph& graph, bool in_body, std::vector<int>& index) {
    for (ValueId id = 0; id < graph.value_count(); ++id) {
      const Value& weight = graph.value(id);
      if (!weight.is_constant()) continue;
      AssignmentProblem::Value entry;
      entry.copy.assign(matrix_size(), 0);
      for (int d = 1; d < devices_; ++d) {
        entry.copy[d] = facts_.weight_price(weight, d, in_body);
      }
      index[id] = push(std::move(entry));
    }
  }

  void read(int value, End reader) {
    if (value != kNone) {
      network_.problem.values[value].readers.push_back(reader);
    }
  }

  void add_node(Graph& graph, NodeId id, int64_t trips, std::vector<int>& index) {
    const Node& node = graph.node(id);
    const int self = static_cast<int>(network_.problem.items.size());
    const NodePorts ports = add_item(graph, id, trips);
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const int port = static_cast<int>(i);
      if (node.inputs[i] == kNoValue || ports.metadata_inputs.contains(port)) continue;
      read(index[node.inputs[i]], ports.host_inputs.contains(port) ? kHost : End{self});
    }
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] == kNoValue) continue;
      const End writer = ports.host_outputs.contains(static_cast<int>(i)) ? kHost : End{self};
      index[node.outputs[i]] = add_value(graph, node.outputs[i], writer, trips);
    }
    if (!node.bodies.empty()) add_bodies(graph, id, End{self}, trips, index);
  }

  NodePorts add_item(Graph& graph, NodeId id, int64_t trips) {
    const Node& node = graph.node(id);
    const Work work = work_of(graph, node, facts_.sizes);
    AssignmentProblem::Item item;
    item.allowed = facts_.allowed(node);
    NodePorts ports{.metadata_inputs = Ports::all()};
    for (int d = 0; d < devices_; ++d) {
      const auto at = static_cast<size_t>(d);
      const NodeCapability there = facts_.capability.ask(graph, node, facts_.costs.devices[at]);
      int64_t cost = kForbidden;
      if (there.support.ok) {
        cost = node_picoseconds(work, facts_.costs.profiles[at]);
        if (there.read_back > 0) {
          cost += facts_.costs.copy(static_cast<double>(there.read_back), d, 0);
        }
        cost = times(cost, trips);
      }
      item.cost.push_back(cost);
      if (there.support.ok) ports.metadata_inputs.bits &= there.metadata_inputs.bits;
      if (d == 0) continue;
      ports.host_inputs.bits |= there.host_inputs.bits;
      ports.host_outputs.bits |= there.host_outputs.bits;
    }
    network_.problem.items.push_back(std::move(item));
    network_.nodes.push_back({&graph, id, work, trips});
    return ports;
  }

  void add_bodies(Graph& graph, NodeId id, End self, int64_t trips, const std::vector<int>& index) {
    const Node& node = graph.node(id);
    const BodyInterface interface(node);
    const int64_t inner_trips = times(trips, trips_of(graph, node, facts_.sizes));
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
      add(*body, inner_trips, inputs, outputs, captured, /*in_body=*/true);
    }
  }

  PlacementNetwork& network_;
  const NetworkFacts& facts_;
  const int devices_;
};

}  // namespace

int64_t trips_of(const Graph& graph, const Node& node, AssumedSizes& sizes) {
  const BodyRule* bodies = node.op.rule().bodies;
  if (bodies == nullptr) return kAssumedTrips;
  const std::optional<int64_t> trips = sizes.of(bodies->trips(graph, node));
  return std::max<int64_t>(1, trips.value_or(kAssumedTrips));
}

PlacementNetwork network_of(Graph& graph, const NetworkFacts& facts) {
  PlacementNetwork network;
  std::vector<End> outputs;
  for (size_t i = 0; i < graph.outputs().size(); ++i) {
    outputs.push_back({-1, facts.costs.index_of(delivered_on(graph, facts.request, i))});
  }
  Builder(network, facts)
      .add(graph, 1, std::vector<End>(graph.inputs().size(), kHost), outputs, {},
           /*in_body=*/false);
  return network;
}

}  // namespace ferry
