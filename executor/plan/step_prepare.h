#pragma once

#include "core/support.h"
#include "executor/plan/plan.h"
#include "kernels/kernel.h"

namespace ferry {

// What a kernel asks of the executor while it is prepared, in a plan or during a run. What it packs
// of `weights`, inputs that are constants of the model, is kept with the model.
class StepPrepare : public Prepare {
 public:
  StepPrepare(PlanServices& services, const NodeFacts& facts, Device device,
              Ports weights = Ports::all())
      : services_(services), facts_(facts), device_(device), weights_(weights) {}

  void set_workspace(size_t bytes) override { workspace_ = bytes; }
  ThreadPool& threads() override { return services_.threads(); }
  DeviceBackend* backend() const override {
    return device_.is_cpu() ? nullptr : &ferry::backend(device_);
  }
  std::shared_ptr<const void> cached(int input, std::string_view layout,
                                     FunctionRef<std::shared_ptr<const void>()> make) override {
    packed_.add(input);
    if (services_.only_sizes()) return nullptr;
    const Tensor* weight = facts_.input(input).constant;
    if (weight == nullptr || !weights_.contains(input)) return make();
    return services_.packed(*weight, layout, make);
  }
  std::shared_ptr<const void> upload(std::span<const std::byte> bytes) override {
    uploaded_ += static_cast<int64_t>(bytes.size());
    return services_.only_sizes() ? nullptr : Prepare::upload(bytes);
  }
  size_t workspace() const { return workspace_; }
  int64_t uploaded() const { return uploaded_; }
  Ports packed() const { return packed_; }  // inputs that cached() was asked for

 private:
  PlanServices& services_;
  const NodeFacts& facts_;
  Device device_;
  Ports weights_;
  size_t workspace_ = 0;
  int64_t uploaded_ = 0;
  Ports packed_;
};

}  // namespace ferry
