#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "executor/plan/plan.h"
#include "executor/run/scope.h"
#include "ferry/error.h"

namespace ferry {

class DynamicStep;

// The memory of one run of a plan: arenas, workspace, the table of addresses. Reused by later runs,
// by one thread at a time.
class RunState {
 public:
  RunState(std::shared_ptr<const Plan> plan, PlanServices& services);
  ~RunState();
  RunState(const RunState&) = delete;
  RunState& operator=(const RunState&) = delete;

  const Plan& plan() const { return *plan_; }

  // Runs the plan. `inputs` and `captures` have the plan's shapes and dtypes; an input that the
  // plan has on the CPU may be on another device. Outputs come back where the plan has them. Device
  // work may still be queued on return; RunScope::finish() waits for it. Throws Error with node and
  // op.
  std::vector<Tensor> run(std::span<const Tensor> inputs, std::span<const Tensor> captures,
                          RunScope& scope);

  // The same in parts, for memory that stays. bind(): `inputs` are where the plan has them or where
  // its copies bring them, `outputs` are the memory of every root slot of SlotHome::output.
  // run_bound() then runs as often as wanted; after RunScope::finish(), writes_output() says
  // whether output i is in that memory, and output() is its value, valid until the next run.
  void bind(std::span<const Tensor> inputs, const std::map<SlotId, Tensor>& outputs,
            RunScope& scope);
  void run_bound(RunScope& scope);
  bool writes_output(size_t i) const;
  Tensor output(size_t i) { return tensor_of(plan_->outputs[i]); }

 private:
  class Allocator;
  class Bodies;

  void bind(SlotId slot, void* address);
  void bind_input(SlotId slot, const Tensor& tensor, RunScope& scope);
  void make_outputs();
  void run_steps(RunScope& scope);
  void run_kernel(size_t index, RunScope& scope);
  void run_dynamic(const Step& step, RunScope& scope);
  void run_copy(const Step& step, RunScope& scope);
  void wait_for(const Step& step, RunScope& scope);
  void check_given(const Step& step) const;
  Error with_place(const Error& error, const Step& step) const;
  void record_kernel(const Step& step, const Kernel& kernel, Stream::Traffic before,
                     RunScope& scope);
  Tensor tensor_of(SlotId slot);
  std::string ledger_name(SlotId slot) const;
  std::string made_by(const Step& step) const;
  void expect_copies(CopyLedger& ledger);
  void own(SlotId slot, Tensor tensor, bool is_alias = false);
  std::vector<Tensor> take_outputs(RunScope& scope);

  std::shared_ptr<const Plan> plan_;
  std::map<Device, std::shared_ptr<Storage>> arenas_, workspaces_;
  std::vector<void*> arguments_;
  std::vector<RunContext> contexts_;   // of each step
  std::vector<void*> addresses_;       // of each root slot
  std::vector<Tensor> tensors_;        // of input, output and owned slots
  std::vector<Tensor> arena_handles_;  // of arena slots, made when first asked for
  std::vector<bool> is_alias_;         // owned slots that share memory with another value
  std::vector<Event*> ready_;          // of copied values that somebody has yet to wait for
  std::vector<std::unique_ptr<DynamicStep>> dynamic_;  // of each step; nullptr for others
  std::vector<std::vector<std::unique_ptr<RunState>>> body_states_;  // of each step, each body
  std::map<SlotId, Tensor> given_;  // inputs that came on another device
};

}  // namespace ferry
