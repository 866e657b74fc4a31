#include "executor/run/evaluator.h"

#include <algorithm>

#include "executor/plan/facts.h"
#include "ferry/error.h"

namespace ferry {
namespace {

// Prepares on the calling thread alone, and keeps nothing.
class FoldPrepare : public Prepare {
 public:
  void set_workspace(size_t bytes) override { workspace = bytes; }
  ThreadPool& threads() override { return pool(); }
  DeviceBackend* backend() const override { return nullptr; }
  std::shared_ptr<const void> cached(int, std::string_view,
                                     FunctionRef<std::shared_ptr<const void>()> make) override {
    return make();
  }

  static ThreadPool& pool() {
    static ThreadPool& alone = *new ThreadPool(1);
    return alone;
  }

  size_t workspace = 0;
};

class FoldAllocator : public OutputAllocator {
 public:
  FoldAllocator(const NodeFacts& facts, std::span<const Tensor> inputs,
                std::vector<Tensor>& outputs)
      : facts_(facts), inputs_(inputs), outputs_(outputs) {}

  void* allocate(int output, std::span<const int64_t> shape) override {
    outputs_[output] =
        Tensor::empty(Shape(shape.begin(), shape.end()), facts_.output(output).dtype);
    return outputs_[output].mutable_data();
  }
  void set(int output, Tensor tensor) override { outputs_[output] = std::move(tensor); }
  Tensor input(int input) override { return inputs_[input]; }

 private:
  const NodeFacts& facts_;
  std::span<const Tensor> inputs_;
  std::vector<Tensor>& outputs_;
};

}  // namespace

std::optional<std::vector<Tensor>> KernelEvaluator::evaluate(const Node& node,
                                                             std::span<const Tensor> inputs) {
  if (!node.bodies.empty() || node.op.rule().random) return std::nullopt;
  // A graph of this node alone, whose inputs are the constants.
  Graph graph;
  Node alone = node;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].defined()) {
      alone.inputs[i] = graph.add_constant("i" + std::to_string(i), inputs[i]);
    }
  }
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] != kNoValue) {
      alone.outputs[i] = graph.add_value({.name = "o" + std::to_string(i)});
    }
  }
  const NodeId id = graph.add_node(std::move(alone));
  const std::vector<Type> types = infer_node(graph, id);
  for (size_t i = 0; i < types.size(); ++i) {
    if (node.outputs[i] != kNoValue) graph.value(graph.node(id).outputs[i]).type = types[i];
  }
  const NodeFacts facts = facts_of(graph, graph.node(id));
  const Kernel* kernel = kernel_for(Device::cpu(), graph.node(id), facts);
  if (kernel == nullptr || unsized_output(*kernel, facts) >= 0) return std::nullopt;

  std::vector<Tensor> outputs(node.outputs.size());
  if (kernel->view) {
    outputs[0] = inputs[0].reshape(facts.output(0).shape);
    return outputs;
  }
  FoldPrepare prepare;
  const std::unique_ptr<KernelState> state = prepare_kernel(*kernel, facts, prepare);
  std::vector<const void*> in;
  std::vector<void*> out;
  for (const Tensor& tensor : inputs) in.push_back(tensor.data());
  for (size_t i = 0; i < outputs.size(); ++i) {
    const TensorFacts& output = facts.outputs[i];
    if (output.present && output.concrete()) {
      outputs[i] = Tensor::empty(output.shape, output.dtype);
    }
    out.push_back(outputs[i].defined() ? outputs[i].mutable_data() : nullptr);
  }
  const Tensor workspace = Tensor::empty({static_cast<int64_t>(prepare.workspace)}, uint8);
  FoldAllocator allocator(facts, inputs, outputs);
  RunContext context;
  context.inputs = in.data();
  context.outputs = out.data();
  context.workspace = const_cast<void*>(workspace.data());
  context.threads = &FoldPrepare::pool();
  context.allocator = &allocator;
  kernel->run(state.get(), context);
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (facts.outputs[i].present && !outputs[i].defined()) return std::nullopt;
  }
  return outputs;
}

}  // namespace ferry
