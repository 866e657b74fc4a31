#include "ferry/model.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <map>
#include <ostream>
#include <set>

#include "core/human.h"
#include "core/log.h"
#include "core/nearest.h"
#include "core/storage.h"
#include "core/type_set.h"
#include "devices/copy.h"
#include "executor/evaluator.h"
#include "executor/facts.h"
#include "executor/memory_use.h"
#include "executor/model_impl.h"
#include "ferry/cuda.h"
#include "ferry/error.h"
#include "graph/infer.h"
#include "graph/rewrite/rewrite.h"
#include "importer/importer.h"
#include "placement/cost_model.h"

namespace ferry {
namespace {

TensorInfo info_of(const Value& value) {
  TensorInfo info;
  info.name = value.name;
  info.dtype = value.type.dtype;
  info.has_shape = value.type.shape.has_value();
  if (info.has_shape) {
    for (const Dim& dim : *value.type.shape) info.dims.push_back(dim.str());
  }
  return info;
}

std::vector<TensorInfo> infos_of(const Graph& graph, const std::vector<ValueId>& ids) {
  std::vector<TensorInfo> out;
  for (const ValueId id : ids) out.push_back(info_of(graph.value(id)));
  return out;
}

// Infers, folds and rewrites what the importer made.
Graph optimized(Graph graph, const std::vector<std::string>& disabled) {
  verify(graph, "the importer");
  KernelEvaluator evaluator;
  InferOptions options;
  options.evaluator = &evaluator;
  infer(graph, options);
  rewrite(graph, disabled);
  return graph;
}

ImportOptions import_options(const LoadOptions& options) {
  ImportOptions out;
  out.data_folder = options.external_data;
  out.link_root = options.link_root;
  return out;
}

}  // namespace

// ---- names --------------------------------------------------------------------------------------

std::string TensorInfo::str() const {
  std::string out(to_string(dtype));
  if (!has_shape) return out + "[...]";
  out += "[";
  for (size_t i = 0; i < dims.size(); ++i) out += (i > 0 ? ", " : "") + dims[i];
  return out + "]";
}

// ---- weights ------------------------------------------------------------------------------------

Tensor WeightStore::on(const Tensor& weight, Device device) {
  if (device.is_cpu()) return weight;
  const std::lock_guard lock(mutex_);
  Upload& upload = uploads_[{weight.storage().get(), device}];
  if (!upload.there.defined()) {
    upload = {weight, weight.to(device)};
    weight.storage()->release_pages();
    if (log_wants(LogLevel::debug)) {
      log(LogLevel::debug, "uploaded a weight of " +
                               human_bytes(static_cast<int64_t>(weight.nbytes())) + " to " +
                               device.str());
    }
  }
  return upload.there.shape() == weight.shape() ? upload.there
                                                : upload.there.reshape(weight.shape());
}

std::shared_ptr<const void> WeightStore::packed(const Tensor& weight, std::string_view layout,
                                                FunctionRef<std::shared_ptr<const void>()> make) {
  const std::lock_guard lock(mutex_);
  const std::string key = std::string(layout) + to_string(std::span(weight.shape()));
  Packed& entry = packed_[{weight.storage().get(), key}];
  if (entry.data == nullptr) {
    entry = {weight, make()};
    weight.storage()->release_pages();
  }
  return entry.data;
}

void WeightStore::keep_only(const WeightHomes& homes) {
  const std::lock_guard lock(mutex_);
  std::erase_if(uploads_, [&](const auto& entry) { return !homes.contains(entry.first); });
  std::erase_if(packed_, [&](const auto& entry) {
    return !homes.contains({entry.first.first, Device::cpu()});
  });
}

int64_t WeightStore::uploaded_bytes() const {
  const std::lock_guard lock(mutex_);
  int64_t bytes = 0;
  for (const auto& [key, upload] : uploads_) bytes += static_cast<int64_t>(upload.there.nbytes());
  return bytes;
}

// ---- the model ----------------------------------------------------------------------------------

class Model::Impl::Lease {
 public:
  Lease(Impl& model, std::shared_ptr<const Plan> plan) : model_(model) {
    const std::lock_guard lock(model_.mutex);
    auto& states = model_.idle_states;
    const auto at = std::ranges::find_if(
        states, [&](const auto& state) { return &state->plan() == plan.get(); });
    if (at != states.end()) {
      state_ = std::move(*at);
      states.erase(at);
    }
    if (!model_.idle_scopes.empty()) {
      scope_ = std::move(model_.idle_scopes.back());
      model_.idle_scopes.pop_back();
    }
    if (!state_) state_ = std::make_unique<RunState>(std::move(plan), model_);
    if (!scope_) scope_ = std::make_unique<RunScope>();
    scope_->services = &model_;
  }

  // After a failure, queued work may still use what the run and its caller hold.
  ~Lease() {
    if (!scope_) return;
    try {
      scope_->synchronize();
    } catch (const Error&) {  // the error that ended the run is on its way
    }
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  RunState& state() { return *state_; }
  RunScope& scope() { return *scope_; }

  // The run succeeded: both can serve again.
  void give_back() {
    constexpr size_t kIdleStates = 8;
    scope_->ledger = nullptr;
    scope_->trace = nullptr;
    scope_->stop = {};
    const std::lock_guard lock(model_.mutex);
    if (model_.idle_states.size() == kIdleStates) {
      model_.idle_states.erase(model_.idle_states.begin());
    }
    model_.idle_states.push_back(std::move(state_));
    model_.idle_scopes.push_back(std::move(scope_));
  }

 private:
  Impl& model_;
  std::unique_ptr<RunState> state_;
  std::unique_ptr<RunScope> scope_;
};

Model::Impl::Impl(Graph source, const LoadOptions& options)
    : graph(std::move(source)), pool(options.threads) {}

const WorkSite* Model::Impl::site(const Node& node) {
  const std::lock_guard lock(sites_mutex);
  return &sites.try_emplace(node.name, WorkSite{node.name, node.op}).first->second;
}

void Model::Impl::apply(Placement next) {
  idle_states.clear();
  idle_scopes.clear();
  variants.clear();
  placement = std::move(next);
  if (log_wants(LogLevel::info)) log(LogLevel::info, graph.name + ": " + placement.summary());
  weights.keep_only(weight_homes(placement.data()->graph));
  // The graph is kept alive by the placement that it is part of.
  plans = std::make_shared<PlanCache>(
      std::shared_ptr<const Graph>(placement.data(), &placement.data()->graph), "", *this);
}

std::vector<Tensor> Model::Impl::ordered_inputs(const Inputs& inputs) const {
  std::vector<std::string> names;
  for (const ValueId id : graph.inputs()) names.push_back(graph.value(id).name);
  std::vector<Tensor> out(names.size());
  for (const auto& [name, tensor] : inputs) {
    const auto at = std::ranges::find(names, name);
    if (at == names.end()) {
      throw Error(ErrorCode::not_found,
                  "the model has no input named '" + name + "'." + did_you_mean(name, names));
    }
    out[static_cast<size_t>(at - names.begin())] = tensor;
  }
  std::map<std::string, std::pair<int64_t, std::string>> symbols;  // size, and who gave it
  for (size_t i = 0; i < names.size(); ++i) {
    const TensorInfo info = info_of(graph.value(graph.inputs()[i]));
    Tensor& tensor = out[i];
    const std::string expected = "input '" + names[i] + "' wants " + info.str();
    if (!tensor.defined()) {
      throw Error(ErrorCode::not_found, expected + ", and none was given.");
    }
    if (tensor.dtype() != info.dtype) {
      throw Error(ErrorCode::invalid_argument,
                  expected + ", not " + std::string(to_string(tensor.dtype())) +
                      ". Convert it with to(ferry::" + std::string(to_string(info.dtype)) + ").");
    }
    tensor = tensor.contiguous();
    if (!info.has_shape) continue;
    const std::string came = ", not shape " + to_string(std::span(tensor.shape()));
    if (tensor.dim() != static_cast<int64_t>(info.dims.size())) {
      throw Error(ErrorCode::invalid_argument, expected + came + ".");
    }
    for (size_t axis = 0; axis < info.dims.size(); ++axis) {
      const Dim& dim = (*graph.value(graph.inputs()[i]).type.shape)[axis];
      const int64_t size = tensor.shape()[axis];
      if (dim.is_known() && dim.value() != size) {
        throw Error(
            ErrorCode::invalid_argument,
            expected + came + ": axis " + std::to_string(axis) + " must be " + dim.str() + ".");
      }
      if (!dim.is_symbolic()) continue;
      const auto [known, is_new] = symbols.emplace(dim.str(), std::pair(size, names[i]));
      if (!is_new && known->second.first != size) {
        throw Error(ErrorCode::invalid_argument, expected + came + ": '" + dim.str() + "' is " +
                                                     std::to_string(known->second.first) +
                                                     " in input '" + known->second.second + "'.");
      }
    }
  }
  return out;
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

Placement Model::Impl::place_with(const PlacementRequest& request) const {
  return place(graph, request, KernelCapability(request.assumed_devices),
               std::make_shared<PlanMemory>(request.assumed_devices));
}

std::shared_ptr<PlanCache> Model::Impl::plans_for(const RunOptions& options) {
  constexpr size_t kVariants = 8;
  const Device target = options.outputs_on.value_or(placement.request().outputs_on);
  const bool elsewhere = target != placement.request().outputs_on;
  if (options.outputs.empty() && !elsewhere) return plans;
  const std::lock_guard lock(mutex);
  const auto at = std::ranges::find_if(variants, [&](const Variant& variant) {
    return variant.outputs_on == target && variant.outputs == options.outputs;
  });
  if (at != variants.end()) {
    std::rotate(variants.begin(), at, at + 1);
    return variants.front().plans;
  }
  Placement delivering = placement;
  if (elsewhere) {
    if (!target.is_cpu()) backend(target);  // device_missing before anything else
    PlacementRequest request = placement.request();
    request.outputs_on = target;
    request.size_range.reset();
    delivering = place_with(request);
  }
  std::shared_ptr<const Graph> placed(delivering.data(), &delivering.data()->graph);
  if (!options.outputs.empty()) placed = with_outputs(*placed, graph, options.outputs);
  auto made = std::make_shared<PlanCache>(std::move(placed), "", *this);
  if (variants.size() == kVariants) variants.pop_back();
  variants.insert(variants.begin(), {options.outputs, target, made});
  return made;
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
  const std::vector<Tensor> ordered = ordered_inputs(inputs);
  std::vector<Shape> shapes;
  shapes.reserve(ordered.size());
  for (const Tensor& tensor : ordered) shapes.push_back(tensor.shape());

  Lease lease(*this, plans_for(options)->get(shapes));
  CopyLedger ledger;
  Trace trace;
  RunScope& scope = lease.scope();
  const bool keep_ledger = options.check_ledger || options.report != nullptr;
  scope.ledger = keep_ledger ? &ledger : nullptr;
  scope.trace = options.trace ? &trace : nullptr;
  scope.start = start;
  scope.stop = stop;
  if (options.trace) {
    for (const Device device : devices_of(placement.request())) reset_most_held(device);
  }
  std::vector<Tensor> outputs = lease.state().run(ordered, {}, scope);
  scope.finish();
  stop.check();
  lease.give_back();

  if (keep_ledger) report_run(options, ledger, trace, start);
  if (options.trace && options.report != nullptr) {
    for (const Device device : devices_of(placement.request())) {
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

// ---- the public face ----------------------------------------------------------------------------

Model Model::load(const std::string& path, const LoadOptions& options) {
  const std::string name = std::filesystem::path(path).filename().string();
  try {
    Graph graph = optimized(import_model(path, import_options(options)), options.disabled_rewrites);
    graph.name = name;
    Model model(std::make_shared<Impl>(std::move(graph), options));
    return model.to(Device::cpu());
  } catch (const Error& error) {
    throw error.with_model(name);
  }
}

Model Model::load_bytes(std::span<const std::byte> bytes, const std::string& name,
                        const LoadOptions& options) {
  try {
    const ferry::Bytes view(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
    Graph graph =
        optimized(import_model(view, nullptr, import_options(options)), options.disabled_rewrites);
    graph.name = name;
    Model model(std::make_shared<Impl>(std::move(graph), options));
    return model.to(Device::cpu());
  } catch (const Error& error) {
    throw error.with_model(name);
  }
}

Model& Model::to(Device device) {
  PlacementRequest request;
  request.device = device;
  return to(request);
}

Model& Model::to(const PlacementRequest& request) { return to(plan(request)); }

Model& Model::to(const Placement& placement) {
  for (const auto& [device, card] : placement.request().assumed_devices) {
    throw Error(ErrorCode::device_missing,
                "the placement assumes a " + card.profile + " as " + device.str() +
                    ": it says what a run would cost there, and cannot be run here.")
        .with_model(name());
  }
  impl_->apply(placement);
  return *this;
}

Model& Model::to(DType dtype) {
  if (!kFloatTypes.contains(dtype)) {
    throw Error(
        ErrorCode::invalid_argument,
        "a model converts to floating types only (float64, float32, float16, bfloat16), as a "
        "PyTorch module does; " +
            std::string(to_string(dtype)) + " is not one.");
  }
  try {
    impl_->graph = with_dtype(impl_->graph, dtype);
  } catch (const Error& error) {
    throw error.with_model(name());
  }
  return to(impl_->placement.request());
}

Model& Model::cpu() { return to(Device::cpu()); }
Model& Model::cuda(int index) { return to(Device(DeviceKind::cuda, index)); }

Device Model::device() const { return impl_->placement.request().device; }
const Placement& Model::placement() const { return impl_->placement; }

Placement Model::plan(const PlacementRequest& request) const {
  for (const Device device : devices_of(request)) {
    if (!device.is_cpu() && !request.assumed_devices.contains(device)) backend(device);
  }
  try {
    return impl_->place_with(request);
  } catch (const Error& error) {
    throw error.with_model(name());
  }
}

Outputs Model::run(const Inputs& inputs, const RunOptions& options) const {
  try {
    return impl_->run(inputs, options);
  } catch (const Error& error) {
    throw error.with_model(name());
  }
}

const std::string& Model::name() const { return impl_->graph.name; }
ModelMetadata Model::metadata() const {
  const Graph& graph = impl_->graph;
  ModelMetadata out{graph.ir_version, graph.producer, graph.opsets, graph.metadata};
  if (auto own = out.opsets.extract(""); !own.empty()) {
    own.key() = "ai.onnx";
    out.opsets.insert(std::move(own));
  }
  return out;
}
std::vector<TensorInfo> Model::inputs() const {
  return infos_of(impl_->graph, impl_->graph.inputs());
}
std::vector<TensorInfo> Model::outputs() const {
  return infos_of(impl_->graph, impl_->graph.outputs());
}

NamedValues Model::parameters() const {
  NamedValues out;
  const Graph& graph = impl_->graph;
  const auto consumers = graph.consumers();
  for (ValueId id = 0; id < graph.value_count(); ++id) {
    const bool used = !consumers[static_cast<size_t>(id)].empty() || graph.is_output(id);
    if (graph.value(id).is_constant() && used) {
      out.add(graph.value(id).name, graph.value(id).constant);
    }
  }
  return out;
}

std::string Model::str() const { return module_tree(impl_->graph); }
std::string Model::graph() const { return to_string(impl_->placement.data()->graph); }

int64_t Model::plans_made() const {
  const std::lock_guard lock(impl_->mutex);
  int64_t made = impl_->plans->plans_made();
  for (const Impl::Variant& variant : impl_->variants) made += variant.plans->plans_made();
  return made;
}

std::ostream& operator<<(std::ostream& out, const Model& model) { return out << model.str(); }

// ---- cuda ---------------------------------------------------------------------------------------

namespace cuda {

bool is_available() { return device_count() > 0; }
int device_count() { return ferry::device_count(DeviceKind::cuda); }
std::string why_unavailable() {
  std::string why;
  ferry::device_count(DeviceKind::cuda, &why);
  return why;
}
DeviceProperties device_properties(int index) {
  const ferry::DeviceProperties& from = backend(Device(DeviceKind::cuda, index)).properties();
  return {from.name, from.compute_major, from.compute_minor, from.memory_bytes,
          from.multiprocessors};
}
void synchronize(int index) { backend(Device(DeviceKind::cuda, index)).synchronize(); }

}  // namespace cuda
}  // namespace ferry
