#include <utility>

#include "placement/fingerprint.h"
#include "placement/placement.h"
#include "placement/solve/capability_cache.h"
#include "placement/solve/cost_model.h"
#include "placement/solve/memory.h"
#include "placement/solve/passes.h"
#include "placement/solve/size_ranges.h"

namespace ferry {

Placement place(const Graph& graph, const PlacementRequest& request, const Capability& capability,
                std::shared_ptr<const MemoryPlanner> planner) {
  auto data = std::make_shared<PlacementData>();
  data->request = request;
  data->model = graph.name;
  data->fingerprint = fingerprint_of(graph);
  if (request.size_range) {
    data->request.dims[request.size_range->symbol] = request.size_range->first;
  }
  const CapabilityCache cache(capability);
  const CostModel costs = cost_model_of(data->request, cache);
  const PassFacts facts{data->request, cache, costs};
  Placed placed = data->request.memory_limits.empty() ? run_passes(graph, facts)
                                                      : fit_memory(graph, facts, planner.get());
  data->graph = std::move(placed.graph);
  data->prediction = std::move(placed.prediction);
  data->rules = std::move(placed.rules);
  data->spilled = std::move(placed.spilled);
  record(*data, placed.decisions, cache, costs);
  if (request.size_range) {
    const auto place_at = [&](int64_t size) {
      PlacementRequest at_size = request;
      at_size.size_range.reset();
      at_size.dims[request.size_range->symbol] = size;
      return place(graph, at_size, capability, planner);
    };
    data->size_ranges = size_ranges_of(*request.size_range, place_at);
  }
  data->planner = std::move(planner);
  return Placement(std::move(data));
}

const std::string& Placement::model() const { return data_->model; }
const PlacementRequest& Placement::request() const { return data_->request; }
const std::vector<NodePlacement>& Placement::nodes() const { return data_->nodes; }
const std::vector<WeightPlacement>& Placement::weights() const { return data_->weights; }
const std::vector<CopyPlacement>& Placement::copies() const { return data_->copies; }
const std::vector<DevicePlacement>& Placement::devices() const {
  return with_memory(*data_).devices;
}
RunCopies Placement::run_copies() const { return ferry::run_copies(*data_); }
const Prediction& Placement::prediction() const { return data_->prediction; }
const std::vector<RuleMatch>& Placement::rules() const { return data_->rules; }
const std::vector<SpilledWeight>& Placement::spilled() const { return data_->spilled; }
const std::vector<PlacedRange>& Placement::size_ranges() const { return data_->size_ranges; }
const std::string& Placement::fingerprint() const { return data_->fingerprint; }
const std::vector<std::string>& Placement::assumed_symbols() const {
  return data_->assumed_symbols;
}

}  // namespace ferry
