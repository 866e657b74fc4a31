#include "executor/run/run_state.h"

#include <algorithm>
#include <new>

#include "core/storage.h"
#include "devices/copy.h"
#include "executor/run/dynamic_step.h"
#include "ferry/error.h"

namespace ferry {
namespace {

using Clock = std::chrono::steady_clock;

double us_since(Clock::time_point start, Clock::time_point now) {
  return std::chrono::duration<double, std::micro>(now - start).count();
}

// A handle to memory that a RunState owns, valid while the run lasts.
Tensor borrow(void* data, const Slot& slot) {
  auto storage = std::make_shared<Storage>(data, slot.bytes, slot.device, nullptr);
  return Tensor(std::move(storage), slot.shape, slot.dtype);
}

}  // namespace

class RunState::Allocator : public OutputAllocator {
 public:
  Allocator(const Step& step, std::span<const Tensor> inputs, RunState& state)
      : step_(step), inputs_(inputs), state_(state) {}

  void* allocate(int output, std::span<const int64_t> shape) override {
    const Slot& slot = state_.plan_->slots[id(output)];
    Tensor tensor = Tensor::empty(Shape(shape.begin(), shape.end()), slot.dtype, slot.device);
    void* data = tensor.mutable_data();
    state_.own(id(output), std::move(tensor));
    return data;
  }
  void set(int output, Tensor tensor) override {
    const Slot& slot = state_.plan_->slots[id(output)];
    if (tensor.dtype() != slot.dtype || tensor.device() != slot.device) {
      throw Error(ErrorCode::internal, "output " + std::to_string(output) + " is " +
                                           std::string(to_string(tensor.dtype())) + " on " +
                                           tensor.device().str() + ", the plan has " +
                                           std::string(to_string(slot.dtype)) + " on " +
                                           slot.device.str() + ".");
    }
    state_.own(id(output), std::move(tensor));
  }
  Tensor input(int input) override { return inputs_[input]; }

 private:
  SlotId id(int output) const { return step_.outputs[output]; }

  const Step& step_;
  std::span<const Tensor> inputs_;
  RunState& state_;
};

class RunState::Bodies : public BodyRunner {
 public:
  Bodies(const Step& step, size_t index, RunState& parent, RunScope& scope)
      : step_(step), index_(index), parent_(parent), scope_(scope) {}

  std::vector<Tensor> run(int body, std::span<const Tensor> inputs) override {
    const auto b = static_cast<size_t>(body);
    PlanCache& cache = *parent_.plan_->bodies[step_.body_index][b];
    if (captures_.empty()) {
      for (const SlotId id : step_.captures) captures_.push_back(parent_.tensor_of(id));
    }
    // The caller's tensors may be on another device than the body wants them.
    const Graph& graph = cache.graph();
    std::vector<Tensor> placed(inputs.begin(), inputs.end());
    for (size_t i = 0; i < placed.size(); ++i) {
      const Device wanted = graph.value(graph.inputs()[i]).device;
      if (placed[i].device() == wanted) continue;
      scope_.synchronize();
      placed[i] = placed[i].to(wanted);
    }
    std::vector<Shape> shapes;
    for (const Tensor& tensor : placed) shapes.push_back(tensor.shape());
    for (const Tensor& tensor : captures_) shapes.push_back(tensor.shape());
    const std::shared_ptr<const Plan> plan = cache.get(shapes);
    auto& states = parent_.body_states_[index_];
    if (states.size() <= b) states.resize(b + 1);
    if (!states[b] || &states[b]->plan() != plan.get()) {
      if (states[b]) {
        size_t bytes = 0;
        for (const auto& [device, size] : states[b]->plan().device_bytes()) bytes += size;
        scope_.keep(std::move(states[b]), bytes);
      }
      states[b] = std::make_unique<RunState>(plan, *scope_.services);
    }
    return states[b]->run(placed, captures_, scope_);
  }

 private:
  const Step& step_;
  size_t index_;
  RunState& parent_;
  RunScope& scope_;
  std::vector<Tensor> captures_;
};

RunState::RunState(std::shared_ptr<const Plan> plan, PlanServices& services)
    : plan_(std::move(plan)) {
  for (const auto& [device, bytes] : plan_->arena_bytes) {
    arenas_[device] = allocate_on(device, bytes);
  }
  for (const auto& [device, bytes] : plan_->workspace_bytes) {
    if (bytes > 0) workspaces_[device] = allocate_on(device, bytes);
  }
  const size_t slots = plan_->slots.size(), steps = plan_->steps.size();
  arguments_.assign(static_cast<size_t>(plan_->argument_count), nullptr);
  addresses_.assign(slots, nullptr);
  tensors_.resize(slots);
  arena_handles_.resize(slots);
  is_alias_.assign(slots, false);
  ready_.assign(slots, nullptr);
  contexts_.resize(steps);
  dynamic_.resize(steps);
  body_states_.resize(steps);
  for (SlotId id = 0; id < static_cast<SlotId>(slots); ++id) {
    const Slot& slot = plan_->slots[id];
    if (slot.root != id) continue;
    if (slot.home == SlotHome::arena && arenas_.contains(slot.device)) {
      bind(id, static_cast<char*>(arenas_[slot.device]->data()) + slot.offset);
    } else if (slot.home == SlotHome::constant && slot.constant.defined()) {
      bind(id, const_cast<void*>(slot.constant.data()));
    }
  }
  for (size_t i = 0; i < steps; ++i) {
    const Step& step = plan_->steps[i];
    RunContext& context = contexts_[i];
    context.inputs = arguments_.data() + step.first_argument;
    context.outputs = arguments_.data() + step.first_argument + step.inputs.size();
    context.threads = &services.threads();
    context.site = step.site;
    const auto workspace = workspaces_.find(step.device);
    if (workspace != workspaces_.end()) context.workspace = workspace->second->data();
    if (step.kind == StepKind::dynamic && step.body_index < 0) {
      dynamic_[i] = std::make_unique<DynamicStep>(*plan_->graph, step);
    }
  }
}

RunState::~RunState() = default;

void RunState::bind(SlotId id, void* address) {
  addresses_[id] = address;
  for (const int32_t position : plan_->slot_arguments[id]) {
    arguments_[position] = address;
  }
}

void RunState::own(SlotId id, Tensor tensor, bool is_alias) {
  bind(id, const_cast<void*>(tensor.data()));
  is_alias_[id] = is_alias;
  tensors_[id] = std::move(tensor);
}

// The value of a slot as a tensor: for steps that work on tensors.
Tensor RunState::tensor_of(SlotId id) {
  const Slot& slot = plan_->slots[id];
  const Slot& root = plan_->slots[slot.root];
  if (root.home == SlotHome::constant) {
    return slot.root == id ? root.constant : root.constant.reshape(slot.shape);
  }
  if (root.home == SlotHome::arena) {
    Tensor& handle = arena_handles_[id];
    if (!handle.defined()) handle = borrow(addresses_[slot.root], slot);
    return handle;
  }
  const Tensor& tensor = tensors_[slot.root];
  return slot.root == id ? tensor : tensor.reshape(slot.shape);
}

void RunState::bind_input(SlotId id, const Tensor& tensor, RunScope& scope) {
  const Slot& slot = plan_->slots[id];
  if (slot.home != SlotHome::input) return;  // a constant inside a body
  if (tensor.device() == slot.device) {
    own(id, tensor);
    return;
  }
  // The caller's tensor is elsewhere. A planned copy to where it is costs nothing; every other
  // reader gets a copy on the host.
  given_[id] = tensor;
  if (!slot.read_here && slot.copied_to.value_or(tensor.device()) == tensor.device()) {
    bind(id, nullptr);
    tensors_[id] = tensor;
    return;
  }
  own(id, tensor.to(slot.device));
  if (scope.ledger != nullptr) {
    const auto bytes = static_cast<int64_t>(tensor.nbytes());
    scope.ledger->record(slot.name, tensor.device(), slot.device, bytes);
    scope.ledger->expect(slot.name, tensor.device(), slot.device, bytes);
  }
}

void RunState::make_outputs() {
  for (const SlotId id : plan_->outputs) {
    const SlotId root = plan_->slots[id].root;
    const Slot& slot = plan_->slots[root];
    if (slot.home == SlotHome::output && !tensors_[root].defined()) {
      own(root, Tensor::empty(slot.shape, slot.dtype, slot.device));
    }
  }
}

void RunState::wait_for(const Step& step, RunScope& scope) {
  for (const SlotId id : step.host_waits) {
    if (Event* event = std::exchange(ready_[id], nullptr)) event->wait();
  }
  for (const SlotId id : step.device_waits) {
    if (Event* event = std::exchange(ready_[id], nullptr)) {
      scope.queue(plan_->slots[id].device).compute().wait(*event);
    }
  }
}

void RunState::run_kernel(size_t index, RunScope& scope) {
  const Step& step = plan_->steps[index];
  RunContext& context = contexts_[index];
  if (step.device.is_cpu()) return step.kernel->run(step.state.get(), context);
  context.stream = &scope.queue(step.device).compute();
  const Stream::Traffic before = context.stream->traffic();
  step.kernel->run(step.state.get(), context);
  record_kernel(step, *step.kernel, before, scope);
}

// What the kernel moved for itself, and what its row says of that.
void RunState::record_kernel(const Step& step, const Kernel& kernel, Stream::Traffic before,
                             RunScope& scope) {
  if (scope.ledger == nullptr) return;
  const Stream::Traffic after = scope.queue(step.device).compute().traffic();
  const int64_t back = after.to_host - before.to_host, there = after.to_device - before.to_device;
  const std::string name = made_by(step);
  if (back != 0) scope.ledger->record(name, step.device, Device::cpu(), back, true);
  if (there != 0) scope.ledger->record(name, Device::cpu(), step.device, there, true);
  if (kernel.read_back == 0) return;
  scope.ledger->expect(name, step.device, Device::cpu(), kernel.read_back, true);
}

void RunState::run_dynamic(const Step& step, RunScope& scope) {
  const auto index = static_cast<size_t>(&step - plan_->steps.data());
  std::vector<Tensor> inputs(step.inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (step.inputs[i] != kNoSlot) inputs[i] = tensor_of(step.inputs[i]);
  }
  RunContext context = contexts_[index];
  if (!step.device.is_cpu()) context.stream = &scope.queue(step.device).compute();
  Allocator allocator(step, inputs, *this);
  context.allocator = &allocator;

  if (step.body_index >= 0) {
    Bodies bodies(step, index, *this, scope);
    context.bodies = &bodies;
    step.kernel->run(step.state.get(), context);
    return check_given(step);
  }
  DynamicStep& dynamic = *dynamic_[index];
  dynamic.prepare(inputs, scope);
  const NodeFacts& facts = dynamic.facts();
  if (dynamic.kernel->view) {
    own(step.outputs[0], inputs[0].reshape(facts.output(0).shape), true);
    return;
  }
  for (size_t i = 0; i < step.outputs.size(); ++i) {
    if (step.outputs[i] == kNoSlot || !facts.outputs[i].concrete()) continue;
    const Slot& slot = plan_->slots[step.outputs[i]];
    own(step.outputs[i],
        Tensor::empty(facts.outputs[i].shape, facts.outputs[i].dtype, slot.device));
  }
  if (dynamic.workspace) context.workspace = dynamic.workspace->data();
  if (step.device.is_cpu()) {
    dynamic.kernel->run(dynamic.state.get(), context);
    return check_given(step);
  }
  if (scope.ledger != nullptr && dynamic.uploaded != 0) {
    const int64_t planned = dynamic.kernel->table_bytes ? dynamic.kernel->table_bytes(facts) : 0;
    scope.ledger->record(made_by(step), Device::cpu(), step.device, dynamic.uploaded, true);
    scope.ledger->expect(made_by(step), Device::cpu(), step.device, planned, true);
  }
  const Stream::Traffic before = context.stream->traffic();
  dynamic.kernel->run(dynamic.state.get(), context);
  record_kernel(step, *dynamic.kernel, before, scope);
  check_given(step);
}

// Every output has its memory, whoever was to give it.
void RunState::check_given(const Step& step) const {
  for (size_t i = 0; i < step.outputs.size(); ++i) {
    const SlotId id = step.outputs[i];
    if (id == kNoSlot || tensors_[id].defined()) continue;
    throw Error(ErrorCode::runtime,
                "the operator's kernel gave output " + std::to_string(i) + " no shape.");
  }
}

void RunState::run_copy(const Step& step, RunScope& scope) {
  const SlotId from = step.inputs[0], to = step.outputs[0];
  const SlotId from_root = plan_->slots[from].root;
  const Slot& target = plan_->slots[to];
  if (const auto given = given_.find(from_root);
      given != given_.end() && given->second.device() == target.device) {
    // What is copied may be a view of what was given.
    const bool is_view = from != from_root;
    own(to, is_view ? given->second.reshape(tensor_of(from).shape()) : given->second, true);
    return;
  }
  const Tensor source = tensor_of(from);
  const size_t bytes = source.nbytes();
  if (target.home == SlotHome::owned) {
    own(to, Tensor::empty(source.shape(), source.dtype(), target.device));
  }
  void* destination = addresses_[target.root];
  if (bytes == 0) return;
  const Device device = target.device.is_cpu() ? source.device() : target.device;
  DeviceQueue& queue = scope.queue(device);
  const bool up = source.device().is_cpu(), down = target.device.is_cpu();
  if (!up && !down && source.device() != target.device) {
    // Between two devices: through the host, in order.
    scope.queue(source.device()).compute().synchronize();
    copy_now(destination, target.device, source.data(), source.device(), bytes);
  } else {
    Stream& stream = up ? queue.upload() : queue.download();
    // A download reads what compute wrote. An upload in a body may write where the trip before is
    // still read, and that of a weight where other values were.
    const Slot& origin = plan_->slots[from_root];
    if (!up || !plan_->scope.empty() || origin.home == SlotHome::constant) {
      Event& produced = queue.event();
      queue.compute().record(produced);
      stream.wait(produced);
    }
    stream.copy(destination, source.data(), bytes,
                up ? CopyDirection::host_to_device : CopyDirection::device_to_host);
    Event& copied = queue.event();
    stream.record(copied);
    ready_[target.root] = &copied;
  }
  if (scope.ledger != nullptr) {
    const bool is_pinned = (up ? source : down ? tensor_of(to) : source).storage()->pinned();
    scope.ledger->record(ledger_name(from), source.device(), target.device,
                         static_cast<int64_t>(bytes), /*by_kernel=*/false,
                         (up || down) && !is_pinned);
  }
}

std::string RunState::ledger_name(SlotId id) const {
  const std::string& name = plan_->slots[id].name;
  return plan_->scope.empty() ? name : plan_->scope + "/" + name;
}

// The ledger's name for what a step's kernel moves: its first output's.
std::string RunState::made_by(const Step& step) const {
  const auto output = std::ranges::find_if(step.outputs, [](SlotId id) { return id != kNoSlot; });
  return output == step.outputs.end() ? "" : ledger_name(*output);
}

// What must have crossed: the copies of the placed graph, whatever became of them in the plan's
// steps and however those went about it.
void RunState::expect_copies(CopyLedger& ledger) {
  const Graph& graph = *plan_->graph;
  for (const NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    if (!node.is_copy()) continue;
    const SlotId source = node.inputs[0];
    const Slot& from = plan_->slots[source];
    const Device to = graph.value(node.outputs[0]).device;
    const auto given = given_.find(from.root);
    if (given != given_.end() && given->second.device() == to) continue;
    const size_t bytes = from.concrete ? from.bytes : tensor_of(source).nbytes();
    if (bytes > 0) {
      ledger.expect(ledger_name(source), graph.value(source).device, to,
                    static_cast<int64_t>(bytes));
    }
  }
}

void RunState::run_steps(RunScope& scope) {
  const Step* current = nullptr;
  try {
    for (size_t i = 0; i < plan_->steps.size(); ++i) {
      const Step& step = plan_->steps[i];
      current = &step;
      scope.stop.check();
      const auto start = scope.trace != nullptr ? Clock::now() : Clock::time_point();
      if (!step.host_waits.empty() || !step.device_waits.empty()) wait_for(step, scope);
      switch (step.kind) {
        case StepKind::kernel:
          run_kernel(i, scope);
          break;
        case StepKind::dynamic:
          run_dynamic(step, scope);
          break;
        case StepKind::copy:
          run_copy(step, scope);
          break;
      }
      if (scope.trace != nullptr) {
        scope.synchronize();
        const Node& node = plan_->graph->node(step.node);
        const bool is_copy = step.kind == StepKind::copy;
        scope.trace->add({node.name, is_copy ? "copy" : node.op, step.device.str(),
                          us_since(scope.start, start), us_since(start, Clock::now()),
                          is_copy ? ledger_name(step.inputs[0]) : node.name, is_copy, step.device});
      }
    }
  } catch (const Error& error) {
    throw with_place(error, *current);
  } catch (const std::bad_alloc&) {
    throw with_place(Error(ErrorCode::out_of_memory, "the host has no memory left for this step."),
                     *current);
  }
}

// The node of the step, and what it was given; an error of a node in a body has its place already.
Error RunState::with_place(const Error& error, const Step& step) const {
  const Node& node = plan_->graph->node(step.node);
  const bool is_stop =
      error.code() == ErrorCode::cancelled || error.code() == ErrorCode::deadline_exceeded;
  if (!error.node().empty() || is_stop) return error.with_node(node.name, node.op);
  std::string given;
  for (const SlotId id : step.inputs) {
    if (!given.empty()) given += ", ";
    if (id == kNoSlot) {
      given += "none";
      continue;
    }
    const Slot& slot = plan_->slots[id];
    const Tensor& tensor = tensors_[id];
    given += to_string(slot.dtype);
    if (slot.concrete || tensor.defined()) {
      given += to_string(std::span(tensor.defined() ? tensor.shape() : slot.shape));
    }
  }
  return error.with_node(node.name, node.op, std::move(given));
}

std::vector<Tensor> RunState::take_outputs(RunScope& scope) {
  std::vector<Tensor> outputs;
  for (const SlotId id : plan_->outputs) {
    const SlotId root = plan_->slots[id].root;
    if (Event* event = std::exchange(ready_[root], nullptr)) {
      const Device device = plan_->slots[root].device;
      if (device.is_cpu()) {
        event->wait();
      } else {
        scope.queue(device).compute().wait(*event);
      }
    }
    const SlotHome home = plan_->slots[root].home;
    Tensor tensor = tensor_of(id);
    // The caller must not hold memory of the plan, of a weight, or of its own input.
    const bool fresh = (home == SlotHome::output || home == SlotHome::owned) && !is_alias_[root];
    if (!fresh && !tensor.device().is_cpu()) scope.synchronize();
    outputs.push_back(fresh ? std::move(tensor) : tensor.clone());
  }
  return outputs;
}

std::vector<Tensor> RunState::run(std::span<const Tensor> inputs, std::span<const Tensor> captures,
                                  RunScope& scope) {
  scope.stop.check();  // a body may have no steps
  given_.clear();
  for (size_t i = 0; i < inputs.size(); ++i) bind_input(plan_->inputs[i], inputs[i], scope);
  for (size_t i = 0; i < captures.size(); ++i) bind_input(plan_->captures[i], captures[i], scope);
  make_outputs();
  run_steps(scope);
  if (scope.ledger != nullptr) expect_copies(*scope.ledger);
  std::vector<Tensor> outputs = take_outputs(scope);
  for (Tensor& tensor : tensors_) {
    if (!tensor.defined()) continue;
    scope.keep(tensor.storage(), tensor.device().is_cpu() ? 0 : tensor.nbytes());
    tensor = Tensor();
  }
  return outputs;
}

void RunState::bind(std::span<const Tensor> inputs, const std::map<SlotId, Tensor>& outputs,
                    RunScope& scope) {
  given_.clear();
  for (size_t i = 0; i < inputs.size(); ++i) bind_input(plan_->inputs[i], inputs[i], scope);
  for (const auto& [root, tensor] : outputs) own(root, tensor);
}

void RunState::run_bound(RunScope& scope) {
  std::ranges::fill(ready_, nullptr);
  run_steps(scope);
  if (scope.ledger != nullptr) expect_copies(*scope.ledger);
}

bool RunState::writes_output(size_t i) const {
  const auto root = static_cast<size_t>(plan_->slots[plan_->outputs[i]].root);
  return plan_->slots[root].home == SlotHome::output && !is_alias_[root];
}

}  // namespace ferry
