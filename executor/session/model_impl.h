#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "executor/plan/plan.h"
#include "executor/run/run_state.h"
#include "executor/session/device_room.h"
#include "executor/session/weight_store.h"
#include "ferry/model.h"
#include "placement/placement.h"

namespace ferry {

struct Model::Impl : PlanServices {
  Impl(Graph source, const LoadOptions& options);

  // ---- PlanServices ---------------------------------------------------------------------------
  Tensor constant_on(const Tensor& weight, Device device) override {
    return weights.on(weight, device);
  }
  std::shared_ptr<const void> packed(const Tensor& weight, std::string_view layout,
                                     FunctionRef<std::shared_ptr<const void>()> make) override {
    return weights.packed(weight, layout, make);
  }
  ThreadPool& threads() override { return pool; }
  const WorkSite* site(const Node& node) override;

  // A placement and its plans.
  struct Placed {
    Placement placement;
    std::shared_ptr<PlanCache> plans;
  };
  // Parts of the placed graph, or placements that deliver elsewhere, for runs that ask for them.
  struct Variant {
    std::vector<std::string> outputs;
    Device outputs_on;
    std::shared_ptr<Lazy<std::shared_ptr<PlanCache>>> plans =
        std::make_shared<Lazy<std::shared_ptr<PlanCache>>>();
  };
  // A RunState, and its share of the devices' memory limits, which goes after it.
  struct OwnedState {
    std::shared_ptr<const void> room;
    std::unique_ptr<RunState> state;
  };
  // An OwnedState and a RunScope for one run; given back unless the run failed.
  class Lease;

  // What the request gives for `graph`; moves nothing. Thread-safe.
  static Placement place(const Graph& graph, const PlacementRequest& request);
  void apply(Placement next);
  Placed placed_as(Placement placement);
  const Placed& placed();
  Variant variant_of(const std::vector<std::string>& outputs, Device outputs_on);
  // The plans of the graph that delivers what `options` wants where it wants it. Throws Error
  // not_found, invalid_argument, device_missing.
  std::shared_ptr<PlanCache> plans_for(const RunOptions& options);
  OwnedState new_state(std::shared_ptr<const Plan> plan, const StopSignal& stop);
  Outputs run(const Inputs& inputs, const RunOptions& options);

  Graph graph;  // rewritten, device-neutral
  ThreadPool pool;
  WeightStore weights;

  // Where the model is: as `request` says, placed when that is first needed.
  PlacementRequest request;
  std::unique_ptr<Lazy<Placed>> current = std::make_unique<Lazy<Placed>>();
  std::shared_ptr<DeviceRoom> room = std::make_shared<DeviceRoom>();

  mutable std::mutex mutex;             // guards the three lists
  std::vector<Variant> variants;        // most recently used first
  std::vector<OwnedState> idle_states;  // least recently used first
  std::vector<std::unique_ptr<RunScope>> idle_scopes;

  std::mutex sites_mutex;  // taken while plans are made
  std::map<std::string, WorkSite> sites;
};

// A copy of `graph` with floating weights, inputs and arithmetic in `dtype` (Model::to(DType)).
Graph with_dtype(const Graph& graph, DType dtype);

// What RunOptions asks to know of a run: fills in the report, and throws Error ledger_mismatch.
void report_run(const RunOptions& options, const CopyLedger& ledger, const Trace& trace,
                std::chrono::steady_clock::time_point start);

// The module tree of a model (Model::str()).
std::string module_tree(const Graph& graph);

}  // namespace ferry
