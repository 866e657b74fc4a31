#include "placement/solve/memory.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "core/human.h"
#include "ferry/error.h"

namespace ferry {
namespace {

double seconds_of(double picoseconds) { return picoseconds * 1e-12; }

// Sizes of all symbols of the graph's inputs, those that are assumed included.
std::map<std::string, int64_t> symbols_of(const Graph& graph, const PlacementRequest& request) {
  AssumedSizes sizes(request.dims);
  std::map<std::string, int64_t> out = request.dims;
  for (const ValueId id : graph.inputs()) {
    const Type& type = graph.value(id).type;
    if (!type.shape) continue;
    for (const Dim& dim : *type.shape) (void)sizes.of(dim);
  }
  for (const std::string& symbol : sizes.assumed()) out.emplace(symbol, 1);
  return out;
}

// Prices for bytes on devices: picoseconds each.
struct Prices {
  std::map<int, double> weight;  // by device
  double activation = 0;
};

// One placement that was tried.
struct Trial {
  Placed placed;
  std::map<Device, MemoryUse> memory;
  double seconds = 0;
  bool fits = false;
};

class Fitting {
 public:
  Fitting(const Graph& graph, const PassFacts& facts, const MemoryPlanner& planner)
      : graph_(graph),
        facts_(facts),
        planner_(planner),
        symbols_(symbols_of(graph, facts.request)) {
    for (const auto& [device, bytes] : facts.request.memory_limits) {
      limits_.emplace(facts.costs.index_of(device), bytes);
    }
  }

  Placed run() {
    Trial free = attempt({});
    if (free.fits) return std::move(free.placed);
    std::optional<Trial> best = search(/*activations=*/false);
    if (!best) best = search(/*activations=*/true);
    if (!best) refuse(*least_);
    require_use(free, *best);
    fill(*best);
    explain(free, *best);
    return std::move(best->placed);
  }

 private:
  static constexpr double kLowest = 1e-3, kHighest = 1e9;  // picoseconds a byte
  static constexpr int kSteps = 20;

  bool is_limited(int device) const { return limits_.contains(device); }

  double stream_time(const Value& weight, int device) const {
    return static_cast<double>(
        facts_.costs.copy(static_cast<double>(weight.constant.nbytes()), 0, device));
  }
  static double priced(const Value& weight, double price) {
    return static_cast<double>(weight.constant.nbytes()) * price;
  }

  // `kept`: streamed weights that stay on their device all the same.
  Trial attempt(const Prices& prices, const Streamed& kept = {}) {
    const auto price_on = [&](int device) {
      const auto at = prices.weight.find(device);
      return at == prices.weight.end() ? 0.0 : at->second;
    };
    MemoryPrices memory;
    memory.activation = prices.activation;
    if (!prices.weight.empty()) {
      memory.weight = [&](const Value& weight, int device, bool in_body) {
        const double stays = priced(weight, price_on(device));
        const bool can_stream = !in_body && !fixed_.contains({weight.name, device});
        return static_cast<int64_t>(
            std::min(1e18, can_stream ? std::min(stays, stream_time(weight, device)) : stays));
      };
      memory.streams = [&](const Value& weight, int device) {
        const Device there = facts_.costs.devices[device];
        return is_limited(device) &&
               priced(weight, price_on(device)) > stream_time(weight, device) &&
               !fixed_.contains({weight.name, device}) && !kept.contains({weight.name, there});
      };
    }
    for (;;) {
      Trial trial;
      trial.placed = run_passes(graph_, facts_, memory);
      if (find_fixed(trial.placed.graph)) continue;
      measure(trial, prices);
      return trial;
    }
  }

  // Weights that their readers need as constants cannot be streamed; whether there are new ones.
  bool find_fixed(const Graph& graph) {
    bool found = false;
    for (const NodeId id : graph.order()) {
      const Node& node = graph.node(id);
      if (node.is_copy()) continue;
      bool reads_stream = false;
      for (const ValueId input : node.inputs) {
        reads_stream = reads_stream || (input != kNoValue && streamed_source(graph, input));
      }
      if (!reads_stream || facts_.capability.source().ask(graph, node, node.device).support.ok)
        continue;
      for (const ValueId input : node.inputs) {
        const Value* source = input == kNoValue ? nullptr : streamed_source(graph, input);
        if (source == nullptr) continue;
        fixed_.insert({source->name, facts_.costs.index_of(node.device)});
        found = true;
      }
    }
    return found;
  }

  static const Value* streamed_source(const Graph& graph, ValueId id) {
    const NodeId producer = graph.value(id).producer;
    if (producer == kNoNode || !graph.node(producer).is_copy()) return nullptr;
    const Value& source = graph.value(graph.node(producer).inputs[0]);
    return source.is_constant() ? &source : nullptr;
  }

  void measure(Trial& trial, const Prices& prices) {
    trial.memory = planner_.memory_of(trial.placed.graph, symbols_);
    trial.fits = true;
    double bound = static_cast<double>(trial.placed.priced_cost);
    for (const auto& [device, use] : trial.memory) {
      if (use.problem.empty()) continue;
      throw Error(ErrorCode::invalid_argument,
                  "memory limits need sizes that can be planned for: " + use.problem +
                      " Give others with dims.");
    }
    for (const auto& [device, bytes] : limits_) {
      const int64_t peak = trial.memory[facts_.costs.devices[device]].peak();
      trial.fits = trial.fits && peak <= bytes;
      const auto price = prices.weight.find(device);
      if (price != prices.weight.end()) bound -= price->second * static_cast<double>(bytes);
    }
    PlacementData data;
    data.graph = std::move(trial.placed.graph);
    data.request = facts_.request;
    record(data, trial.placed.decisions, facts_.capability, facts_.costs);
    trial.placed.graph = std::move(data.graph);
    trial.seconds = data.prediction.seconds;
    if (prices.activation == 0) lower_bound_ = std::max(lower_bound_, seconds_of(bound));
    if (!trial.fits && (!least_ || excess(trial) < excess(*least_))) {
      least_.emplace();
      least_->memory = trial.memory;
    }
  }

  // Bytes above the limits.
  int64_t excess(const Trial& trial) const {
    int64_t bytes = 0;
    for (const auto& [device, limit] : limits_) {
      const auto use = trial.memory.find(facts_.costs.devices[device]);
      if (use != trial.memory.end()) bytes += std::max<int64_t>(0, use->second.peak() - limit);
    }
    return bytes;
  }

  Prices prices_at(double price, bool activations) const {
    Prices prices;
    for (const auto& [device, bytes] : limits_) prices.weight[device] = price;
    if (activations) prices.activation = price;
    return prices;
  }

  // The fastest that fits of those tried between the prices at which all and nothing stays.
  std::optional<Trial> search(bool activations) {
    double low = kLowest, high = kHighest;
    std::optional<Trial> best;
    const auto consider = [&](double price) {
      Trial trial = attempt(prices_at(price, activations));
      const bool fits = trial.fits;
      if (fits && (!best || trial.seconds < best->seconds)) {
        best = std::move(trial);
        best_prices_ = prices_at(price, activations);
      }
      return fits;
    };
    if (!consider(high)) return std::nullopt;
    for (int step = 0; step < kSteps; ++step) {
      const double middle = std::sqrt(low * high);
      (consider(middle) ? high : low) = middle;
    }
    return best;
  }

  // Gives the room that is left to streamed weights, those that save most a byte first.
  void fill(Trial& best) {
    std::map<Device, int64_t> room;
    for (const auto& [device, bytes] : limits_) {
      const Device there = facts_.costs.devices[device];
      room[there] = bytes - best.memory[there].peak();
    }
    struct Candidate {
      const Value* weight;
      Device device;
    };
    std::vector<Candidate> candidates;
    const Graph& graph = best.placed.graph;
    for (const NodeId id : graph.order()) {
      const Node& node = graph.node(id);
      if (!node.is_copy() || !graph.value(node.inputs[0]).is_constant()) continue;
      candidates.push_back({&graph.value(node.inputs[0]), node.device});
    }
    std::ranges::stable_sort(candidates, [](const Candidate& a, const Candidate& b) {
      return a.weight->constant.nbytes() < b.weight->constant.nbytes();
    });
    Streamed kept;
    for (const auto& [weight, device] : candidates) {
      const auto bytes = static_cast<int64_t>(weight->constant.nbytes());
      if (bytes > room[device]) continue;
      room[device] -= bytes;
      kept.insert({weight->name, device});
    }
    if (kept.empty()) return;
    Trial fuller = attempt(best_prices_, kept);
    if (fuller.fits && fuller.seconds <= best.seconds) best = std::move(fuller);
  }

  // A limit that keeps everything away is more likely a mistake than a wish.
  void require_use(const Trial& free, const Trial& best) const {
    for (const auto& [device, bytes] : limits_) {
      const Device there = facts_.costs.devices[device];
      const auto uses = [&](const Graph& graph) {
        return std::ranges::any_of(graph.order(), [&](NodeId id) {
          return graph.node(id).device == there && !graph.node(id).is_copy();
        });
      };
      if (!uses(free.placed.graph) || uses(best.placed.graph)) continue;
      refuse(*least_);
    }
  }

  [[noreturn]] void refuse(const Trial& least) const {
    std::string message = "the memory limits leave no room for the model:";
    for (const auto& [device, bytes] : limits_) {
      const Device there = facts_.costs.devices[device];
      const auto use = least.memory.find(there);
      if (use == least.memory.end()) continue;
      message += " " + there.str() + " may take " + human_bytes(bytes) + " and needs at least " +
                 human_bytes(use->second.peak()) + " (" + std::to_string(use->second.peak()) +
                 " bytes) to run any of it;";
    }
    message.back() = '.';
    throw Error(ErrorCode::out_of_memory, std::move(message));
  }

  void explain(const Trial& free, Trial& best) {
    Placed& placed = best.placed;
    // Of the same request without limits: what they cost shows in the difference.
    placed.prediction = free.placed.prediction;
    // A bound of all placements needs the least cost at a price, which a cut of two devices gives.
    const PlacementRequest& request = facts_.request;
    if (request.policy == PlacementPolicy::fastest && request.min_island == 1 &&
        facts_.costs.devices.size() == 2) {
      placed.prediction.lower_bound_seconds = std::min(lower_bound_, best.seconds);
    }
    std::map<std::string, Device> before;
    collect_devices(free.placed.graph, before);
    std::map<std::string, Device> after;
    collect_devices(placed.graph, after);
    for (auto& [name, decision] : placed.decisions) {
      const auto was = before.find(name), is = after.find(name);
      if (was == before.end() || is == after.end() || was->second == is->second) continue;
      if (!facts_.request.memory_limits.contains(was->second)) continue;
      decision.reason = ReasonCode::memory_limit;
      decision.detail = "no room within " +
                        human_bytes(facts_.request.memory_limits.at(was->second)) + " of " +
                        was->second.str();
    }
    list_spilled(free, best);
  }

  static void collect_devices(const Graph& graph, std::map<std::string, Device>& devices) {
    for (const NodeId id : graph.order()) {
      const Node& node = graph.node(id);
      if (!node.is_copy()) devices.emplace(node.name, node.device);
      for (const auto& body : node.bodies) collect_devices(*body, devices);
    }
  }

  void list_spilled(const Trial& free, Trial& best) {
    std::vector<SpilledWeight>& spilled = best.placed.spilled;
    WeightHomes streams;
    double streaming = 0;
    const Graph& graph = best.placed.graph;
    for (const NodeId id : graph.order()) {
      const Node& node = graph.node(id);
      if (!node.is_copy() || !graph.value(node.inputs[0]).is_constant()) continue;
      const Value& weight = graph.value(node.inputs[0]);
      const double time = seconds_of(stream_time(weight, facts_.costs.index_of(node.device)));
      streams.insert({weight.constant.storage().get(), node.device});
      streaming += time;
      spilled.push_back({weight.name, static_cast<int64_t>(weight.constant.nbytes()), node.device,
                         /*streamed=*/true, time});
    }
    // What the rest costs is shared by bytes: they moved together.
    const WeightHomes before = weight_homes(free.placed.graph), after = weight_homes(graph);
    const size_t first = spilled.size();
    double bytes = 0;
    for (ValueId id = 0; id < graph_.value_count(); ++id) {
      const Value& weight = graph_.value(id);
      if (!weight.is_constant()) continue;
      for (const auto& [device, limit] : facts_.request.memory_limits) {
        const std::pair home(static_cast<const void*>(weight.constant.storage().get()), device);
        if (!before.contains(home) || after.contains(home) || streams.contains(home)) continue;
        const auto size = static_cast<int64_t>(weight.constant.nbytes());
        bytes += static_cast<double>(size);
        spilled.push_back({weight.name, size, device, /*streamed=*/false, 0});
      }
    }
    const double rest = std::max(0.0, best.seconds - free.seconds - streaming);
    for (size_t i = first; i < spilled.size(); ++i) {
      spilled[i].seconds = bytes == 0 ? 0 : rest * static_cast<double>(spilled[i].bytes) / bytes;
    }
  }

  const Graph& graph_;
  const PassFacts& facts_;
  const MemoryPlanner& planner_;
  const std::map<std::string, int64_t> symbols_;
  std::map<int, int64_t> limits_;                // bytes by device
  std::set<std::pair<std::string, int>> fixed_;  // weights that cannot be streamed
  Prices best_prices_;
  double lower_bound_ = 0;      // seconds
  std::optional<Trial> least_;  // of those that do not fit, the one nearest to it; memory only
};

}  // namespace

Placed fit_memory(const Graph& graph, const PassFacts& facts, const MemoryPlanner* planner) {
  const auto refuse = [](const std::string& message) {
    throw Error(ErrorCode::invalid_argument, message);
  };
  if (planner == nullptr) refuse("memory limits need a planner of memory, and there is none.");
  for (const auto& [device, bytes] : facts.request.memory_limits) {
    if (device.is_cpu())
      refuse("the memory of the CPU has no limit: name a device, as cuda:0=4GiB.");
    if (bytes < 0)
      refuse("the limit of " + device.str() + ", " + std::to_string(bytes) + ", is negative.");
    if (std::ranges::find(facts.costs.devices, device) == facts.costs.devices.end()) {
      refuse("a memory limit names " + device.str() + ", which is none of the devices asked for.");
    }
  }
  return Fitting(graph, facts, *planner).run();
}

const PlacementData& with_memory(const PlacementData& data) {
  data.memory_known.call([&] {
    if (data.planner == nullptr) return;
    const auto memory = data.planner->memory_of(data.graph, symbols_of(data.graph, data.request));
    for (DevicePlacement& device : data.devices) {
      if (const auto at = memory.find(device.device); at != memory.end()) {
        device.memory = at->second;
      }
      const auto limit = data.request.memory_limits.find(device.device);
      if (limit != data.request.memory_limits.end()) device.memory.limit = limit->second;
    }
  });
  return data;
}

}  // namespace ferry
