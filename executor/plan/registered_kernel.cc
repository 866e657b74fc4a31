#include "executor/plan/registered_kernel.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <mutex>

#include "core/storage.h"
#include "ferry/error.h"
#include "ferry/operator.h"
#include "importer/importer.h"
#include "importer/ops/rows.h"
#include "importer/text.h"

namespace ferry {
namespace {

bool takes(const OperatorKernel& kernel, DType dtype) {
  return kernel.dtypes.empty() || std::ranges::find(kernel.dtypes, dtype) != kernel.dtypes.end();
}

DType first_dtype(const NodeFacts& node) {
  return node.has_input(0) ? node.input(0).dtype : node.output(0).dtype;
}

const OperatorKernel* find(const OperatorDefinition& definition, DeviceKind kind, DType dtype) {
  const auto at = std::ranges::find_if(definition.kernels, [&](const OperatorKernel& kernel) {
    return kernel.device == kind && takes(kernel, dtype);
  });
  return at == definition.kernels.end() ? nullptr : &*at;
}

// ---- one run ------------------------------------------------------------------------------------

struct State : KernelState {
  const OperatorKernel* kernel = nullptr;
  Attributes attributes;
  std::vector<TensorFacts> inputs, outputs;
  Device device;
};

Tensor handle(const void* data, const TensorFacts& facts, Device device, bool read_only) {
  const size_t bytes = dtype_bytes(facts.dtype, numel_of(facts.shape));
  auto storage =
      std::make_shared<Storage>(const_cast<void*>(data), bytes, device, nullptr, read_only);
  return Tensor(std::move(storage), facts.shape, facts.dtype);
}

class Call : public OperatorCall {
 public:
  Call(const State& state, const RunContext& context)
      : state_(state), context_(context), attributes_(state.attributes) {
    for (size_t i = 0; i < state.inputs.size(); ++i) {
      inputs_.push_back(state.inputs[i].present ? handle(context.inputs[i], state.inputs[i],
                                                         state.device, /*read_only=*/true)
                                                : Tensor());
    }
    outputs_.resize(state.outputs.size());
    for (size_t i = 0; i < state.outputs.size(); ++i) {
      if (!state.outputs[i].present || !state.outputs[i].concrete()) continue;
      outputs_[i] = handle(context.outputs[i], state.outputs[i], state.device, /*read_only=*/false);
    }
  }

  const OperatorAttributes& attributes() const override { return attributes_; }
  int input_count() const override { return static_cast<int>(inputs_.size()); }
  int output_count() const override { return static_cast<int>(outputs_.size()); }
  bool has_input(int i) const override {
    return 0 <= i && i < input_count() && state_.inputs[i].present;
  }
  bool has_output(int i) const override {
    return 0 <= i && i < output_count() && state_.outputs[i].present;
  }

  const Tensor& input(int i) const override {
    require(has_input(i), "input", i);
    return inputs_[i];
  }

  Tensor& output(int i) override {
    require(has_output(i), "output", i);
    Tensor& out = outputs_[i];
    if (!out.defined()) {
      throw Error(ErrorCode::invalid_argument, "the shape rule left the size of output " +
                                                   std::to_string(i) +
                                                   " open; call output(i, shape).");
    }
    return out;
  }

  Tensor& output(int i, const Shape& shape) override {
    require(has_output(i), "output", i);
    Tensor& out = outputs_[i];
    TensorFacts facts = state_.outputs[i];
    bool agrees = !facts.has_shape || facts.shape.size() == shape.size();
    for (size_t k = 0; agrees && facts.has_shape && k < shape.size(); ++k) {
      agrees = facts.shape[k] < 0 || facts.shape[k] == shape[k];
    }
    if (!agrees || (out.defined() && out.shape() != shape)) {
      throw Error(ErrorCode::invalid_argument,
                  "shape " + to_string(std::span(shape)) + " of output " + std::to_string(i) +
                      " is not the one that the shape rule gave, " +
                      to_string(std::span(facts.shape)) + " (-1: open).");
    }
    if (out.defined()) return out;
    facts.shape = shape;
    numel_of(shape);  // refuses negative sizes
    out = handle(context_.allocator->allocate(i, shape), facts, state_.device, false);
    return out;
  }

  void parallel_for(int64_t count,
                    const std::function<void(int64_t, int64_t)>& body) const override {
    constexpr int64_t kTiles = 64;
    context_.threads->parallel_for(count, std::max<int64_t>(1, count / kTiles), body);
  }
  void* stream() const override {
    return context_.stream == nullptr ? nullptr : context_.stream->native();
  }

 private:
  static void require(bool there, const char* what, int i) {
    if (there) return;
    throw Error(ErrorCode::invalid_argument, std::string("the node has no ") + what + " " +
                                                 std::to_string(i) + "; ask has_" + what + "(i).");
  }

  const State& state_;
  const RunContext& context_;
  OperatorAttributes attributes_;
  std::vector<Tensor> inputs_, outputs_;
};

template <DeviceKind kind>
std::unique_ptr<KernelState> prepare(const NodeFacts& node, Prepare& prepare) {
  auto state = std::make_unique<State>();
  state->kernel = find(find_registered(node.op)->definition, kind, first_dtype(node));
  state->attributes = *node.attributes;
  state->inputs = node.inputs;
  state->outputs = node.outputs;
  if (prepare.backend() != nullptr) state->device = prepare.backend()->device();
  return state;
}

void run(const KernelState* prepared, const RunContext& context) {
  const State& state = *static_cast<const State*>(prepared);
  Call call(state, context);
  call_registered([&] { state.kernel->run(call); });
}

// One row for each device; which function runs is looked up when it is prepared.
struct Rows {
  Kernel cpu, cuda;
};

const Rows& rows_of(const RegisteredOperator& entry) {
  static std::mutex& mutex = *new std::mutex;
  static auto& all = *new std::map<const RegisteredOperator*, std::unique_ptr<const Rows>>;
  const std::lock_guard lock(mutex);
  std::unique_ptr<const Rows>& rows = all[&entry];
  if (rows == nullptr) {
    Kernel cpu{.op = entry.op,
               .types = kAnyType,
               .prepare = prepare<DeviceKind::cpu>,
               .run = run,
               .late_outputs = Ports::all()};
    Kernel cuda = cpu;
    cuda.prepare = prepare<DeviceKind::cuda>;
    rows = std::make_unique<const Rows>(Rows{cpu, cuda});
  }
  return *rows;
}

// ---- what is registered -------------------------------------------------------------------------

[[noreturn]] void refuse(const OperatorDefinition& definition, const std::string& reason) {
  throw Error(ErrorCode::invalid_argument,
              "register_operator: '" + definition.domain + "." + definition.name + "' " + reason);
}

bool is_word(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

void check_kernels(const OperatorDefinition& definition) {
  const std::vector<OperatorKernel>& kernels = definition.kernels;
  for (size_t i = 0; i < kernels.size(); ++i) {
    if (!kernels[i].run) refuse(definition, "has a kernel without a function.");
    if (kernels[i].device == DeviceKind::sim) {
      refuse(definition,
             "has a kernel for sim, which runs Ferry's own CUDA kernels only; on sim its nodes "
             "fall back to the CPU.");
    }
    for (size_t k = 0; k < i; ++k) {
      if (kernels[k].device != kernels[i].device) continue;
      const bool overlap =
          kernels[i].dtypes.empty() || kernels[k].dtypes.empty() ||
          std::ranges::any_of(kernels[i].dtypes, [&](DType d) { return takes(kernels[k], d); });
      if (overlap) {
        refuse(definition, "has two kernels for one type on " +
                               std::string(to_string(kernels[i].device)) + ".");
      }
    }
  }
}

void check_definition(const OperatorDefinition& definition) {
  if (!is_word(definition.domain) || !is_word(definition.name)) {
    refuse(definition, "needs a domain and a name of printable characters without spaces.");
  }
  if (definition.domain == "ai.onnx" || definition.domain.starts_with("ai.onnx.")) {
    refuse(definition, "is in a domain of ONNX itself; take a domain of your own.");
  }
  if (find_row(definition.domain, definition.name) != nullptr) {
    refuse(definition, "is known already; an operator is registered once.");
  }
  if (definition.since_version < 1) refuse(definition, "needs a since_version of at least 1.");
  if (definition.min_inputs < 0 || definition.max_inputs < definition.min_inputs ||
      definition.min_outputs < 1 || definition.max_outputs < definition.min_outputs) {
    refuse(definition, "has impossible numbers of inputs or outputs.");
  }
  if (!definition.infer) refuse(definition, "has no shape rule (infer).");
  for (size_t i = 0; i < definition.attributes.size(); ++i) {
    const std::string& name = definition.attributes[i].name;
    if (!is_word(name)) refuse(definition, "has an attribute without a proper name.");
    for (size_t k = 0; k < i; ++k) {
      if (definition.attributes[k].name == name) {
        refuse(definition, "has two attributes named '" + name + "'.");
      }
    }
  }
  check_kernels(definition);
}

}  // namespace

const Kernel* registered_kernel(const RegisteredOperator& entry, DeviceKind kind,
                                const NodeFacts& node, Support* why) {
  if (kind != DeviceKind::sim && find(entry.definition, kind, first_dtype(node)) != nullptr) {
    const Rows& rows = rows_of(entry);
    return kind == DeviceKind::cpu ? &rows.cpu : &rows.cuda;
  }
  if (why == nullptr) return nullptr;
  const bool any = std::ranges::any_of(entry.definition.kernels, [&](const OperatorKernel& kernel) {
    return kernel.device == kind;
  });
  *why = any ? Support::no(ReasonCode::dtype,
                           "input 0 is " + std::string(to_string(first_dtype(node))))
             : Support::no(ReasonCode::no_kernel, "no kernel is registered for " + entry.op);
  return nullptr;
}

void register_operator(OperatorDefinition definition) {
  check_definition(definition);
  auto entry = std::make_unique<RegisteredOperator>();
  entry->op = operator_name(definition.domain, definition.name);
  entry->definition = std::move(definition);
  entry->rule = rule_of(*entry);
  add_registered(std::move(entry));
}

}  // namespace ferry
