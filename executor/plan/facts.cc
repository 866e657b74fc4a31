#include "executor/plan/facts.h"

#include <thread>

#include "executor/plan/registered_kernel.h"
#include "ferry/error.h"

namespace ferry {
namespace {

TensorFacts value_facts(const Graph& graph, ValueId id) {
  TensorFacts facts;
  if (id == kNoValue) return facts;
  const Value& value = graph.value(id);
  facts.present = true;
  facts.dtype = value.type.dtype;
  if (value.type.shape) {
    facts.has_shape = true;
    facts.shape.reserve(value.type.shape->size());
    for (const Dim& dim : *value.type.shape) {
      facts.shape.push_back(dim.is_known() ? dim.value() : -1);
    }
  }
  if (value.is_constant()) facts.constant = &value.constant;
  return facts;
}

}  // namespace

NodeFacts facts_of(const Graph& graph, const Node& node) {
  NodeFacts facts;
  facts.op = node.op;
  facts.attributes = &node.attributes;
  facts.inputs.reserve(node.inputs.size());
  facts.outputs.reserve(node.outputs.size());
  for (const ValueId id : node.inputs) facts.inputs.push_back(value_facts(graph, id));
  for (const ValueId id : node.outputs) facts.outputs.push_back(value_facts(graph, id));
  return facts;
}

int unsized_output(const Kernel& kernel, const NodeFacts& node) {
  for (int i = 0; i < static_cast<int>(node.outputs.size()); ++i) {
    const TensorFacts& output = node.output(i);
    if (!output.present || kernel.late_outputs.contains(i)) continue;
    if (!output.concrete() || output.dtype == DType::undefined) return i;
  }
  return -1;
}

std::span<const KernelFamily> families_of(DeviceKind kind) {
  return kind == DeviceKind::cpu ? cpu_kernels() : device_kernels(kind);
}

namespace {

// Made when it is first asked for; outlives every thread that may ask.
template <DeviceKind kind>
const KernelTable& table_of() {
  static const KernelTable& table = *new KernelTable(families_of(kind));
  return table;
}

}  // namespace

const KernelTable& kernels_of(DeviceKind kind) {
  using Get = const KernelTable& (*)();
  static constexpr Get kTables[] = {table_of<DeviceKind::cpu>, table_of<DeviceKind::cuda>,
                                    table_of<DeviceKind::sim>};
  return kTables[static_cast<size_t>(kind)]();
}

const Kernel* kernel_for(Device device, const Node& node, const NodeFacts& facts, Support* why) {
  const RegisteredOperator* registered = node.op.rule().registered;
  if (registered != nullptr) return registered_kernel(*registered, device.kind(), facts, why);
  return kernels_of(device.kind()).find(facts, why);
}

NodeCapability KernelCapability::ask(const Graph& graph, const Node& node, Device device) const {
  NodeCapability out;
  if (node.is_copy()) return out;
  const NodeFacts facts = facts_of(graph, node);
  const Device there = assumed_.contains(device) ? kStandIn : device;
  const Kernel* kernel = kernel_for(there, node, facts, &out.support);
  if (kernel == nullptr) {
    out.support.ok = false;
    return out;
  }
  out.support = Support::yes();
  out.host_inputs = kernel->host_inputs;
  out.metadata_inputs = kernel->metadata_inputs;
  out.host_outputs = kernel->host_outputs;
  out.read_back = kernel->read_back;
  if (kernel->table_bytes != nullptr) out.table_bytes = kernel->table_bytes(facts);
  return out;
}

std::string KernelCapability::device_name(Device device) const {
  if (const auto at = assumed_.find(device); at != assumed_.end()) return at->second.profile;
  if (!device.is_cpu()) return backend(device).properties().name;
  return std::to_string(std::thread::hardware_concurrency()) + " cores";
}

bool KernelCapability::simulated(Device device) const {
  return !device.is_cpu() && !assumed_.contains(device) && backend(device).properties().simulated;
}

}  // namespace ferry
