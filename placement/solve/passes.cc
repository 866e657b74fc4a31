#include "placement/solve/passes.h"

#include <utility>

namespace ferry {
namespace {

// The weights of the outermost graph that are brought to a device in every run.
Streamed streamed_weights(const Graph& graph, const PassFacts& facts, const MemoryPrices& prices) {
  Streamed out;
  if (!prices.streams) return out;
  const auto readers = readers_of(graph, facts.request, facts.capability);
  for (ValueId id = 0; id < graph.value_count(); ++id) {
    const Value& value = graph.value(id);
    if (!value.is_constant()) continue;
    for (const Device device : readers[id]) {
      if (device.is_cpu()) continue;
      if (prices.streams(value, facts.costs.index_of(device))) out.insert({value.name, device});
    }
  }
  return out;
}

}  // namespace

Placed run_passes(const Graph& graph, const PassFacts& facts, const MemoryPrices& prices) {
  Placed placed;
  placed.graph = clone(graph);
  Assigning assigning{facts.request, facts.capability, facts.costs};
  assigning.weight_price = prices.weight;
  assigning.activation_price = prices.activation;
  placed.decisions = assign_devices(placed.graph, assigning);
  verify(placed.graph, "assign_devices");
  if (facts.request.policy == PlacementPolicy::fastest && !facts.request.random_seed) {
    if (recompute(placed.graph, assigning, placed.decisions)) verify(placed.graph, "recompute");
  }
  insert_copies(placed.graph, facts.request, facts.capability,
                streamed_weights(placed.graph, facts, prices));
  verify(placed.graph, "insert_copies");
  elide_copies(placed.graph);
  verify(placed.graph, "elide_copies");
  placed.prediction = std::move(assigning.prediction);
  placed.rules = std::move(assigning.rules);
  placed.priced_cost = assigning.priced_cost;
  return placed;
}

}  // namespace ferry
