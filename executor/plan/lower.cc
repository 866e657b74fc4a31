#include <algorithm>

#include "executor/plan/facts.h"
#include "executor/plan/plan.h"
#include "executor/plan/step_prepare.h"
#include "ferry/error.h"
#include "graph/infer.h"

// Lowering, in order:
//  1. Every value gets a slot; inputs, captures and constants have their memory already.
//  2. Every node becomes a step: its kernel is chosen and, where all shapes are known, prepared.
//     Nodes whose outputs were folded, and views, need no step.
//  3. Slots of one memory are joined: views with what they view, outputs of elementwise steps
//     with an input that nobody reads afterwards.
//  4. Slots with an end are packed into one arena per device. What a copy touches lives for the
//     whole run, since copies go on beside the steps; weights that are brought in every run do not.
//  5. The first reader of each copied value is told to wait for it.
//  6. Every step gets its part of the table of addresses.
//  7. What reads each value is noted, for inputs that come from another device than planned.
namespace ferry {
namespace {

constexpr size_t kAlignment = 256;

class Lowering {
 public:
  Lowering(Graph graph, std::string scope, PlanServices& services)
      : plan_(std::make_shared<Plan>()), services_(services) {
    plan_->graph = std::make_shared<const Graph>(std::move(graph));
    plan_->scope = std::move(scope);
  }

  std::shared_ptr<const Plan> run() {
    make_slots();
    for (const NodeId id : graph().order()) {
      const Node& node = graph().node(id);
      try {
        make_step(id, node);
      } catch (const Error& error) {
        throw error.with_node(node.name, node.op);
      }
    }
    place_outputs();
    load_constants();
    reuse_inputs();
    plan_arenas();
    add_waits();
    make_arguments();
    note_readers();
    return plan_;
  }

 private:
  const Graph& graph() const { return *plan_->graph; }
  Slot& slot(SlotId id) { return plan_->slots[id]; }

  SlotId root(SlotId id) {
    while (slot(id).root != id) id = slot(id).root;
    return id;
  }

  // Slots have the ids of their values.
  void make_slots() {
    plan_->slots.resize(static_cast<size_t>(graph().value_count()));
    for (SlotId id = 0; id < graph().value_count(); ++id) {
      const Value& value = graph().value(id);
      Slot& s = slot(id);
      s.name = value.name;
      s.device = value.device;
      s.dtype = value.type.dtype;
      s.root = id;
      const auto shape = value.type.shape && value.type.kind == Type::Kind::tensor
                             ? known_shape(*value.type.shape)
                             : std::nullopt;
      if (shape && s.dtype != DType::undefined) {
        s.concrete = true;
        s.shape = *shape;
        s.bytes = dtype_bytes(s.dtype, numel_of(s.shape));
      }
      if (value.is_constant()) s.home = SlotHome::constant;
    }
    plan_->inputs = graph().inputs();
    plan_->captures = graph().captures();
    plan_->outputs = graph().outputs();
    for (const auto* list : {&plan_->inputs, &plan_->captures}) {
      for (const SlotId id : *list) {
        if (slot(id).home != SlotHome::constant) slot(id).home = SlotHome::input;
      }
    }
  }

  bool folded(const Node& node) {
    return !node.is_copy() && std::ranges::all_of(node.outputs, [&](ValueId id) {
      return id == kNoValue || slot(id).home == SlotHome::constant;
    });
  }

  bool concrete(const std::vector<SlotId>& ids) {
    return std::ranges::all_of(ids, [&](SlotId id) {
      return id == kNoSlot || (slot(id).concrete && slot(id).dtype != DType::string);
    });
  }

  void make_step(NodeId id, const Node& node) {
    if (folded(node)) return;
    Step step;
    step.node = id;
    step.device = node.device;
    step.inputs = node.inputs;
    step.outputs = node.outputs;
    step.captures = node.captures;
    if (node.is_copy()) {
      step.kind = StepKind::copy;
      // A copy is made even where the contents are known already: it is in the placement.
      slot(step.outputs[0]).home = concrete(step.outputs) ? SlotHome::arena : SlotHome::owned;
      plan_->steps.push_back(std::move(step));
      return;
    }
    const NodeFacts facts = facts_of(graph(), node);
    Support why;
    step.kernel = kernel_for(node.device, node, facts, &why);
    if (step.kernel == nullptr) {
      throw Error(ErrorCode::unsupported,
                  node.device.str() + " has no kernel for these sizes or types: " +
                      std::string(to_string(why.reason)) + " (" + why.detail + ").");
    }
    check_ports(node, *step.kernel);
    if (!node.device.is_cpu()) step.site = services_.site(node);
    const bool known = node.bodies.empty() && concrete(step.inputs) && concrete(step.outputs) &&
                       host_inputs_known(step);
    if (known && step.kernel->view) {
      slot(step.outputs[0]).root = step.inputs[0];
      return;
    }
    const bool only_sizes = services_.only_sizes() && node.device.is_cpu();
    if ((known || !node.bodies.empty()) && !only_sizes) {
      StepPrepare prepare(services_, facts, node.device);
      step.state = prepare_kernel(*step.kernel, facts, prepare);
      step.packed = prepare.packed();
      size_t& workspace = plan_->workspace_bytes[node.device];
      workspace = std::max(workspace, prepare.workspace());
    }
    if (!known) {
      step.kind = StepKind::dynamic;
      for (const SlotId output : step.outputs) {
        if (output != kNoSlot) slot(output).home = SlotHome::owned;
      }
      if (!node.bodies.empty()) add_bodies(step, node);
    }
    plan_->steps.push_back(std::move(step));
  }

  // The kernel that runs finds every input where it reads it.
  void check_ports(const Node& node, const Kernel& kernel) {
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const int port = static_cast<int>(i);
      if (node.inputs[i] == kNoValue || kernel.metadata_inputs.contains(port)) continue;
      const bool on_host = kernel.host_inputs.contains(port);
      const Device wanted = on_host ? Device::cpu() : node.device;
      const Value& value = graph().value(node.inputs[i]);
      if (value.device == wanted) continue;
      throw Error(ErrorCode::internal, "its kernel reads input " + std::to_string(i) + " on " +
                                           wanted.str() + ", and the placement has '" + value.name +
                                           "' on " + value.device.str() + ".");
    }
  }

  bool host_inputs_known(const Step& step) {
    for (size_t i = 0; i < step.inputs.size(); ++i) {
      if (step.inputs[i] != kNoSlot && step.kernel->host_inputs.contains(static_cast<int>(i)) &&
          !graph().value(step.inputs[i]).is_constant()) {
        return false;
      }
    }
    return true;
  }

  void add_bodies(Step& step, const Node& node) {
    step.body_index = static_cast<int>(plan_->bodies.size());
    auto& caches = plan_->bodies.emplace_back();
    for (const auto& body : node.bodies) {
      auto graph = std::make_shared<Graph>(clone(*body));
      for (size_t i = 0; i < node.captures.size(); ++i) {
        Value& inner = graph->value(graph->captures()[i]);
        const Value& outer = this->graph().value(node.captures[i]);
        inner.type = outer.type;
        if (outer.is_constant()) inner.constant = outer.constant;
      }
      caches.push_back(std::make_unique<PlanCache>(std::move(graph), node.name, services_));
    }
  }

  // A graph output is written straight into the tensor that the caller gets.
  void place_outputs() {
    for (const SlotId id : plan_->outputs) {
      Slot& s = slot(root(id));
      if (s.home == SlotHome::arena) s.home = SlotHome::output;
    }
  }

  void load_constants() {
    const auto load = [&](SlotId id) {
      if (id == kNoSlot) return;
      Slot& s = slot(root(id));
      if (s.home == SlotHome::constant && !s.constant.defined()) {
        s.constant = services_.constant_on(graph().value(root(id)).constant, s.device);
      }
    };
    for (const Step& step : plan_->steps) {
      for (size_t i = 0; i < step.inputs.size(); ++i) {
        if (!step.packed.contains(static_cast<int>(i))) load(step.inputs[i]);
      }
      for (const SlotId id : step.captures) load(id);
    }
    for (const SlotId id : plan_->outputs) load(id);
  }

  // The last step that reads or writes each root.
  std::vector<int> last_uses() {
    std::vector<int> last(plan_->slots.size(), -1);
    for (size_t i = 0; i < plan_->steps.size(); ++i) {
      const Step& step = plan_->steps[i];
      for (const auto* list : {&step.inputs, &step.outputs, &step.captures}) {
        for (const SlotId id : *list) {
          if (id != kNoSlot) last[root(id)] = static_cast<int>(i);
        }
      }
    }
    return last;
  }

  bool is_stream(const Step& step) { return slot(root(step.inputs[0])).home == SlotHome::constant; }

  std::vector<bool> touched_by_copies() {
    std::vector<bool> touched(plan_->slots.size(), false);
    for (const Step& step : plan_->steps) {
      // A weight is brought in the order of the steps: its room is free before and after.
      if (step.kind != StepKind::copy || is_stream(step)) continue;
      touched[root(step.inputs[0])] = true;
      touched[root(step.outputs[0])] = true;
    }
    return touched;
  }

  void reuse_inputs() {
    std::vector<int> last = last_uses();
    std::vector<bool> touched = touched_by_copies();
    for (size_t i = 0; i < plan_->steps.size(); ++i) {
      const Step& step = plan_->steps[i];
      if (step.kind != StepKind::kernel || step.kernel->in_place.empty()) continue;
      const SlotId output = step.outputs[0];
      if (output == kNoSlot || root(output) != output || slot(output).home != SlotHome::arena) {
        continue;
      }
      for (size_t port = 0; port < step.inputs.size(); ++port) {
        const SlotId input = step.inputs[port];
        if (input == kNoSlot || !step.kernel->in_place.contains(static_cast<int>(port))) continue;
        if (slot(input).dtype != slot(output).dtype) continue;
        const SlotId r = root(input);
        const auto at = static_cast<size_t>(r);
        if (slot(r).home == SlotHome::arena && !touched[at] && last[at] == static_cast<int>(i) &&
            slot(r).bytes == slot(output).bytes && slot(r).device == slot(output).device) {
          slot(output).root = r;
          last[at] = last[output];
          touched[at] = touched[output];
          break;
        }
      }
    }
  }

  void plan_arenas() {
    const std::vector<int> last = last_uses();
    const std::vector<bool> touched = touched_by_copies();
    std::vector<int> first(plan_->slots.size(), -1);
    for (size_t i = plan_->steps.size(); i-- > 0;) {
      for (const SlotId id : plan_->steps[i].outputs) {
        if (id != kNoSlot) first[root(id)] = static_cast<int>(i);
      }
    }
    std::map<Device, std::vector<SlotId>> members;
    for (SlotId id = 0; id < static_cast<SlotId>(plan_->slots.size()); ++id) {
      const auto at = static_cast<size_t>(id);
      if (root(id) == id && slot(id).home == SlotHome::arena && first[at] >= 0) {
        members[slot(id).device].push_back(id);
      }
    }
    const int end = static_cast<int>(plan_->steps.size());
    for (const auto& [device, ids] : members) {
      std::vector<BlockLife> lives;
      for (const SlotId id : ids) {
        const auto at = static_cast<size_t>(id);
        lives.push_back(touched[at] ? BlockLife{slot(id).bytes, 0, end}
                                    : BlockLife{slot(id).bytes, first[at], last[at]});
      }
      const ArenaPlan arena = plan_arena(lives, kAlignment);
      for (size_t i = 0; i < ids.size(); ++i) {
        slot(ids[i]).offset = arena.offsets[i];
        slot(ids[i]).first_step = lives[i].first;
        slot(ids[i]).last_step = lives[i].last;
      }
      plan_->arena_bytes[device] = arena.bytes;
    }
  }

  void add_waits() {
    std::vector<bool> pending(plan_->slots.size(), false);
    for (Step& step : plan_->steps) {
      for (const auto* list : {&step.inputs, &step.captures}) {
        for (const SlotId id : *list) {
          if (id == kNoSlot) continue;
          const SlotId r = root(id);
          if (!pending[r]) continue;
          pending[r] = false;
          (slot(r).device.is_cpu() ? step.host_waits : step.device_waits).push_back(r);
        }
      }
      if (step.kind == StepKind::copy) pending[root(step.outputs[0])] = true;
    }
  }

  void make_arguments() {
    plan_->slot_arguments.resize(plan_->slots.size());
    for (Step& step : plan_->steps) {
      step.first_argument = plan_->argument_count;
      const auto add = [&](SlotId id, bool bound) {
        const int32_t position = plan_->argument_count++;
        if (!bound) return;
        plan_->slot_arguments[root(id)].push_back(position);
      };
      for (size_t i = 0; i < step.inputs.size(); ++i) {
        const SlotId id = step.inputs[i];
        add(id, id != kNoSlot && !step.packed.contains(static_cast<int>(i)));
      }
      for (const SlotId id : step.outputs) add(id, id != kNoSlot);
    }
    for (SlotId id = 0; id < static_cast<SlotId>(plan_->slots.size()); ++id) {
      slot(id).root = root(id);
    }
  }

  void note_readers() {
    for (const Step& step : plan_->steps) {
      for (const auto* list : {&step.inputs, &step.captures}) {
        for (const SlotId id : *list) {
          if (id == kNoSlot) continue;
          Slot& read = slot(root(id));
          if (step.kind == StepKind::copy && read.copied_to.value_or(step.device) == step.device) {
            read.copied_to = step.device;
          } else {
            read.read_here = true;
          }
        }
      }
    }
    for (const SlotId id : plan_->outputs) slot(root(id)).read_here = true;
  }

  std::shared_ptr<Plan> plan_;
  PlanServices& services_;
};

}  // namespace

std::shared_ptr<const Plan> lower(Graph graph, std::string scope, PlanServices& services) {
  return Lowering(std::move(graph), std::move(scope), services).run();
}

}  // namespace ferry
