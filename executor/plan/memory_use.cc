#include "executor/plan/memory_use.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "core/thread_pool.h"
#include "executor/plan/facts.h"
#include "executor/plan/plan.h"
#include "ferry/error.h"

namespace ferry {
namespace {

// Notes what would be uploaded.
class SizesOnly : public PlanServices {
 public:
  Tensor constant_on(const Tensor& weight, Device device) override {
    if (seen_.insert({weight.storage().get(), device}).second) {
      bytes_[device] += static_cast<int64_t>(weight.nbytes());
    }
    return weight;
  }
  std::shared_ptr<const void> packed(const Tensor&, std::string_view,
                                     FunctionRef<std::shared_ptr<const void>()>) override {
    return nullptr;
  }
  bool only_sizes() const override { return true; }
  ThreadPool& threads() override { return pool_; }
  const WorkSite* site(const Node&) override { return &site_; }

  const std::map<Device, int64_t>& bytes() const { return bytes_; }

 private:
  std::set<std::pair<const void*, Device>> seen_;
  std::map<Device, int64_t> bytes_;
  ThreadPool pool_{1};
  WorkSite site_;
};

// Sizes that are no function of the symbols count as 1, and `all_known` is false then. nullopt
// where not even the rank is known.
std::optional<Shape> shape_of(const Type& type, const std::map<std::string, int64_t>& symbols,
                              bool& all_known) {
  if (type.kind != Type::Kind::tensor || !type.shape) return std::nullopt;
  Shape shape;
  for (const Dim& dim : *type.shape) {
    const auto size = dim.evaluate(symbols);
    all_known = all_known && size.has_value();
    shape.push_back(size.value_or(1));
  }
  return shape;
}

void replace_device(Graph& graph, Device from, Device to) {
  for (ValueId id = 0; id < graph.value_count(); ++id) {
    if (graph.value(id).device == from) graph.value(id).device = to;
  }
  for (const NodeId id : graph.order()) {
    if (graph.node(id).device == from) graph.node(id).device = to;
    for (const auto& body : graph.node(id).bodies) replace_device(*body, from, to);
  }
}

// One graph's plan; bodies add what they take while their node runs.
class Use {
 public:
  Use(SizesOnly& services, const std::map<std::string, int64_t>& symbols)
      : services_(services), symbols_(symbols) {}

  static std::map<Device, MemoryUse> unknown(const Graph& graph) {
    std::map<Device, MemoryUse> out;
    for (const NodeId id : graph.order()) out[graph.node(id).device].known = false;
    return out;
  }

  std::map<Device, MemoryUse> of(const Graph& graph, const std::string& scope) {
    std::map<Device, MemoryUse> out;
    std::vector<Shape> shapes;
    bool all_known = true;
    for (const auto* list : {&graph.inputs(), &graph.captures()}) {
      for (const ValueId id : *list) {
        const auto shape = shape_of(graph.value(id).type, symbols_, all_known);
        if (!shape) return unknown(graph);
        shapes.push_back(*shape);
      }
    }
    const auto plan = lower(with_input_shapes(graph, shapes), scope, services_);
    for (const auto& [device, bytes] : plan->arena_bytes) {
      out[device].activations += static_cast<int64_t>(bytes);
    }
    for (const auto& [device, bytes] : plan->workspace_bytes) {
      out[device].workspace += static_cast<int64_t>(bytes);
    }
    const int64_t count = std::ssize(plan->steps);
    std::map<Device, std::vector<int64_t>> live;  // by step
    for (const Slot& slot : plan->slots) {
      std::vector<int64_t>& steps = live[slot.device];
      steps.resize(static_cast<size_t>(count));
      if (slot.home == SlotHome::arena && slot.last_step >= 0) {
        for (int64_t i = slot.first_step; i <= std::min<int64_t>(slot.last_step, count - 1); ++i) {
          steps[i] += static_cast<int64_t>(slot.bytes);
        }
      }
    }
    add_own(*plan, out, live);
    add_bodies(*plan, out);
    add_steps(*plan, live, out);
    for (auto& [device, use] : out) use.known = use.known && all_known;
    return out;
  }

 private:
  // What the arena does not hold: outputs, and what steps size for themselves.
  static void add_own(const Plan& plan, std::map<Device, MemoryUse>& out,
                      std::map<Device, std::vector<int64_t>>& live) {
    for (size_t i = 0; i < plan.slots.size(); ++i) {
      const Slot& slot = plan.slots[i];
      const bool is_own = slot.home == SlotHome::output || slot.home == SlotHome::owned;
      if (!is_own || slot.root != static_cast<SlotId>(i)) continue;
      if (!slot.concrete) {
        out[slot.device].known = false;
        continue;
      }
      out[slot.device].activations += static_cast<int64_t>(slot.bytes);
      for (int64_t& bytes : live[slot.device]) bytes += static_cast<int64_t>(slot.bytes);
    }
  }

  void add_bodies(const Plan& plan, std::map<Device, MemoryUse>& out) {
    for (const auto& bodies : plan.bodies) {
      for (const auto& body : bodies) {
        for (const auto& [device, use] : of(body->graph(), "body")) {
          MemoryUse& sum = out[device];
          sum.activations += use.activations;
          sum.workspace += use.workspace;
          sum.known = sum.known && use.known;
        }
      }
    }
  }

  // A node without a step, folded or a view, has what the step before it had; so have the nodes of
  // bodies.
  static void add_steps(const Plan& plan, const std::map<Device, std::vector<int64_t>>& live,
                        std::map<Device, MemoryUse>& out) {
    std::vector<size_t> step_of(static_cast<size_t>(plan.graph->node_capacity()), SIZE_MAX);
    for (size_t i = 0; i < plan.steps.size(); ++i) {
      step_of[plan.steps[i].node] = i;
    }
    for (const auto& [device, bytes] : live) {
      if (std::ranges::all_of(bytes, [](int64_t b) { return b == 0; })) continue;
      int64_t now = 0;
      append_steps(*plan.graph, &step_of, bytes, now, out[device].steps);
    }
  }

  // `step_of`: the step of each node; nullptr in bodies.
  static void append_steps(const Graph& graph, const std::vector<size_t>* step_of,
                           const std::vector<int64_t>& bytes, int64_t& now,
                           std::vector<int64_t>& steps) {
    for (const NodeId id : graph.order()) {
      const Node& node = graph.node(id);
      const size_t step = step_of == nullptr ? SIZE_MAX : (*step_of)[id];
      if (step != SIZE_MAX) now = bytes[step];
      if (node.is_copy()) continue;
      steps.push_back(now);
      for (const auto& body : node.bodies) append_steps(*body, nullptr, bytes, now, steps);
    }
  }

  SizesOnly& services_;
  const std::map<std::string, int64_t>& symbols_;
};

}  // namespace

std::map<Device, MemoryUse> PlanMemory::memory_of(
    const Graph& graph, const std::map<std::string, int64_t>& symbols) const {
  Graph planned = clone(graph);
  // Each assumed device is planned for on an emulated one of its own.
  std::map<Device, Device> stand_ins;
  for (const auto& [device, card] : assumed_) {
    const Device there(DeviceKind::sim, static_cast<int>(stand_ins.size()));
    stand_ins[there] = device;
    replace_device(planned, device, there);
  }
  SizesOnly services;
  std::map<Device, MemoryUse> out;
  try {
    out = Use(services, symbols).of(planned, "");
  } catch (const Error& error) {  // sizes that were assumed need not be sizes that can be run
    out = Use::unknown(planned);
    for (auto& [device, use] : out) use.problem = error.what();
  }
  for (const auto& [device, bytes] : services.bytes()) out[device].weights = bytes;
  std::map<Device, MemoryUse> named;
  for (auto& [device, use] : out) {
    const auto at = stand_ins.find(device);
    named[at == stand_ins.end() ? device : at->second] = std::move(use);
  }
  return named;
}

}  // namespace ferry
