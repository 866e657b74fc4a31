#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "core/human.h"
#include "placement/placement.h"
#include "placement/solve/cost_model.h"

namespace ferry {
namespace {

// One graph. Values are looked at in execution order, so that what a node reads is decided before
// it is: a value is brought to a device by the cheaper of its copy and its node computed there.
class Recomputing {
 public:
  Recomputing(Graph& graph, const Assigning& with, Decisions& decisions,
              std::vector<std::set<Device>> readers)
      : graph_(graph),
        with_(with),
        decisions_(decisions),
        sizes_(with.request.dims),
        readers_(std::move(readers)) {
    for (const NodeId id : graph_.order()) {
      captured_.insert(graph_.node(id).captures.begin(), graph_.node(id).captures.end());
    }
  }

  bool run() {
    const std::vector<NodeId> order = graph_.order();
    for (const NodeId id : order) {
      for (const Device device : wanted_on(id)) consider(id, device);
    }
    return !computed_.empty();
  }

 private:
  // What a node would cost on a device where it is not.
  struct Cost {
    bool possible = false;
    int64_t picoseconds = 0;
    std::vector<NodeId> nodes;  // to compute there, in execution order
  };

  Device home_of(ValueId value) const {
    const NodeId producer = graph_.value(value).producer;
    if (producer == kNoNode) return Device::cpu();
    const Node& node = graph_.node(producer);
    const Ports on_host = with_.capability.ask(graph_, node, node.device).host_outputs;
    return on_host.contains(graph_.value(value).producer_output) ? Device::cpu() : node.device;
  }

  // The devices to which copies would bring what the node writes.
  std::set<Device> wanted_on(NodeId id) const {
    std::set<Device> out;
    for (const ValueId output : graph_.node(id).outputs) {
      if (output == kNoValue) continue;
      const Device home = home_of(output);
      for (const Device device : readers_[output]) {
        if (device != home) out.insert(device);
      }
    }
    return out;
  }

  int64_t copy_time(ValueId value, Device device) {
    const double bytes = assumed_bytes(graph_.value(value).type, sizes_);
    return with_.costs.copy(bytes, with_.costs.index_of(home_of(value)),
                            with_.costs.index_of(device));
  }

  bool may_compute(const Node& node, Device device, const NodeCapability& there) const {
    const auto decision = decisions_.find(node.name);
    return decision != decisions_.end() && node.bodies.empty() && !node.op.rule().random &&
           there.support.ok && there.read_back == 0 && there.table_bytes == 0 &&
           decision->second.reason != ReasonCode::pinned &&
           (decision->second.allowed >> with_.costs.index_of(device) & 1);
  }

  // The cost of having `value` on `device`, where no copy brings it yet.
  Cost bring(ValueId value, Device device, int depth) {
    const Value& v = graph_.value(value);
    if (v.is_constant() || home_of(value) == device || readers_[value].contains(device) ||
        computed_.contains({v.producer, device})) {
      return {.possible = true, .picoseconds = 0, .nodes = {}};
    }
    if (v.producer == kNoNode || depth == 0) return {};  // never a further copy
    return compute(v.producer, device, depth - 1);
  }

  Cost compute(NodeId id, Device device, int depth) {
    const Node& node = graph_.node(id);
    const NodeCapability there = with_.capability.ask(graph_, node, device);
    if (!may_compute(node, device, there)) return {};
    const auto d = static_cast<size_t>(with_.costs.index_of(device));
    Cost cost{
        .possible = true,
        .picoseconds = node_picoseconds(work_of(graph_, node, sizes_), with_.costs.profiles[d]),
        .nodes = {}};
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      // What the host writes is on the host wherever the node runs.
      if (there.host_outputs.contains(static_cast<int>(i)) && !device.is_cpu()) return {};
    }
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const int port = static_cast<int>(i);
      if (node.inputs[i] == kNoValue || there.metadata_inputs.contains(port)) continue;
      // What the host reads has to be there anyway: nodes of two devices are never added for one.
      const bool on_host = there.host_inputs.contains(port);
      const Cost input =
          bring(node.inputs[i], on_host ? Device::cpu() : device, on_host ? 0 : depth);
      if (!input.possible) return {};
      cost.picoseconds += input.picoseconds;
      cost.nodes.insert(cost.nodes.end(), input.nodes.begin(), input.nodes.end());
    }
    cost.nodes.push_back(id);
    return cost;
  }

  void consider(NodeId id, Device device) {
    constexpr int kDepth = 8;
    int64_t copies = 0;
    for (const ValueId output : graph_.node(id).outputs) {
      if (output == kNoValue || !readers_[output].contains(device)) continue;
      const bool is_tensor = graph_.value(output).type.kind == Type::Kind::tensor;
      if (!is_tensor || captured_.contains(output)) return;
      copies += copy_time(output, device);
    }
    const Cost cost = compute(id, device, kDepth);
    if (!cost.possible || cost.picoseconds >= copies) return;
    for (const NodeId node : cost.nodes) {
      if (!computed_.contains({node, device})) add_clone(node, device, copies - cost.picoseconds);
    }
    for (const ValueId output : graph_.node(id).outputs) {
      if (output != kNoValue) read_there(output, clone_of(output, device), device);
    }
  }

  ValueId clone_of(ValueId value, Device device) const {
    const Value& v = graph_.value(value);
    const auto at = computed_.find({v.producer, device});
    return at == computed_.end() ? value : graph_.node(at->second).outputs[v.producer_output];
  }

  void add_clone(NodeId id, Device device, int64_t saved) {
    Node node = graph_.node(id);
    const std::string original = node.name;
    node.name += "@" + device.str();
    node.device = device;
    const NodeCapability there = with_.capability.ask(graph_, graph_.node(id), device);
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const bool on_host = there.host_inputs.contains(static_cast<int>(i));
      if (node.inputs[i] != kNoValue && !on_host) {
        node.inputs[i] = clone_of(node.inputs[i], device);
      }
    }
    for (ValueId& output : node.outputs) {
      if (output == kNoValue) continue;
      Value again;
      again.name = graph_.unique_name(graph_.value(output).name + "@" + device.str());
      again.type = graph_.value(output).type;
      again.contents = graph_.value(output).contents;
      output = graph_.add_value(std::move(again));
      readers_.resize(static_cast<size_t>(graph_.value_count()));
    }
    Decision decision = decisions_.at(original);
    decision.reason = ReasonCode::cheaper_here;
    decision.detail = "computed here again: a run takes " +
                      human_seconds(static_cast<double>(saved) * 1e-12) + " less than with a copy";
    decision.moves.clear();
    decisions_.emplace(node.name, std::move(decision));
    const auto& order = graph_.order();
    const auto after = std::ranges::find(order, id) + 1;
    computed_[{id, device}] = after == order.end()
                                  ? graph_.add_node(std::move(node))
                                  : graph_.add_node_before(*after, std::move(node));
  }

  // Readers on `device` read `clone` instead of `value`.
  void read_there(ValueId value, ValueId clone, Device device) {
    readers_[value].erase(device);
    readers_[clone].insert(device);
    for (const NodeId reader : graph_.order()) {
      Node& node = graph_.node(reader);
      const NodeCapability ports = with_.capability.ask(graph_, node, node.device);
      for (size_t i = 0; i < node.inputs.size(); ++i) {
        const int port = static_cast<int>(i);
        if (node.inputs[i] != value || ports.metadata_inputs.contains(port)) continue;
        const bool on_host = ports.host_inputs.contains(port);
        if ((on_host ? Device::cpu() : node.device) == device) node.inputs[i] = clone;
      }
    }
    std::vector<ValueId> outputs = graph_.outputs();
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i] == value && delivered_on(graph_, with_.request, i) == device) {
        outputs[i] = clone;
      }
    }
    graph_.set_outputs(std::move(outputs));
  }

  Graph& graph_;
  const Assigning& with_;
  Decisions& decisions_;
  AssumedSizes sizes_;
  std::vector<std::set<Device>> readers_;  // where each value is read, by value id
  std::set<ValueId> captured_;             // by bodies
  std::map<std::pair<NodeId, Device>, NodeId> computed_;
};

}  // namespace

bool recompute(Graph& graph, const Assigning& with, Decisions& decisions) {
  return Recomputing(graph, with, decisions, readers_of(graph, with.request, with.capability))
      .run();
}

}  // namespace ferry
