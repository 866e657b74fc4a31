#include "executor/session/model_impl.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <string_view>

#include "core/log.h"
#include "core/nearest.h"
#include "devices/copy.h"
#include "executor/plan/facts.h"
#include "executor/plan/memory_use.h"
#include "executor/session/inputs.h"
#include "ferry/error.h"
#include "graph/rewrite/rewrite.h"
#include "placement/solve/cost_model.h"

namespace ferry {

class Model::Impl::Lease {
 public:
  // Waits where the devices' memory limits have no room beside the runs that go on.
  Lease(Impl& model, std::shared_ptr<const Plan> plan, const StopSignal& stop) : model_(model) {
    {
      const std::lock_guard lock(model_.mutex);
      auto& states = model_.idle_states;
      const auto at = std::ranges::find_if(
          states, [&](const auto& idle) { return &idle.state->plan() == plan.get(); });
      if (at != states.end()) {
        state_ = std::move(*at);
        states.erase(at);
      }
      if (!model_.idle_scopes.empty()) {
        scope_ = std::move(model_.idle_scopes.back());
        model_.idle_scopes.pop_back();
      }
    }
    if (!state_.state) state_ = model_.new_state(std::move(plan), stop);
    if (!scope_) scope_ = std::make_unique<RunScope>();
    scope_->services = &model_;
  }

  // After a failure, queued work may still use what the run and its caller hold.
  ~Lease() {
    if (!scope_) return;
    try {
      scope_->synchronize();
    } catch (...) {  // the error that ended the run is on its way
    }
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  RunState& state() { return *state_.state; }
  RunScope& scope() { return *scope_; }

  // The run succeeded: both can serve again.
  void give_back() {
    constexpr size_t kOwnedStates = 8;
    scope_->ledger = nullptr;
    scope_->trace = nullptr;
    scope_->stop = {};
    const std::lock_guard lock(model_.mutex);
    if (model_.idle_states.size() == kOwnedStates) {
      model_.idle_states.erase(model_.idle_states.begin());
    }
    model_.idle_states.push_back(std::move(state_));
    model_.idle_scopes.push_back(std::move(scope_));
  }

 private:
  Impl& model_;
  OwnedState state_;
  std::unique_ptr<RunScope> scope_;
};

Model::Impl::OwnedState Model::Impl::new_state(std::shared_ptr<const Plan> plan,
                                               const StopSignal& stop) {
  OwnedState out;
  if (!request.memory_limits.empty()) {
    DeviceRoom::Bytes available;
    for (const auto& [device, limit] : request.memory_limits) {
      available[device] =
          static_cast<size_t>(std::max<int64_t>(0, limit - weights.uploaded_bytes(device)));
    }
    const auto drop_idle = [&] {
      const std::lock_guard lock(mutex);
      if (idle_states.empty()) return false;
      idle_states.erase(idle_states.begin());
      return true;
    };
    out.room = room->take(plan->device_bytes(), available, drop_idle, stop);
  }
  out.state = std::make_unique<RunState>(std::move(plan), *this);
  return out;
}

Model::Impl::Impl(Graph source, const LoadOptions& options)
    : graph(std::move(source)), pool(options.threads) {}

const WorkSite* Model::Impl::site(const Node& node) {
  const std::lock_guard lock(sites_mutex);
  return &sites.try_emplace(node.name, WorkSite{node.name, node.op}).first->second;
}

void Model::Impl::apply(Placement next) {
  for (const auto& [device, card] : next.request().assumed_devices) {
    throw Error(ErrorCode::device_missing,
                "the placement assumes a " + card.profile + " as " + device.str() +
                    ": it says what a run would cost there, and cannot be run here.")
        .with_model(graph.name);
  }
  idle_states.clear();
  idle_scopes.clear();
  variants.clear();
  request = next.request();
  weights.keep_only(weight_homes(next.data()->graph));
  current = std::make_unique<Lazy<Placed>>();
  current->get([&] { return placed_as(std::move(next)); });
}

Model::Impl::Placed Model::Impl::placed_as(Placement placement) {
  if (log_wants(LogLevel::info)) log(LogLevel::info, graph.name + ": " + placement.summary());
  // The graph is kept alive by the placement that it is part of.
  std::shared_ptr<const Graph> owned(placement.data(), &placement.data()->graph);
  return {std::move(placement), std::make_shared<PlanCache>(std::move(owned), "", *this)};
}

const Model::Impl::Placed& Model::Impl::placed() {
  return current->get([&] { return placed_as(place(graph, request)); });
}

namespace {

// The value of this name that a node of the placed graph writes, copies apart; else kNoValue.
ValueId written_value(const Graph& graph, const std::string& name) {
  const ValueId id = graph.find_value(name);
  if (id == kNoValue || graph.value(id).producer == kNoNode) return kNoValue;
  const bool is_copy = graph.node(graph.value(id).producer).is_copy();
  return is_copy || graph.value(id).type.kind != Type::Kind::tensor ? kNoValue : id;
}

[[noreturn]] void refuse_output(const Graph& source, const std::string& name) {
  std::vector<std::string> known;
  for (const ValueId id : source.outputs()) known.push_back(source.value(id).name);
  for (const NodeId id : source.order()) {
    for (const ValueId output : source.node(id).outputs) {
      if (output != kNoValue) known.push_back(source.value(output).name);
    }
  }
  throw Error(ErrorCode::not_found,
              "the model has no output, and no node that writes a tensor, named '" + name + "'." +
                  did_you_mean(name, known));
}

// The part of `graph` that `names` need, delivering them in their order.
std::shared_ptr<const Graph> with_outputs(const Graph& graph, const Graph& source,
                                          const std::vector<std::string>& names) {
  // Copies have names of their own: an output is known by its place in the model.
  std::map<std::string_view, ValueId> known;
  for (size_t i = 0; i < source.outputs().size(); ++i) {
    known.emplace(source.value(source.outputs()[i]).name, graph.outputs()[i]);
  }
  auto part = std::make_shared<Graph>(clone(graph));
  std::vector<ValueId> outputs;
  std::set<std::string_view> seen;
  for (const std::string& name : names) {
    const auto at = known.find(name);
    const ValueId id = at != known.end() ? at->second : written_value(graph, name);
    if (id == kNoValue) refuse_output(source, name);
    if (!seen.insert(name).second) {
      throw Error(ErrorCode::invalid_argument,
                  "the output '" + name + "' is wanted twice; name each once.");
    }
    outputs.push_back(id);
  }
  part->set_outputs(std::move(outputs));
  remove_dead_code(*part);
  return part;
}

}  // namespace

Placement Model::Impl::place(const Graph& graph, const PlacementRequest& request) {
  return ferry::place(graph, request, KernelCapability(request.assumed_devices),
                      std::make_shared<PlanMemory>(request.assumed_devices));
}

Model::Impl::Variant Model::Impl::variant_of(const std::vector<std::string>& outputs,
                                             Device outputs_on) {
  constexpr size_t kVariants = 8;
  const std::lock_guard lock(mutex);
  const auto at = std::ranges::find_if(variants, [&](const Variant& variant) {
    return variant.outputs_on == outputs_on && variant.outputs == outputs;
  });
  if (at != variants.end()) {
    std::rotate(variants.begin(), at, at + 1);
  } else {
    if (variants.size() == kVariants) variants.pop_back();
    variants.insert(variants.begin(), Variant{outputs, outputs_on});
  }
  return variants.front();
}

std::shared_ptr<PlanCache> Model::Impl::plans_for(const RunOptions& options) {
  const Device target = options.outputs_on.value_or(request.outputs_on);
  const bool elsewhere = target != request.outputs_on;
  if (options.outputs.empty() && !elsewhere) return placed().plans;
  return variant_of(options.outputs, target).plans->get([&] {
    Placement delivering;
    if (elsewhere) {
      if (!target.is_cpu()) backend(target);  // device_missing before anything else
      PlacementRequest there = request;
      there.outputs_on = target;
      there.size_range.reset();
      delivering = place(graph, there);
    } else {
      delivering = placed().placement;
    }
    std::shared_ptr<const Graph> placed(delivering.data(), &delivering.data()->graph);
    if (!options.outputs.empty()) placed = with_outputs(*placed, graph, options.outputs);
    return std::make_shared<PlanCache>(std::move(placed), "", *this);
  });
}

void report_run(const RunOptions& options, const CopyLedger& ledger, const Trace& trace,
                std::chrono::steady_clock::time_point start) {
  const std::string difference = ledger.difference();
  if (options.report != nullptr) {
    RunReport& report = *options.report;
    report = RunReport();
    for (const LedgerPair& pair : ledger.compared()) {
      const LedgerEntry& made = pair.made;
      report.copies.push_back({made.value, made.from, made.to, made.bytes, made.times,
                               made.by_kernel, pair.planned_bytes, pair.planned_times,
                               made.pageable});
    }
    report.ledger_difference = difference;
    report.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (options.trace) {
      report.trace_json = trace.json();
      report.measured.steps = trace.steps();
      report.measured.seconds = report.seconds;
    }
  }
  if (options.check_ledger && !difference.empty()) {
    throw Error(ErrorCode::ledger_mismatch,
                "the copies of this run are not those of its placement: " + difference);
  }
}

Outputs Model::Impl::run(const Inputs& inputs, const RunOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  const StopSignal stop(options);
  stop.check();
  const std::vector<Tensor> ordered = ordered_inputs(graph, inputs);
  std::vector<Shape> shapes;
  shapes.reserve(ordered.size());
  for (const Tensor& tensor : ordered) shapes.push_back(tensor.shape());

  Lease lease(*this, plans_for(options)->get(shapes), stop);
  CopyLedger ledger;
  Trace trace;
  RunScope& scope = lease.scope();
  const bool keep_ledger = options.check_ledger || options.report != nullptr;
  scope.ledger = keep_ledger ? &ledger : nullptr;
  scope.trace = options.trace ? &trace : nullptr;
  scope.start = start;
  scope.stop = stop;
  if (options.trace) {
    for (const Device device : devices_of(request)) reset_most_held(device);
  }
  std::vector<Tensor> outputs = lease.state().run(ordered, {}, scope);
  scope.finish();
  stop.check();
  lease.give_back();

  if (keep_ledger) report_run(options, ledger, trace, start);
  if (options.trace && options.report != nullptr) {
    for (const Device device : devices_of(request)) {
      if (device.is_cpu()) continue;
      options.report->measured.peak_bytes[device] = held_bytes(device).most;
    }
  }
  Outputs named;
  for (size_t i = 0; i < outputs.size(); ++i) {
    named.add(options.outputs.empty() ? graph.value(graph.outputs()[i]).name : options.outputs[i],
              std::move(outputs[i]));
  }
  return named;
}

}  // namespace ferry
