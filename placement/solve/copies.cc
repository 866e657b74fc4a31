#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/function_ref.h"
#include "placement/placement.h"
#include "placement/solve/body_interface.h"

namespace ferry {
namespace {

using Devices = std::set<Device>;

const Streamed kNoneStreamed;  // in bodies

bool is_tensor(const Value& value) { return value.type.kind == Type::Kind::tensor; }

// The devices on which each value of `graph` is read, by value id. `output_device(i)` says where
// output i must be.
std::vector<Devices> needs_of(const Graph& graph, const Capability& capability,
                              FunctionRef<Device(size_t)> output_device) {
  std::vector<Devices> needs(static_cast<size_t>(graph.value_count()));
  for (const NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    const NodeCapability ports = capability.ask(graph, node, node.device);
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const int port = static_cast<int>(i);
      if (node.inputs[i] == kNoValue || ports.metadata_inputs.contains(port)) continue;
      needs[node.inputs[i]].insert(ports.host_inputs.contains(port) ? Device::cpu() : node.device);
    }
    const BodyInterface interface(node);
    for (const auto& body : node.bodies) {
      const auto inner = needs_of(*body, capability, [&](size_t i) { return interface.output(i); });
      for (size_t i = 0; i < node.captures.size(); ++i) {
        needs[node.captures[i]].insert(inner[body->captures()[i]].begin(),
                                       inner[body->captures()[i]].end());
      }
    }
  }
  for (size_t i = 0; i < graph.outputs().size(); ++i) {
    needs[graph.outputs()[i]].insert(output_device(i));
  }
  return needs;
}

class Inserter {
 public:
  Inserter(Graph& graph, const Capability& capability, const Streamed& streamed)
      : graph_(graph), capability_(capability), streamed_(streamed) {
    for (ValueId id = 0; id < graph.value_count(); ++id) names_.insert(graph.value(id).name);
  }

  // `there` already lives on its device and has the elements of `value`.
  void know_copy(ValueId value, ValueId there) {
    copies_[{value, graph_.value(there).device}] = there;
  }

  void run(FunctionRef<Device(size_t)> output_device) {
    const std::vector<NodeId> order = graph_.order();  // copies are added while we walk
    for (const NodeId id : order) place_node(id);
    std::vector<ValueId> outputs = graph_.outputs();
    for (size_t i = 0; i < outputs.size(); ++i) {
      outputs[i] = on_device(outputs[i], output_device(i));
    }
    graph_.set_outputs(std::move(outputs));
  }

 private:
  void place_node(NodeId id) {
    const Device device = graph_.node(id).device;
    const NodeCapability ports = capability_.ask(graph_, graph_.node(id), device);
    for (size_t i = 0; i < graph_.node(id).inputs.size(); ++i) {
      const ValueId input = graph_.node(id).inputs[i];
      const int port = static_cast<int>(i);
      if (input == kNoValue || ports.metadata_inputs.contains(port)) continue;
      const ValueId there =
          on_device(input, ports.host_inputs.contains(port) ? Device::cpu() : device, id);
      graph_.node(id).inputs[i] = there;
    }
    for (size_t i = 0; i < graph_.node(id).outputs.size(); ++i) {
      const ValueId output = graph_.node(id).outputs[i];
      if (output == kNoValue) continue;
      graph_.value(output).device =
          ports.host_outputs.contains(static_cast<int>(i)) ? Device::cpu() : device;
    }
    if (!graph_.node(id).bodies.empty()) place_bodies(id);
  }

  // Each (capture, device on which a body reads it) becomes a capture of its own, copied out here.
  void place_bodies(NodeId id) {
    const BodyInterface interface(graph_.node(id));
    const auto output_device = [&](size_t i) { return interface.output(i); };
    const std::vector<ValueId> outer = graph_.node(id).captures;
    const auto bodies = graph_.node(id).bodies;

    std::vector<Devices> needs(outer.size());
    for (const auto& body : bodies) {
      const auto inner = needs_of(*body, capability_, output_device);
      for (size_t i = 0; i < outer.size(); ++i) {
        needs[i].insert(inner[body->captures()[i]].begin(), inner[body->captures()[i]].end());
      }
    }
    std::vector<ValueId> captures;
    std::vector<std::vector<ValueId>> inner_captures(bodies.size());
    std::vector<Inserter> inserters;
    for (const auto& body : bodies) inserters.emplace_back(*body, capability_, kNoneStreamed);
    for (size_t i = 0; i < outer.size(); ++i) {
      // What is only looked at (its shape) stays where it is.
      if (needs[i].empty() || !is_tensor(graph_.value(outer[i]))) {
        needs[i] = {graph_.value(outer[i]).device};
      }
      for (const Device device : needs[i]) {
        captures.push_back(on_device(outer[i], device, id));
        for (size_t b = 0; b < bodies.size(); ++b) {
          const ValueId original = bodies[b]->captures()[i];
          ValueId there = original;
          if (device == *needs[i].begin()) {
            bodies[b]->value(original).device = device;
          } else {
            Value value = bodies[b]->value(original);
            value.name = inserters[b].new_name(value.name + "@" + device.str());
            value.device = device;
            there = bodies[b]->add_value(std::move(value));
            inserters[b].know_copy(original, there);
          }
          inner_captures[b].push_back(there);
        }
      }
    }
    for (size_t b = 0; b < bodies.size(); ++b) {
      bodies[b]->set_captures(inner_captures[b]);
      for (size_t i = 0; i < bodies[b]->inputs().size(); ++i) {
        bodies[b]->value(bodies[b]->inputs()[i]).device = interface.input(i);
      }
      inserters[b].run(output_device);
    }
    graph_.node(id).captures = std::move(captures);
  }

  // The value with the elements of `id` that lives on `device`: itself, or its copy there. `reader`
  // is the first node to read it, where a node does.
  ValueId on_device(ValueId id, Device device, NodeId reader = kNoNode) {
    if (graph_.value(id).device == device || !is_tensor(graph_.value(id))) return id;
    const auto [at, is_new] = copies_.emplace(std::pair(id, device), kNoValue);
    if (!is_new) return at->second;
    const bool has_home =
        graph_.value(id).is_constant() && !streamed_.contains({graph_.value(id).name, device});
    Value there;
    there.name = new_name(graph_.value(id).name + "@" + device.str());
    there.type = graph_.value(id).type;
    there.contents = graph_.value(id).contents;
    if (has_home) there.constant = graph_.value(id).constant;
    there.device = device;
    at->second = graph_.add_value(std::move(there));
    if (!has_home) add_copy_node(id, at->second, reader);
    return at->second;
  }

  std::string new_name(const std::string& stem) {
    std::string name = stem;
    for (int i = 1; !names_.insert(name).second; ++i) name = stem + "_" + std::to_string(i);
    return name;
  }

  void add_copy_node(ValueId from, ValueId to, NodeId reader) {
    Node copy;
    copy.op = kCopyOp;
    copy.name = graph_.value(to).name;
    copy.inputs = {from};
    copy.outputs = {to};
    copy.device = graph_.value(to).device;
    // A weight takes room on the device only as long as it is read.
    if (graph_.value(from).is_constant() && reader != kNoNode) {
      graph_.add_node_before(reader, std::move(copy));
      return;
    }
    const NodeId producer = graph_.value(from).producer;
    const auto& order = graph_.order();
    const auto after = producer == kNoNode ? order.begin() : std::ranges::find(order, producer) + 1;
    if (after == order.end()) {
      graph_.add_node(std::move(copy));
    } else {
      graph_.add_node_before(*after, std::move(copy));
    }
  }

  Graph& graph_;
  const Capability& capability_;
  const Streamed& streamed_;
  std::unordered_set<std::string> names_;  // of the graph's values
  std::map<std::pair<ValueId, Device>, ValueId> copies_;
};

}  // namespace

Device delivered_on(const Graph& graph, const PlacementRequest& request, size_t i) {
  const bool is_string = graph.value(graph.outputs()[i]).type.dtype == DType::string;
  return is_string ? Device::cpu() : request.outputs_on;
}

std::vector<Devices> readers_of(const Graph& graph, const PlacementRequest& request,
                                const Capability& capability) {
  return needs_of(graph, capability, [&](size_t i) { return delivered_on(graph, request, i); });
}

void insert_copies(Graph& graph, const PlacementRequest& request, const Capability& capability,
                   const Streamed& streamed) {
  Inserter(graph, capability, streamed).run([&](size_t i) {
    return delivered_on(graph, request, i);
  });
}

WeightHomes weight_homes(const Graph& graph) {
  WeightHomes out;
  const auto add = [&](const std::vector<ValueId>& values) {
    for (const ValueId id : values) {
      if (id == kNoValue || !graph.value(id).is_constant()) continue;
      out.insert({graph.value(id).constant.storage().get(), graph.value(id).device});
    }
  };
  for (const NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    if (!node.is_copy()) add(node.inputs);
    add(node.captures);
    for (const auto& body : node.bodies) out.merge(weight_homes(*body));
  }
  add(graph.outputs());
  return out;
}

void elide_copies(Graph& graph) {
  for (const NodeId id : graph.order()) {
    for (const auto& body : graph.node(id).bodies) elide_copies(*body);
  }
  const std::vector<NodeId> order = graph.order();
  for (const NodeId id : order) {
    if (!graph.node(id).is_copy()) continue;
    const ValueId source = graph.node(id).inputs[0], copy = graph.node(id).outputs[0];
    const NodeId producer = graph.value(source).producer;
    if (producer == kNoNode || !graph.node(producer).is_copy()) continue;
    const ValueId origin = graph.node(producer).inputs[0];
    if (graph.value(origin).device == graph.value(copy).device) graph.replace_uses(copy, origin);
  }
  std::vector<size_t> readers(static_cast<size_t>(graph.value_count()));
  const auto consumers = graph.consumers();
  for (size_t i = 0; i < readers.size(); ++i) readers[i] = consumers[i].size();
  std::vector<bool> dead(static_cast<size_t>(graph.node_capacity()), false);
  bool any = false;
  for (auto it = order.rbegin(); it != order.rend(); ++it) {
    const Node& node = graph.node(*it);
    if (!node.is_copy()) continue;
    const ValueId copy = node.outputs[0];
    if (readers[copy] > 0 || graph.is_output(copy)) continue;
    --readers[node.inputs[0]];
    dead[*it] = any = true;
  }
  if (any) graph.remove_nodes(dead);
}

}  // namespace ferry
