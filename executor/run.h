#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "devices/device.h"
#include "executor/ledger.h"
#include "executor/plan.h"
#include "executor/trace.h"
#include "ferry/model.h"

namespace ferry {

// The streams of one device that one run uses, and the events between them. Not thread-safe.
class DeviceQueue {
 public:
  explicit DeviceQueue(DeviceBackend& backend);

  DeviceBackend& backend() { return backend_; }
  Stream& compute() { return *compute_; }
  Stream& upload() { return *upload_; }      // host to device
  Stream& download() { return *download_; }  // device to host
  Event& event();  // one that nobody waits for any more; valid until reset()
  void synchronize();
  void reset() { next_event_ = 0; }

 private:
  DeviceBackend& backend_;
  std::unique_ptr<Stream> compute_, upload_, download_;
  std::vector<std::unique_ptr<Event>> events_;
  size_t next_event_ = 0;
};

// What may end a run early (RunOptions).
struct StopSignal {
  StopSignal() = default;
  // `options` outlive it.
  explicit StopSignal(const RunOptions& options)
      : token(options.cancel ? &*options.cancel : nullptr), deadline(options.deadline) {}

  const CancelToken* token = nullptr;
  std::optional<std::chrono::steady_clock::time_point> deadline;

  // Throws Error cancelled or deadline_exceeded.
  void check() const {
    if (token != nullptr || deadline) check_now();
  }

 private:
  void check_now() const;
};

// What a run and the runs of its bodies share.
struct RunScope {
  PlanServices* services = nullptr;
  std::map<Device, DeviceQueue> queues;
  CopyLedger* ledger = nullptr;  // nullptr: not kept
  Trace* trace = nullptr;        // nullptr: not kept
  StopSignal stop;
  std::chrono::steady_clock::time_point start;
  DeviceQueue& queue(Device device);
  // Holds what queued device work may still use, `bytes` large, until that work is done: at the
  // latest when the run ends, and sooner where much is held.
  void keep(std::shared_ptr<const void> what, size_t bytes);
  void synchronize();  // waits for all device work; throws what it reported
  void finish();       // synchronize(), then drops what is held

 private:
  static constexpr size_t kMostBytes = size_t{64} << 20;
  static constexpr size_t kMostHeld = 4096;

  std::vector<std::shared_ptr<const void>> held_;
  size_t held_bytes_ = 0;
};

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
  class DynamicStep;
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
