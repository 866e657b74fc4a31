#include <algorithm>

#include "executor/plan/plan.h"
#include "executor/run/evaluator.h"
#include "graph/infer.h"

namespace ferry {
namespace {

void set_shape(Value& value, const Shape& shape) {
  value.type.shape = Dims(shape.begin(), shape.end());
}

}  // namespace

Graph with_input_shapes(const Graph& graph, const std::vector<Shape>& shapes) {
  Graph out = clone(graph);
  KernelEvaluator evaluator;
  InferOptions options;
  options.evaluator = &evaluator;
  size_t next = 0;
  for (const ValueId id : out.inputs()) {
    options.input_shapes[out.value(id).name] = shapes[next++];
  }
  for (const ValueId id : out.captures()) set_shape(out.value(id), shapes[next++]);
  // What the model declares of other values may hold for some sizes only: infer them from these.
  for (ValueId id = 0; id < out.value_count(); ++id) {
    Value& value = out.value(id);
    if (value.producer != kNoNode && !value.is_constant()) value.type.shape.reset();
  }
  infer(out, options);
  return out;
}

std::map<Device, size_t> Plan::device_bytes() const {
  std::map<Device, size_t> sum;
  for (const auto* sizes : {&arena_bytes, &workspace_bytes}) {
    for (const auto& [device, bytes] : *sizes) {
      if (!device.is_cpu()) sum[device] += bytes;
    }
  }
  return sum;
}

std::shared_ptr<PlanCache::LazyPlan> PlanCache::find(const std::vector<Shape>& shapes) {
  const std::lock_guard lock(mutex_);
  const auto at = std::ranges::find(entries_, shapes, &Entry::shapes);
  if (at != entries_.end()) {
    std::rotate(entries_.begin(), at, at + 1);
  } else {
    if (entries_.size() == kCapacity) entries_.pop_back();
    entries_.insert(entries_.begin(), {shapes, std::make_shared<LazyPlan>()});
  }
  return entries_.front().plan;
}

std::shared_ptr<const Plan> PlanCache::get(const std::vector<Shape>& shapes) {
  return find(shapes)->get([&] {
    auto plan = lower(with_input_shapes(*graph_, shapes), scope_, services_);
    ++plans_made_;
    return plan;
  });
}

}  // namespace ferry
