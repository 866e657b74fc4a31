#pragma once

#include <memory>
#include <span>
#include <vector>

#include "executor/plan/plan.h"
#include "executor/run/scope.h"

namespace ferry {

// The node of a StepKind::dynamic step, prepared for what a run gives it. What was prepared serves
// until something changes that preparing looked at. For one run at a time.
class DynamicStep {
 public:
  // `graph` is the plan's; a step with bodies is none of these.
  DynamicStep(const Graph& graph, const Step& step);

  // Makes `kernel` and its state right for these inputs. What they replace is kept in `scope` while
  // device work may use it. Throws Error: what inference and Kernel::prepare() throw; unsupported
  // where no kernel runs these sizes; runtime where an output would have no size.
  void prepare(std::span<const Tensor> inputs, RunScope& scope);

  const NodeFacts& facts() const { return facts_; }

  const Kernel* kernel = nullptr;  // nullptr: not prepared
  std::shared_ptr<KernelState> state;
  std::shared_ptr<Storage> workspace;
  int64_t uploaded = 0;  // bytes, by the last call of prepare()

 private:
  // What preparing looked at in one input.
  struct Seen {
    DType dtype = DType::undefined;
    Shape shape;
    Tensor contents;  // a copy, where it looked at them and the model does not have them
  };

  bool serves(std::span<const Tensor> inputs) const;
  void infer(std::span<const Tensor> inputs);

  // A graph of this node, whose values take the shapes, and on the host the contents, of a run.
  Graph graph_;
  NodeId node_;
  NodeFacts facts_;
  Device device_;
  Ports host_inputs_, weights_;
  std::vector<Seen> seen_;
};

}  // namespace ferry
