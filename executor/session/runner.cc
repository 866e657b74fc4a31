#include "ferry/runner.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "core/nearest.h"
#include "devices/copy.h"
#include "executor/session/inputs.h"
#include "executor/session/model_impl.h"
#include "ferry/error.h"

namespace ferry {
namespace {

Tensor buffer(const Slot& slot, Device home, std::optional<Device> pinned_for) {
  if (!home.is_cpu() || !pinned_for || slot.dtype == DType::string) {
    return Tensor::empty(slot.shape, slot.dtype, home);
  }
  return Tensor(allocate_pinned_for(*pinned_for, slot.bytes), slot.shape, slot.dtype);
}

// The one device whose work a plan is, or a sentence that says why its steps cannot be recorded.
struct Recordable {
  std::optional<Device> device;
  std::string why_not;
};

std::string refusal(const Plan& plan, const Step& step) {
  const Node& node = plan.graph->node(step.node);
  const std::string name = "node '" + node.name + "' (" + node.op.name() + ") ";
  if (step.body_index >= 0) return name + "runs bodies, whose number only data decides.";
  if (step.kind == StepKind::dynamic) return name + "has sizes that only a run knows.";
  if (!step.host_waits.empty()) return name + "waits on the host for a copy.";
  if (step.kind == StepKind::copy) return "";
  if (step.device.is_cpu()) return name + "runs on the cpu.";
  if (step.kernel->read_back != 0) return name + "reads a count back to the host.";
  return "";
}

Recordable recordable(const Plan& plan) {
  Recordable out;
  for (const Step& step : plan.steps) {
    out.why_not = refusal(plan, step);
    for (const auto* list : {&step.inputs, &step.outputs}) {
      for (const SlotId id : *list) {
        if (id == kNoSlot || !out.why_not.empty()) continue;
        const Device device = plan.slots[id].device;
        if (device.is_cpu()) continue;
        if (out.device.value_or(device) != device) {
          out.why_not = "the plan uses " + out.device->str() + " and " + device.str() + ".";
        }
        out.device = device;
      }
    }
    if (!out.why_not.empty()) return out;
  }
  if (!out.device) out.why_not = "no step runs on a device.";
  return out;
}

}  // namespace

struct Runner::Impl {
  Impl(std::shared_ptr<Model::Impl> from, const Inputs& examples, const RunnerOptions& options);

  const Outputs& run(const RunOptions& options);

  const Slot& slot(SlotId id) const { return plan->slots[id]; }
  void make_inputs(const std::vector<Tensor>& examples, Device wanted);
  void make_outputs(std::vector<std::string> names);
  void bind();
  void run_steps(CopyLedger* ledger);
  void record();
  void store_outputs();
  // After a failure: nothing of the run is used again.
  void reset();

  std::shared_ptr<Model::Impl> model;
  std::shared_ptr<const Plan> plan;
  NamedValues inputs;
  Outputs outputs;
  std::map<SlotId, Tensor> bound_outputs;  // by root: written by the steps themselves

  Recordable target;
  int64_t runs = 0;
  RunScope scope;
  std::unique_ptr<RunState> state;
  std::unique_ptr<RecordedGraph> recording;
  CopyLedger recorded;  // what the recording copies
};

Runner::Impl::Impl(std::shared_ptr<Model::Impl> from, const Inputs& examples,
                   const RunnerOptions& options)
    : model(std::move(from)) {
  const Device device = model->request.device;
  if (!options.inputs_on.is_cpu() && options.inputs_on != device) {
    throw Error(ErrorCode::invalid_argument,
                "the inputs of a runner are on the cpu or where its model is, " + device.str() +
                    ", not on " + options.inputs_on.str() + ".");
  }
  const std::vector<Tensor> ordered = ordered_inputs(model->graph, examples);
  std::vector<Shape> shapes;
  for (const Tensor& tensor : ordered) shapes.push_back(tensor.shape());
  const RunOptions wanted{.outputs = options.outputs, .outputs_on = options.outputs_on};
  plan = model->plans_for(wanted)->get(shapes);
  target = recordable(*plan);
  scope.services = model.get();
  make_inputs(ordered, options.inputs_on);
  std::vector<std::string> names = options.outputs;
  if (names.empty()) {
    for (const ValueId id : model->graph.outputs()) names.push_back(model->graph.value(id).name);
  }
  make_outputs(std::move(names));
  bind();
}

void Runner::Impl::make_inputs(const std::vector<Tensor>& examples, Device wanted) {
  for (size_t i = 0; i < examples.size(); ++i) {
    const Slot& input = slot(plan->inputs[i]);
    const bool there = !input.read_here && input.copied_to == wanted;
    inputs.add(model->graph.value(model->graph.inputs()[i]).name,
               buffer(input, there ? wanted : input.device, input.copied_to));
    if (input.dtype == DType::string) {
      std::ranges::copy(examples[i].span<std::string>(),
                        Tensor(inputs[i]).mutable_span<std::string>().begin());
    } else {
      copy_now(Tensor(inputs[i]).mutable_data(), inputs[i].device(), examples[i].data(),
               examples[i].device(), examples[i].nbytes());
    }
  }
}

void Runner::Impl::make_outputs(std::vector<std::string> names) {
  std::map<SlotId, Device> copied_from;
  for (const Step& step : plan->steps) {
    if (step.kind == StepKind::copy) {
      copied_from.emplace(slot(step.outputs[0]).root, slot(step.inputs[0]).device);
    }
  }
  for (size_t i = 0; i < plan->outputs.size(); ++i) {
    const Slot& output = slot(plan->outputs[i]);
    const Slot& root = slot(output.root);
    Tensor tensor;
    if (root.home == SlotHome::output) {
      Tensor& whole = bound_outputs[output.root];
      const auto from = copied_from.find(output.root);
      if (!whole.defined()) {
        whole = buffer(root, root.device,
                       from == copied_from.end() ? std::nullopt : std::optional(from->second));
      }
      tensor = output.shape == root.shape ? whole : whole.reshape(output.shape);
    } else if (output.concrete && output.dtype != DType::string) {
      tensor = buffer(output, output.device, std::nullopt);
    }
    outputs.add(std::move(names[i]), std::move(tensor));
  }
}

void Runner::Impl::bind() {
  state = std::make_unique<RunState>(plan, *model);
  std::vector<Tensor> tensors;
  for (const auto& [name, tensor] : inputs) tensors.push_back(tensor);
  state->bind(tensors, bound_outputs, scope);
}

// The steps of all three streams become one graph: the copies' streams join the capture of the
// compute stream at its begin and are waited for at its end.
void Runner::Impl::record() {
  DeviceQueue& queue = scope.queue(*target.device);
  recorded = CopyLedger();
  scope.ledger = &recorded;
  scope.synchronize();
  queue.reset();
  queue.compute().begin_capture();
  try {
    Event& begin = queue.event();
    queue.compute().record(begin);
    queue.upload().wait(begin);
    queue.download().wait(begin);
    state->run_bound(scope);
    for (Stream* stream : {&queue.upload(), &queue.download()}) {
      Event& end = queue.event();
      stream->record(end);
      queue.compute().wait(end);
    }
    recording = queue.compute().end_capture();
  } catch (const Error& error) {
    target.why_not = "recording failed: " + std::string(error.what());
    try {
      (void)queue.compute().end_capture();
    } catch (const Error&) {  // says no more than that the capture is broken, or over
    }
  }
}

void Runner::Impl::run_steps(CopyLedger* ledger) {
  if (recording == nullptr && runs > 0 && target.why_not.empty() && scope.trace == nullptr) {
    record();
    if (recording == nullptr) {  // with streams and a state that no capture has touched
      reset();
      bind();
    }
  }
  scope.ledger = ledger;
  if (recording == nullptr || scope.trace != nullptr) return state->run_bound(scope);
  scope.queue(*target.device).compute().launch(*recording);
  if (ledger != nullptr) ledger->merge(recorded);
}

// Outputs that the steps did not write in place: aliases of inputs and weights, and late ones.
void Runner::Impl::store_outputs() {
  const auto is_late = [&](size_t i) {
    const Slot& output = slot(plan->outputs[i]);
    return !output.concrete || output.dtype == DType::string;
  };
  bool any_late = false;
  for (size_t i = 0; i < plan->outputs.size(); ++i) {
    if (state->writes_output(i)) continue;
    any_late = any_late || is_late(i);
    if (is_late(i)) continue;
    const Tensor result = state->output(i);
    Tensor kept = outputs[i];
    copy_now(kept.mutable_data(), kept.device(), result.data(), result.device(), result.nbytes());
  }
  if (!any_late) return;
  Outputs next;
  for (size_t i = 0; i < plan->outputs.size(); ++i) {
    const auto& [name, tensor] = *(outputs.begin() + static_cast<std::ptrdiff_t>(i));
    next.add(name, is_late(i) ? state->output(i).clone() : tensor);
  }
  outputs = std::move(next);
}

void Runner::Impl::reset() {
  try {
    scope.synchronize();  // queued work may still use what is dropped here
  } catch (...) {         // the error that ended the run is on its way
  }
  recording.reset();
  state.reset();
  scope = RunScope();
  scope.services = model.get();
  runs = 0;
}

const Outputs& Runner::Impl::run(const RunOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  const StopSignal stop(options);
  stop.check();
  if (!options.outputs.empty() || options.outputs_on) {
    throw Error(ErrorCode::invalid_argument,
                "a runner's outputs are chosen when it is made (RunnerOptions), not in a run.");
  }
  CopyLedger ledger;
  Trace trace;
  const bool keep_ledger = options.check_ledger || options.report != nullptr;
  try {
    if (state == nullptr) bind();
    scope.trace = options.trace ? &trace : nullptr;
    scope.start = start;
    scope.stop = stop;
    run_steps(keep_ledger ? &ledger : nullptr);
    scope.finish();
    stop.check();
    scope.stop = {};
    store_outputs();
  } catch (...) {
    reset();
    throw;
  }
  ++runs;
  if (keep_ledger) report_run(options, ledger, trace, start);
  return outputs;
}

// ---- the public face ----------------------------------------------------------------------------

Runner::Runner(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Runner::Runner(Runner&&) noexcept = default;
Runner& Runner::operator=(Runner&&) noexcept = default;
Runner::~Runner() = default;

const Tensor& Runner::input(std::string_view name) const {
  if (const Tensor* input = impl_->inputs.find(name)) return *input;
  throw Error(ErrorCode::not_found, "the model has no input named '" + std::string(name) + "'." +
                                        did_you_mean(name, impl_->inputs.names()));
}

void Runner::set(std::string_view name, const Tensor& tensor) {
  Tensor buffer = input(name);
  if (tensor.dtype() != buffer.dtype() || tensor.shape() != buffer.shape()) {
    const auto text = [](const Tensor& t) {
      return std::string(to_string(t.dtype())) + to_string(std::span(t.shape()));
    };
    throw Error(ErrorCode::invalid_argument, "the runner's input '" + std::string(name) + "' is " +
                                                 text(buffer) + ", not " + text(tensor) +
                                                 ". Make a runner for each shape.");
  }
  const Tensor source = tensor.contiguous();
  if (source.dtype() == DType::string) {
    std::ranges::copy(source.span<std::string>(), buffer.mutable_span<std::string>().begin());
    return;
  }
  copy_now(buffer.mutable_data(), buffer.device(), source.data(), source.device(), source.nbytes());
}

const Outputs& Runner::run(const RunOptions& options) {
  try {
    return impl_->run(options);
  } catch (const Error& error) {
    throw error.with_model(impl_->model->graph.name);
  }
}

const Outputs& Runner::outputs() const { return impl_->outputs; }
bool Runner::captured() const { return impl_->recording != nullptr; }
const std::string& Runner::why_not_captured() const { return impl_->target.why_not; }

Runner Model::runner(const Inputs& examples, const RunnerOptions& options) const {
  try {
    return Runner(std::make_unique<Runner::Impl>(impl_, examples, options));
  } catch (const Error& error) {
    throw error.with_model(name());
  }
}

}  // namespace ferry
