#include "ferry/model.h"

#include <filesystem>
#include <ostream>

#include "core/type_set.h"
#include "executor/plan/facts.h"
#include "executor/plan/registered_kernel.h"
#include "executor/run/evaluator.h"
#include "executor/session/inputs.h"
#include "executor/session/model_impl.h"
#include "ferry/error.h"
#include "graph/infer.h"
#include "graph/registered.h"
#include "graph/rewrite/rewrite.h"
#include "importer/importer.h"
#include "placement/fingerprint.h"
#include "placement/solve/cost_model.h"

namespace ferry {
namespace {

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

namespace {

// Throws Error unsupported where a node has a kernel on no device, of this machine or another.
void require_kernels(const Graph& graph) {
  for (const NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    for (const auto& body : node.bodies) require_kernels(*body);
    const NodeFacts facts = facts_of(graph, node);
    Support on_cpu;
    const auto runs_on = [&](Device device, Support* why) {
      return kernel_for(device, node, facts, why) != nullptr;
    };
    if (runs_on(Device::cpu(), &on_cpu)) continue;
    const bool is_registered = node.op.rule().registered != nullptr;
    if (is_registered ? registered_kernel(*node.op.rule().registered, DeviceKind::cuda, facts,
                                          nullptr) != nullptr
                      : runs_on(kStandIn, nullptr)) {
      continue;
    }
    throw Error(ErrorCode::unsupported, "no device can run this node: on cpu, " +
                                            std::string(to_string(on_cpu.reason)) + " (" +
                                            on_cpu.detail + ").")
        .with_node(node.name, node.op);
  }
}

template <typename Import>
std::shared_ptr<Model::Impl> loaded(const std::string& name, const LoadOptions& options,
                                    Import&& import) {
  try {
    Graph graph = optimized(import(import_options(options)), options.disabled_rewrites);
    require_kernels(graph);
    graph.name = name;
    return std::make_shared<Model::Impl>(std::move(graph), options);
  } catch (const Error& error) {
    throw error.with_model(name);
  }
}

}  // namespace

Model Model::load(const std::string& path, const LoadOptions& options) {
  const std::string name = std::filesystem::path(path).filename().string();
  return Model(
      loaded(name, options, [&](const ImportOptions& how) { return import_model(path, how); }));
}

Model Model::load_bytes(std::span<const std::byte> bytes, const std::string& name,
                        const LoadOptions& options) {
  const ferry::Bytes view(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  return Model(loaded(name, options,
                      [&](const ImportOptions& how) { return import_model(view, nullptr, how); }));
}

Model& Model::to(Device device) {
  PlacementRequest request;
  request.device = device;
  return to(request);
}

Model& Model::to(const PlacementRequest& request) {
  impl_->apply(plan(request));
  return *this;
}

namespace {

// Whether `placed` is of the model `source`: of its structure, and of its weights, not their like.
bool is_placement_of(const PlacementData& placed, const Graph& source) {
  const bool is_report = placed.graph.order().empty() && !source.order().empty();
  if (is_report || placed.fingerprint != fingerprint_of(source)) return false;
  for (ValueId id = 0; id < source.value_count(); ++id) {
    const Value& value = source.value(id);
    const ValueId there = placed.graph.find_value(value.name);
    if (!value.is_constant() || there == kNoValue) continue;
    const Tensor& weight = placed.graph.value(there).constant;
    if (!weight.defined() || weight.storage() != value.constant.storage()) return false;
  }
  return true;
}

}  // namespace

Model& Model::to(const Placement& placement) {
  if (!placement.defined() || !is_placement_of(*placement.data(), impl_->graph)) {
    throw Error(ErrorCode::invalid_argument,
                placement.defined()
                    ? "the placement is of '" + placement.data()->model +
                          "' as another Model or a report holds it, or this one before its dtype "
                          "changed. Make it with plan() of this Model."
                    : "the placement is empty. Make one with plan().")
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
    Graph converted = with_dtype(impl_->graph, dtype);
    Placement placement = impl_->place(converted, impl_->request);
    impl_->graph = std::move(converted);
    impl_->apply(std::move(placement));
  } catch (const Error& error) {
    throw error.with_model(name());
  }
  return *this;
}

Model& Model::cpu() { return to(Device::cpu()); }
Model& Model::cuda(int index) { return to(Device(DeviceKind::cuda, index)); }

Device Model::device() const { return impl_->request.device; }

const Placement& Model::placement() const {
  try {
    return impl_->placed().placement;
  } catch (const Error& error) {
    throw error.with_model(name());
  }
}

Placement Model::plan(const PlacementRequest& request) const {
  for (const Device device : devices_of(request)) {
    if (!device.is_cpu() && !request.assumed_devices.contains(device)) backend(device);
  }
  try {
    return impl_->place(impl_->graph, request);
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
    const bool used = !consumers[id].empty() || graph.is_output(id);
    if (graph.value(id).is_constant() && used) {
      out.add(graph.value(id).name, graph.value(id).constant);
    }
  }
  return out;
}

std::string Model::str() const { return module_tree(impl_->graph); }
std::string Model::graph() const { return to_string(placement().data()->graph); }

int64_t Model::plans_made() const {
  std::vector<Impl::Variant> variants;
  {
    const std::lock_guard lock(impl_->mutex);
    variants = impl_->variants;
  }
  const Impl::Placed* placed = impl_->current->peek();
  int64_t made = placed == nullptr ? 0 : placed->plans->plans_made();
  for (const Impl::Variant& variant : variants) {
    const auto* plans = variant.plans->peek();
    if (plans != nullptr) made += (*plans)->plans_made();
  }
  return made;
}

std::ostream& operator<<(std::ostream& out, const Model& model) { return out << model.str(); }

}  // namespace ferry
