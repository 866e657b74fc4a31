#include <algorithm>
#include <bit>
#include <optional>
#include <string>

#include "core/checked.h"
#include "core/fnv.h"
#include "core/human.h"
#include "ferry/error.h"
#include "placement/placement.h"
#include "placement/solve/cost_model.h"
#include "placement/solve/network.h"
#include "placement/solve/rules.h"

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
    count = checked_mul(count, dim.value()).value_or(INT64_MAX);
    if (count > kHostElements) return false;
  }
  return true;
}

// FNV-1a of the name, mixed with the seed by the finaliser of MurmurHash3.
uint64_t hash(uint64_t seed, std::string_view text) {
  Fnv1a name;
  name.add_text(text);
  uint64_t h = name.value();
  h ^= seed * 0x9e3779b97f4a7c15ull;
  h = (h ^ h >> 33) * 0xff51afd7ed558ccdull;
  h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53ull;
  return h ^ h >> 33;
}

// One graph, bodies included.
class Assigner {
 public:
  Assigner(Graph& graph, const Assigning& with, Rules& rules, Decisions& decisions,
           std::vector<std::string> owners = {})
      : graph_(graph),
        request_(with.request),
        capability_(with.capability),
        devices_(with.costs.devices),
        with_(with),
        rules_(rules),
        decisions_(decisions),
        owners_(std::move(owners)) {
    asked_ = 1u << with.costs.index_of(request_.device);
    for (const Device device : request_.more_devices) asked_ |= 1u << with.costs.index_of(device);
  }

  void run() {
    host_.assign(static_cast<size_t>(graph_.node_capacity()), false);
    if (devices_.size() > 1) find_host_values();
    for (const NodeId id : graph_.order()) {
      Node& node = graph_.node(id);
      if (!node.bodies.empty()) {
        std::vector<std::string> owners = owners_;
        owners.push_back(node.name);
        for (const auto& body : node.bodies) {
          Assigner(*body, with_, rules_, decisions_, owners).run();
        }
      }
      decide(id, node);
    }
  }

 private:
  // Rule 4. Forward: which nodes can be computed from what the host has. Backward: which values
  // somebody reads on the host.
  void find_host_values() {
    const auto count = static_cast<size_t>(graph_.value_count());
    std::vector<bool> wanted(count, false);
    for (auto it = graph_.order().rbegin(); it != graph_.order().rend(); ++it) {
      const Node& node = graph_.node(*it);
      const NodeCapability on_device = capability_.ask(graph_, node, devices_[1]);
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
    std::vector<Support> support;
    uint32_t can = 0;
    for (size_t d = 0; d < devices_.size(); ++d) {
      support.push_back(capability_.ask(graph_, node, devices_[d]).support);
      if (support[d].ok) {
        can |= 1u << d;
      } else {
        decision.rejected.push_back(
            {devices_[d], std::string(to_string(support[d].reason)), support[d].detail});
      }
    }
    const PlacementRule* rule = rules_.of(graph_, node, owners_);
    if (request_.random_seed) {
      const bool coin = hash(*request_.random_seed, node.name) & 1;
      const bool there = devices_.size() > 1 && (can & 2) && (coin || !(can & 1));
      decision.allowed = there ? 2 : 1;
      decision.reason = ReasonCode::pinned;
      decision.detail = "random placement, seed " + std::to_string(*request_.random_seed);
    } else if (rule != nullptr) {
      const auto d = static_cast<size_t>(with_.costs.index_of(rule->device));
      if (!support[d].ok) refuse_rule(*rule, support[d], node);
      decision.allowed = 1u << d;
      decision.reason = ReasonCode::pinned;
      decision.detail = "rule '" + rule->text + "'";
    } else if (request_.device.is_cpu()) {
      decision.allowed = 1;
    } else if (host_[id]) {
      decision.reason = ReasonCode::host_value;
      decision.detail = "made from sizes; the host reads or holds all of its inputs";
    } else {
      choose(node, can, support, decision);
    }
    if (!(can & decision.allowed)) require_on_cpu(support[0], node);
    node.device = devices_[first_of(decision.allowed)];
    decisions_.emplace(node.name, std::move(decision));
  }

  // Rule 5.
  void choose(const Node& node, uint32_t can, const std::vector<Support>& support,
              Decision& decision) const {
    decision.allowed = can & asked_;
    if (decision.allowed == 0 && !node.bodies.empty()) {
      decision.allowed = 1;
      decision.reason = ReasonCode::control_flow;
      decision.detail = "the host decides what runs; nodes of its bodies have devices of their own";
    } else if (decision.allowed == 0) {
      const Support& why = support[with_.costs.index_of(request_.device)];
      decision.allowed = 1;
      decision.fell = true;
      decision.reason = why.reason;
      decision.detail = why.detail;
    } else if (request_.cpu_fallback) {
      decision.allowed |= can & 1;
    }
  }

  // The one that the request names first; the CPU last.
  static int first_of(uint32_t allowed) {
    return allowed > 1 ? std::countr_zero(allowed & ~1u) : 0;
  }

  [[noreturn]] static void refuse_rule(const PlacementRule& rule, const Support& why,
                                       const Node& node) {
    throw Error(ErrorCode::placement,
                "the rule '" + rule.text + "' puts this node on " + rule.device.str() +
                    ", which cannot run it: " + std::string(to_string(why.reason)) + " (" +
                    why.detail + ").")
        .with_node(node.name, node.op);
  }

  static void require_on_cpu(const Support& on_cpu, const Node& node) {
    if (on_cpu.ok) return;
    throw Error(ErrorCode::unsupported, "no device can run this node: on cpu, " +
                                            std::string(to_string(on_cpu.reason)) + " (" +
                                            on_cpu.detail + ").")
        .with_node(node.name, node.op);
  }

  Graph& graph_;
  const PlacementRequest& request_;
  const Capability& capability_;
  const std::vector<Device>& devices_;
  const Assigning& with_;
  Rules& rules_;
  Decisions& decisions_;
  const std::vector<std::string> owners_;  // the nodes in whose bodies this graph is
  uint32_t asked_ = 0;                     // bit d: the request names device d for compute
  std::vector<bool> host_;
};

void collect_fallen(const Graph& graph, const Decisions& decisions,
                    std::vector<const Node*>& fallen) {
  for (const NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    for (const auto& body : node.bodies) collect_fallen(*body, decisions, fallen);
    if (decisions.at(node.name).fell) fallen.push_back(&node);
  }
}

// Lists every node that fell from a strict device.
void refuse_fallback(const Graph& graph, const PlacementRequest& request,
                     const Decisions& decisions) {
  std::vector<const Node*> fallen;
  collect_fallen(graph, decisions, fallen);
  if (fallen.empty()) return;
  constexpr size_t kListed = 20;
  std::string message = std::to_string(fallen.size()) + " node(s) cannot run on " +
                        request.device.str() + ", and no fallback was allowed:";
  for (size_t i = 0; i < fallen.size() && i < kListed; ++i) {
    const Decision& decision = decisions.at(fallen[i]->name);
    message += "\n  " + fallen[i]->name + " (" + fallen[i]->op.name() +
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

Assignment assignment_of(const PlacementNetwork& network, const CostModel& costs) {
  Assignment out;
  for (const PlacementNetwork::Item& item : network.nodes) {
    out.push_back(costs.index_of(item.graph->node(item.node).device));
  }
  return out;
}

// Rule 7: the assignment without islands that are too small.
Assignment without_small_islands(const PlacementNetwork& network, const Decisions& decisions,
                                 Assignment assignment, int least) {
  const auto node_of = [&](size_t i) -> const Node& {
    return network.nodes[i].graph->node(network.nodes[i].node);
  };
  // Host values stand between the nodes that they serve and do not part them.
  std::vector<size_t> order;
  for (size_t i = 0; i < assignment.size(); ++i) {
    if (decisions.at(node_of(i).name).reason != ReasonCode::host_value) order.push_back(i);
  }
  for (size_t first = 0; first < order.size();) {
    size_t last = first;
    bool can_move = true;
    for (; last < order.size() && assignment[order[last]] == assignment[order[first]]; ++last) {
      can_move = can_move && network.problem.items[order[last]].cost[0] != kForbidden &&
                 decisions.at(node_of(order[last]).name).reason != ReasonCode::pinned;
    }
    if (can_move && last - first < static_cast<size_t>(least)) {
      for (size_t i = first; i < last; ++i) assignment[order[i]] = 0;
    }
    first = last;
  }
  return assignment;
}

// Rules 6 and 7, and what they weighed.
class Optimiser {
 public:
  Optimiser(Graph& graph, Assigning& with, Decisions& decisions)
      : graph_(graph), with_(with), decisions_(decisions), sizes_(with.request.dims) {}

  void run() {
    const auto allowed = [&](const Node& node) { return decisions_.at(node.name).allowed; };
    PlacementNetwork network = network_of(graph_, {with_.request, with_.capability, with_.costs,
                                                   sizes_, allowed, with_.weight_price});
    add_activation_price(network);
    const AssignmentProblem& problem = network.problem;
    const Assignment first = assignment_of(network, with_.costs);
    Assignment chosen = first;
    const bool has_choice = std::ranges::any_of(
        problem.items, [](const auto& item) { return !std::has_single_bit(item.allowed); });
    if (has_choice && with_.request.policy == PlacementPolicy::fastest) {
      chosen = cheapest(problem, first);
    }
    const Assignment before_islands = chosen;
    if (with_.request.min_island > 1) {
      chosen = without_small_islands(network, decisions_, chosen, with_.request.min_island);
    }
    with_.priced_cost = cost_of(problem, chosen);
    explain(network, first, before_islands, chosen);
    const int64_t on_cpu = cost_of(problem, Assignment(first.size(), 0));
    with_.prediction.device_first_seconds = seconds_of(cost_of(problem, first));
    if (on_cpu != kForbidden) with_.prediction.cpu_seconds = seconds_of(on_cpu);
    with_.prediction.profiles = with_.costs.sources();
    with_.prediction.assumed_symbols = sizes_.assumed();
  }

 private:
  void add_activation_price(PlacementNetwork& network) {
    if (with_.activation_price == 0) return;
    for (size_t i = 0; i < network.nodes.size(); ++i) {
      const Node& node = network.nodes[i].graph->node(network.nodes[i].node);
      double bytes = 0;
      for (const ValueId output : node.outputs) {
        if (output == kNoValue) continue;
        bytes += assumed_bytes(network.nodes[i].graph->value(output).type, sizes_);
      }
      auto& cost = network.problem.items[i].cost;
      for (size_t d = 1; d < cost.size(); ++d) {
        if (cost[d] != kForbidden) {
          cost[d] += static_cast<int64_t>(std::min(bytes * with_.activation_price, 1e15));
        }
      }
    }
  }

  void explain(const PlacementNetwork& network, const Assignment& first,
               const Assignment& before_islands, const Assignment& chosen) {
    const auto& devices = with_.costs.devices;
    const auto moves = move_costs(network.problem, chosen);
    for (size_t i = 0; i < chosen.size(); ++i) {
      const auto& [owner, id, work, trips] = network.nodes[i];
      Node& node = owner->node(id);
      Decision& decision = decisions_.at(node.name);
      const std::vector<int64_t>& cost = network.problem.items[i].cost;
      const auto at = static_cast<size_t>(chosen[i]);
      decision.flops = work.flops * static_cast<double>(trips);
      decision.bytes = work.bytes * static_cast<double>(trips);
      for (size_t d = 0; d < devices.size(); ++d) {
        if (cost[d] == kForbidden) continue;
        const int64_t once = node_picoseconds(work, with_.costs.profiles[d]);
        decision.predicted.push_back({devices[d], seconds_of(once) * static_cast<double>(trips)});
        if (d != at && moves[i][d] != kForbidden) {
          decision.moves.push_back({devices[d], seconds_of(moves[i][d])});
        }
      }
      node.device = devices[at];
      if (chosen[i] != before_islands[i]) {
        decision.reason = ReasonCode::pinned;
        decision.detail = "an island on " + devices[before_islands[i]].str() + " has at least " +
                          std::to_string(with_.request.min_island) + " nodes";
      } else if (chosen[i] != first[i]) {
        explain_choice(decision, devices[first[i]], node.device);
      }
    }
  }

  static void explain_choice(Decision& decision, Device otherwise, Device chosen) {
    decision.reason = ReasonCode::cheaper_here;
    const auto move = std::ranges::find(decision.moves, otherwise, &MoveCost::device);
    const auto here = std::ranges::find(decision.predicted, chosen, &PredictedTime::device);
    decision.detail = human_seconds(here->seconds) + " on " + chosen.str();
    if (move != decision.moves.end()) {
      decision.detail += "; on " + otherwise.str() + " a run would take " +
                         human_seconds(move->seconds) + " longer, copies included";
    }
  }

  Graph& graph_;
  Assigning& with_;
  Decisions& decisions_;
  AssumedSizes sizes_;
};

void require_sound(const PlacementRequest& request) {
  const auto refuse = [](const std::string& what) {
    throw Error(ErrorCode::invalid_argument, what);
  };
  if (request.min_island < 1) {
    refuse("an island of " + std::to_string(request.min_island) +
           " nodes is none: expected 1 or more.");
  }
  for (const auto& [symbol, size] : request.dims) {
    if (size < 0) refuse("the size " + symbol + "=" + std::to_string(size) + " is negative.");
  }
  if (request.size_range &&
      (request.size_range->first < 0 || request.size_range->last < request.size_range->first)) {
    refuse("the sizes " + request.size_range->symbol + "=" +
           std::to_string(request.size_range->first) + ".." +
           std::to_string(request.size_range->last) + " are no range: expected FIRST..LAST.");
  }
}

}  // namespace

Decisions assign_devices(Graph& graph, Assigning& with) {
  const PlacementRequest& request = with.request;
  require_sound(request);
  Rules rules(request.rules);
  Decisions decisions;
  Assigner(graph, with, rules, decisions).run();
  with.rules = rules.matches();
  if (!request.device.is_cpu() && !request.cpu_fallback && !request.random_seed) {
    refuse_fallback(graph, request, decisions);
  }
  Optimiser(graph, with, decisions).run();
  return decisions;
}

}  // namespace ferry
