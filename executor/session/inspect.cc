#include "ferry/inspect.h"

#include <algorithm>
#include <map>
#include <thread>

#include "executor/plan/facts.h"
#include "executor/run/evaluator.h"
#include "ferry/error.h"
#include "ferry/operator.h"
#include "graph/infer.h"
#include "graph/registered.h"
#include "graph/rewrite/rewrite.h"
#include "importer/importer.h"
#include "placement/solve/cost_model.h"

namespace ferry {
namespace {

// Problems by operator, code and detail.
using Missing = std::map<std::string, CheckProblem>;

void add(Missing& missing, const Node& node, Device device, const Support& support) {
  const std::string code(to_string(support.reason));
  CheckProblem& problem = missing[node.op.name() + " " + code + " " + support.detail];
  if (problem.node.empty()) {
    problem = {code, node.name, node.op,
               device.str() + " cannot run it" +
                   (support.detail.empty() ? "" : ": " + support.detail) + ".",
               0};
  }
  ++problem.count;
}

// Operators that the CPU has no kernel for.
void find_missing_kernels(const Graph& graph, Missing& missing) {
  const KernelCapability capability;
  for (const NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    for (const auto& body : node.bodies) find_missing_kernels(*body, missing);
    const bool folded = std::ranges::all_of(node.outputs, [&](ValueId output) {
      return output == kNoValue || graph.value(output).is_constant();
    });
    if (folded) continue;
    const NodeCapability answer = capability.ask(graph, node, Device::cpu());
    if (!answer.support.ok) add(missing, node, Device::cpu(), answer.support);
  }
}

// Operators that fall from `device`, where the CPU can run everything.
void find_fallen(const Graph& graph, Device device, const Decisions& decisions, Missing& missing) {
  for (const NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    for (const auto& body : node.bodies) find_fallen(*body, device, decisions, missing);
    const Decision& decision = decisions.at(node.name);
    if (!decision.fell) continue;
    add(missing, node, device, Support::no(decision.reason, decision.detail));
  }
}

std::string dtype_list(TypeSet types) {
  std::string out;
  for (int i = 1; i < kDTypeCount; ++i) {
    if (!types.contains(static_cast<DType>(i))) continue;
    out += (out.empty() ? "" : " ") + std::string(to_string(static_cast<DType>(i)));
  }
  return out.empty() ? "any" : out;
}

}  // namespace

std::vector<CheckProblem> check(const std::string& path, const LoadOptions& options,
                                Device device) {
  if (!device.is_cpu()) backend(device);
  ImportOptions import_options;
  import_options.data_folder = options.external_data;
  import_options.link_root = options.link_root;
  std::vector<CheckProblem> out;
  for (const Problem& problem : check_model(path, import_options)) {
    out.push_back({std::string(to_string(problem.code)), problem.node, problem.op, problem.message,
                   problem.count});
  }
  if (!out.empty()) return out;
  try {
    Graph graph = import_model(path, import_options);
    KernelEvaluator evaluator;
    InferOptions infer_options;
    infer_options.evaluator = &evaluator;
    infer(graph, infer_options);
    remove_dead_code(graph);
    Missing missing;
    find_missing_kernels(graph, missing);
    if (missing.empty() && !device.is_cpu()) {
      PlacementRequest request;
      request.device = device;
      request.cpu_fallback = true;
      request.policy = PlacementPolicy::device_first;
      const KernelCapability capability;
      const CostModel costs = cost_model_of(request, capability);
      Assigning assigning{request, capability, costs};
      const Decisions decisions = assign_devices(graph, assigning);
      find_fallen(graph, device, decisions, missing);
    }
    for (auto& [key, problem] : missing) out.push_back(std::move(problem));
  } catch (const Error& error) {
    out.push_back(
        {std::string(to_string(error.code())), error.node(), error.op(), error.message(), 1});
  }
  return out;
}

std::vector<OperatorInfo> operators() {
  std::map<std::string, OperatorInfo> all;
  for (const DeviceKind kind : {DeviceKind::cpu, DeviceKind::cuda, DeviceKind::sim}) {
    if (device_count(kind) == 0) continue;
    std::map<std::string, TypeSet> types;
    std::map<std::string, bool> any;
    for (const KernelFamily family : families_of(kind)) {
      for (const Kernel& kernel : family) {
        const std::string op(kernel.op);
        types[op] = types[op] | kernel.types;
        any[op] = any[op] || kernel.types.bits == 0;
      }
    }
    for (const RegisteredOperator* entry : registered_operators()) {
      for (const OperatorKernel& kernel : entry->definition.kernels) {
        if (kernel.device != kind) continue;
        TypeSet& set = types[entry->op];
        for (const DType dtype : kernel.dtypes) set = set | TypeSet{dtype};
        any[entry->op] = any[entry->op] || kernel.dtypes.empty();
      }
    }
    for (const auto& [op, set] : types) {
      OperatorInfo& info = all[op];
      info.op = op;
      info.devices.push_back(kind);
      info.dtypes.push_back(any[op] ? "any" : dtype_list(set));
    }
  }
  std::vector<OperatorInfo> out;
  for (auto& [op, info] : all) out.push_back(std::move(info));
  return out;
}

std::vector<DeviceInfo> devices() {
  std::vector<DeviceInfo> out;
  DeviceInfo host;
  host.multiprocessors = static_cast<int>(std::thread::hardware_concurrency());
  host.name = std::to_string(host.multiprocessors) + " cores";
  out.push_back(host);
  for (const DeviceKind kind : {DeviceKind::cuda, DeviceKind::sim}) {
    const int count = device_count(kind);
    for (int i = 0; i < count; ++i) {
      DeviceBackend& device = backend(Device(kind, i));
      const DeviceProperties& properties = device.properties();
      out.push_back({device.device(), properties.name, properties.simulated,
                     properties.memory_bytes, properties.multiprocessors,
                     missing_libraries(device.device().kind())});
    }
  }
  return out;
}

}  // namespace ferry
