#include "executor/run/dynamic_step.h"

#include <cstring>

#include "core/storage.h"
#include "devices/copy.h"
#include "executor/plan/facts.h"
#include "executor/plan/step_prepare.h"
#include "ferry/error.h"
#include "graph/infer.h"

namespace ferry {
namespace {

bool same_elements(const Tensor& a, const Tensor& b) {
  return a.dtype() != DType::string && a.nbytes() == b.nbytes() &&
         (a.nbytes() == 0 || std::memcmp(a.data(), b.data(), a.nbytes()) == 0);
}

}  // namespace

DynamicStep::DynamicStep(const Graph& graph, const Step& step)
    : device_(step.device), host_inputs_(step.kernel->host_inputs) {
  Node alone = graph.node(step.node);
  alone.bodies.clear();
  alone.captures.clear();
  for (size_t i = 0; i < alone.inputs.size(); ++i) {
    if (alone.inputs[i] == kNoValue) continue;
    const Value& outer = graph.value(alone.inputs[i]);
    if (outer.is_constant()) weights_.add(static_cast<int>(i));
    alone.inputs[i] = graph_.add_value({.name = "i" + std::to_string(i),
                                        .type = outer.type,
                                        .constant = outer.constant,
                                        .device = outer.device});
  }
  for (size_t i = 0; i < alone.outputs.size(); ++i) {
    if (alone.outputs[i] == kNoValue) continue;
    const Value& outer = graph.value(alone.outputs[i]);
    alone.outputs[i] = graph_.add_value(
        {.name = "o" + std::to_string(i), .type = outer.type, .device = outer.device});
  }
  node_ = graph_.add_node(std::move(alone));
  seen_.resize(graph_.node(node_).inputs.size());
}

void DynamicStep::prepare(std::span<const Tensor> inputs, RunScope& scope) {
  uploaded = 0;
  if (kernel != nullptr && serves(inputs)) return;
  kernel = nullptr;
  if (state) scope.keep(std::move(state), 0);
  infer(inputs);
  facts_ = facts_of(graph_, graph_.node(node_));
  Support why;
  const Kernel* found = kernel_for(device_, graph_.node(node_), facts_, &why);
  if (found == nullptr) {
    throw Error(ErrorCode::unsupported,
                device_.str() + " has no kernel for the sizes or types of this run: " +
                    std::string(to_string(why.reason)) + " (" + why.detail + ").");
  }
  if (const int output = unsized_output(*found, facts_); output >= 0) {
    throw Error(ErrorCode::runtime,
                "the inputs of this run give output " + std::to_string(output) +
                    " a size that overflows, or none: it is " +
                    graph_.value(graph_.node(node_).outputs[output]).type.str() + ".");
  }
  if (!found->view) {
    StepPrepare step_prepare(*scope.services, facts_, device_, weights_);
    state = prepare_kernel(*found, facts_, step_prepare);
    uploaded = step_prepare.uploaded();
    if (!workspace || workspace->bytes() < step_prepare.workspace()) {
      if (workspace) scope.keep(workspace, workspace->bytes());
      workspace = allocate_on(device_, step_prepare.workspace());
    }
  }
  kernel = found;
}

bool DynamicStep::serves(std::span<const Tensor> inputs) const {
  for (size_t i = 0; i < seen_.size(); ++i) {
    const Seen& seen = seen_[i];
    if (!inputs[i].defined()) continue;
    if (inputs[i].dtype() != seen.dtype || inputs[i].shape() != seen.shape) return false;
    if (seen.contents.defined() && !same_elements(inputs[i], seen.contents)) return false;
  }
  return true;
}

void DynamicStep::infer(std::span<const Tensor> inputs) {
  const Node& node = graph_.node(node_);
  const auto is_given = [&](size_t i) {  // by this run, on the host
    return node.inputs[i] != kNoValue && !weights_.contains(static_cast<int>(i)) &&
           inputs[i].device().is_cpu();
  };
  for (size_t i = 0; i < seen_.size(); ++i) {
    if (node.inputs[i] == kNoValue) continue;
    Value& value = graph_.value(node.inputs[i]);
    const Tensor& tensor = inputs[i];
    seen_[i] = {tensor.dtype(), tensor.shape(), Tensor()};
    value.type.kind = Type::Kind::tensor;
    value.type.dtype = tensor.dtype();
    value.type.shape = Dims(tensor.shape().begin(), tensor.shape().end());
    if (is_given(i)) value.constant = tensor;
  }
  Ports read;
  const std::vector<Type> types = infer_node(graph_, node_, &read);
  for (size_t i = 0; i < types.size(); ++i) {
    if (node.outputs[i] != kNoValue) graph_.value(node.outputs[i]).type = types[i];
  }
  // Kernels see, and may keep, the contents of host ports alone.
  for (size_t i = 0; i < seen_.size(); ++i) {
    if (!is_given(i)) continue;
    const bool is_host_port = host_inputs_.contains(static_cast<int>(i));
    if (is_host_port || read.contains(static_cast<int>(i))) seen_[i].contents = inputs[i].clone();
    graph_.value(node.inputs[i]).constant = is_host_port ? seen_[i].contents : Tensor();
  }
}

}  // namespace ferry
