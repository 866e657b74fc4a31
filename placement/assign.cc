#include <algorithm>
#include <string>

#include "core/human.h"
#include "ferry/error.h"
#include "placement/cost.h"
#include "placement/cut.h"
#include "placement/network.h"
#include "placement/placement.h"

namespace ferry {
namespace {

// A value is small enough for the host when it has at most this many elements: as many sizes as
// shape arithmetic ever handles, far too few for a device to be faster.
constexpr int64_t kHostElements = 256;

bool is_small(const Value& value) {
  if (value.type.kind != Type::Kind::tensor || !value.type.shape) return false;
  int64_t count = 1;
  for (const Dim& dim : *value.type.shape) {
    if (!dim.is_known()) return value.contents.has_value();
    count *= dim.value();
    if (count > kHostElements) return false;
  }
  return true;
}

// FNV-1a of the name, mixed with the seed by the finaliser of MurmurHash3.
uint64_t hash(uint64_t seed, std::string_view text) {
  uint64_t h = 14695981039346656037ull;
  for (const char c : text) h = (h ^ static_cast<uint8_t>(c)) * 1099511628211ull;
  h ^= seed * 0x9e3779b97f4a7c15ull;
  h = (h ^ h >> 33) * 0xff51afd7ed558ccdull;
  h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53ull;
  return h ^ h >> 33;
}

// One graph, bodies included.
class Assigner {
 public:
  Assigner(Graph& graph, const PlacementRequest& request, const Capability& capability,
           Decisions& decisions)
      : graph_(graph), request_(request), capability_(capability), decisions_(decisions) {}

  void run() {
    find_host_values();
    for (const NodeId id : graph_.order()) {
      Node& node = graph_.node(id);
      for (const auto& body : node.bodies) {
        Assigner(*body, request_, capability_, decisions_).run();
      }
      decide(id, node);
    }
  }

 private:
  // Rule 3. Forward: which nodes can be computed from what the host has. Backward: which values
  // somebody reads on the host.
  void find_host_values() {
    const auto count = static_cast<size_t>(graph_.value_count());
    std::vector<bool> wanted(count, false);
    for (auto it = graph_.order().rbegin(); it != graph_.order().rend(); ++it) {
      const Node& node = graph_.node(*it);
      const NodeCapability on_device = capability_.ask(graph_, node, request_.device);
      const bool passes_on = std::ranges::any_of(
          node.outputs, [&](ValueId id) { return id != kNoValue && wanted[id]; });
      for (size_t i = 0; i < node.inputs.size(); ++i) {
        if (node.inputs[i] == kNoValue) continue;
        const bool host_port = on_device.support.ok &&
                               on_device.host_inputs.contains(static_cast<int>(i)) &&
                               !on_device.metadata_inputs.contains(static_cast<int>(i));
        if (host_port || passes_on) wanted[node.inputs[i]] = true;
      }
    }
    // from_sizes: made of sizes and constants alone; from_feeds: of graph inputs as well.
    std::vector<bool> from_sizes(count, false), from_feeds(count, false);
    for (ValueId id = 0; id < graph_.value_count(); ++id) {
      from_sizes[id] = graph_.value(id).is_constant();
    }
    for (const ValueId id : graph_.inputs()) from_feeds[id] = is_small(graph_.value(id));
    host_.assign(static_cast<size_t>(graph_.node_capacity()), false);
    for (const NodeId id : graph_.order()) {
      const Node& node = graph_.node(id);
      if (!node.bodies.empty()) continue;
      const NodeCapability on_cpu = capability_.ask(graph_, node, Device::cpu());
      bool sizes = on_cpu.support.ok, feeds = sizes;
      for (size_t i = 0; i < node.inputs.size(); ++i) {
        const ValueId input = node.inputs[i];
        if (input == kNoValue || on_cpu.metadata_inputs.contains(static_cast<int>(i))) continue;
        sizes = sizes && from_sizes[input];
        feeds = feeds && (from_sizes[input] || from_feeds[input]);
      }
      bool small = true, read_on_host = false;
      for (const ValueId output : node.outputs) {
        if (output == kNoValue) continue;
        small = small && is_small(graph_.value(output));
        read_on_host = read_on_host || wanted[output];
      }
      const bool has_data_input = !node.inputs.empty();
      host_[id] = small && has_data_input && (sizes || (feeds && read_on_host));
      for (const ValueId output : node.outputs) {
        if (output == kNoValue) continue;
        from_sizes[output] = small && sizes;
        from_feeds[output] = small && feeds;
      }
    }
  }

  void decide(NodeId id, Node& node) {
    Decision decision;
    const NodeCapability on_device = capability_.ask(graph_, node, request_.device);
    if (!on_device.support.ok) {
      decision.rejected.push_back({request_.device,
                                   std::string(to_string(on_device.support.reason)),
                                   on_device.support.detail});
    }
    if (request_.device.is_cpu()) {
      require_on_cpu(node);
    } else if (request_.random_seed) {
      const NodeCapability on_cpu = capability_.ask(graph_, node, Device::cpu());
      const bool coin = hash(*request_.random_seed, node.name) & 1;
      if (on_device.support.ok && (coin || !on_cpu.support.ok)) node.device = request_.device;
      decision.reason = ReasonCode::pinned;
      decision.detail = "random placement, seed " + std::to_string(*request_.random_seed);
    } else if (host_[id]) {
      decision.reason = ReasonCode::host_value;
      decision.detail = "made from sizes; the host reads or holds all of its inputs";
    } else if (on_device.support.ok) {
      node.device = request_.device;
    } else {
      decision.reason = on_device.support.reason;
      decision.detail = on_device.support.detail;
      require_on_cpu(node);
    }
    decisions_.emplace(node.name, std::move(decision));
  }

  void require_on_cpu(const Node& node) const {
    const NodeCapability on_cpu = capability_.ask(graph_, node, Device::cpu());
    if (on_cpu.support.ok) return;
    throw Error(ErrorCode::unsupported, "no device can run this node: on cpu, " +
                                            std::string(to_string(on_cpu.support.reason)) + " (" +
                                            on_cpu.support.detail + ").")
        .with_node(node.name, node.op);
  }

  Graph& graph_;
  const PlacementRequest& request_;
  const Capability& capability_;
  Decisions& decisions_;
  std::vector<bool> host_;
};

void collect_fallbacks(const Graph& graph, const Decisions& decisions,
                       std::vector<const Node*>& fallen) {
  for (const NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    for (const auto& body : node.bodies) collect_fallbacks(*body, decisions, fallen);
    const Decision& decision = decisions.at(node.name);
    if (node.device.is_cpu() && decision.reason != ReasonCode::host_value &&
        decision.reason != ReasonCode::requested) {
      fallen.push_back(&node);
    }
  }
}

// Lists every node that fell from a strict device.
void refuse_fallback(const Graph& graph, const PlacementRequest& request,
                     const Decisions& decisions) {
  std::vector<const Node*> fallen;
  collect_fallbacks(graph, decisions, fallen);
  if (fallen.empty()) return;
  constexpr size_t kListed = 20;
  std::string message = std::to_string(fallen.size()) + " node(s) cannot run on " +
                        request.device.str() + ", and no fallback was allowed:";
  for (size_t i = 0; i < fallen.size() && i < kListed; ++i) {
    const Decision& decision = decisions.at(fallen[i]->name);
    message += "\n  " + fallen[i]->name + " (" + fallen[i]->op +
               "): " + std::string(to_string(decision.reason)) +
               (decision.detail.empty() ? "" : ", " + decision.detail);
  }
  if (fallen.size() > kListed) {
    message += "\n  and " + std::to_string(fallen.size() - kListed) + " more";
  }
  message += "\nAsk for '" + request.device.str() + ",cpu' to let them run on the CPU.";
  throw Error(ErrorCode::placement, std::move(message));
}

double seconds_of(int64_t picoseconds) { return static_cast<double>(picoseconds) * 1e-12; }

// Rule 5.
Prediction move_to_fastest(Graph& graph, const PlacementRequest& request,
                           const Capability& capability, Decisions& decisions) {
  const Device cpu = Device::cpu();
  const DeviceProfile host = profile_of(capability.device_name(cpu), /*is_cpu=*/true);
  const DeviceProfile device = profile_of(capability.device_name(request.device), false);
  const LinkProfile link = default_link();
  AssumedSizes sizes(request.dims);
  const auto host_only = [&](const Node& node) {
    return decisions.at(node.name).reason == ReasonCode::host_value;
  };
  const PlacementNetwork network =
      network_of(graph, {request, capability, host, device, link, sizes, host_only});
  std::vector<Side> before;
  for (const auto& [owner, id] : network.nodes) {
    before.push_back(owner->node(id).device.is_cpu() ? Side::host : Side::device);
  }
  const std::vector<Side> after = minimum_cut(network.problem);
  for (size_t i = 0; i < network.nodes.size(); ++i) {
    Node& node = network.nodes[i].first->node(network.nodes[i].second);
    Decision& decision = decisions.at(node.name);
    const auto& [on_host, on_device] = network.problem.items[i].cost;
    if (on_host != kForbidden) decision.predicted.push_back({cpu, seconds_of(on_host)});
    if (on_device != kForbidden) {
      decision.predicted.push_back({request.device, seconds_of(on_device)});
    }
    // What was on the host has no other place, so nodes only ever move there.
    if (before[i] == after[i]) continue;
    node.device = cpu;
    decision.reason = ReasonCode::cheaper_here;
    decision.detail = human_seconds(seconds_of(on_host)) + " on cpu, " +
                      human_seconds(seconds_of(on_device)) + " on " + request.device.str() +
                      " and its copies";
  }
  Prediction prediction;
  prediction.seconds = seconds_of(cut_cost(network.problem, after));
  prediction.device_first_seconds = seconds_of(cut_cost(network.problem, before));
  prediction.profiles = {host.name + ": " + host.source, device.name + ": " + device.source,
                         link.name + ": " + link.source};
  prediction.assumed_symbols = sizes.assumed();
  return prediction;
}

}  // namespace

Decisions assign_devices(Graph& graph, const PlacementRequest& request,
                         const Capability& capability, Prediction* prediction) {
  const bool fastest = request.policy == PlacementPolicy::fastest && !request.device.is_cpu();
  if (fastest && !request.cpu_fallback) {
    throw Error(ErrorCode::invalid_argument,
                "the fastest placement needs a choice: allow the CPU with '" +
                    request.device.str() + ",cpu'.");
  }
  Decisions decisions;
  Assigner(graph, request, capability, decisions).run();
  if (fastest && !request.random_seed) {
    Prediction found = move_to_fastest(graph, request, capability, decisions);
    if (prediction != nullptr) *prediction = std::move(found);
  }
  if (!request.device.is_cpu() && !request.cpu_fallback && !request.random_seed) {
    refuse_fallback(graph, request, decisions);
  }
  return decisions;
}

}  // namespace ferry
