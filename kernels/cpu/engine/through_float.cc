#include "kernels/cpu/engine/through_float.h"

#include <algorithm>
#include <span>

#include "core/convert.h"
#include "kernels/cpu/engine/loop.h"
#include "kernels/scratch.h"

namespace ferry::cpu {
namespace {

inline constexpr size_t kNotConverted = ~size_t{0};

// One input or output of the node: where its float copy lies in the workspace.
struct Port {
  DType dtype = DType::undefined;
  int64_t count = 0;
  size_t offset = kNotConverted;
};

struct State : KernelState {
  std::unique_ptr<KernelState> inner;
  RunFunction run = nullptr;
  std::vector<Port> inputs, outputs;
  std::vector<Tensor> constants;  // widened constant inputs that are read; undefined elsewhere
  // The workspace: pointers of the inner call, its own workspace, the float copies.
  size_t own = 0, copies = 0;
};

bool is_low(const TensorFacts& facts) {
  return facts.present && (facts.dtype == float16 || facts.dtype == bfloat16);
}

class InnerPrepare : public Prepare {
 public:
  explicit InnerPrepare(Prepare& outer) : outer_(outer) {}
  void set_workspace(size_t bytes) override { workspace_ = bytes; }
  ThreadPool& threads() override { return outer_.threads(); }
  DeviceBackend* backend() const override { return outer_.backend(); }
  std::shared_ptr<const void> cached(int input, std::string_view layout,
                                     FunctionRef<std::shared_ptr<const void>()> make) override {
    packed_.add(input);
    return outer_.cached(input, layout, make);
  }
  size_t workspace() const { return workspace_; }
  Ports packed() const { return packed_; }

 private:
  Prepare& outer_;
  size_t workspace_ = 0;
  Ports packed_;
};

// Makes `facts` float32 and gives it a place in the workspace.
Port widen(TensorFacts& facts, ScratchLayout& copies) {
  if (!is_low(facts)) return {};
  const int64_t count = numel_of(facts.shape);
  const Port port{facts.dtype, count, copies.take(float32, count)};
  facts.dtype = float32;
  return port;
}

void convert_shared(const RunContext& context, DType from, const void* source, DType to,
                    void* destination, int64_t count) {
  for_range(context, count, 1, [&](int64_t begin, int64_t end) {
    convert(from, static_cast<const std::byte*>(source) + dtype_bytes(from, begin), to,
            static_cast<std::byte*>(destination) + dtype_bytes(to, begin), end - begin);
  });
}

}  // namespace

std::unique_ptr<KernelState> prepare_through_float(const NodeFacts& node, Prepare& prepare,
                                                   PrepareFunction inner_prepare,
                                                   RunFunction inner_run) {
  auto state = std::make_unique<State>();
  NodeFacts wide = node;
  ScratchLayout copies;
  state->constants.resize(node.inputs.size());
  for (size_t i = 0; i < wide.inputs.size(); ++i) {
    TensorFacts& facts = wide.inputs[i];
    if (is_low(facts) && facts.constant != nullptr) {
      state->constants[i] = facts.constant->to(float32);
      facts.constant = &state->constants[i];
      facts.dtype = float32;
      state->inputs.emplace_back();
    } else {
      state->inputs.push_back(widen(facts, copies));
    }
  }
  for (TensorFacts& facts : wide.outputs) state->outputs.push_back(widen(facts, copies));
  InnerPrepare inner(prepare);
  state->inner = inner_prepare(wide, inner);
  state->run = inner_run;
  for (size_t i = 0; i < state->constants.size(); ++i) {
    if (inner.packed().contains(static_cast<int>(i))) state->constants[i] = Tensor();
  }
  ScratchLayout scratch;
  scratch.take_bytes((wide.inputs.size() + wide.outputs.size()) * sizeof(void*));
  state->own = scratch.take_bytes(inner.workspace());
  state->copies = scratch.take_bytes(copies.bytes());
  prepare.set_workspace(scratch.bytes());
  return state;
}

void run_through_float(const KernelState* kernel_state, const RunContext& context) {
  const State& state = *static_cast<const State*>(kernel_state);
  std::byte* const own = static_cast<std::byte*>(context.workspace) + state.own;
  std::byte* const workspace = static_cast<std::byte*>(context.workspace) + state.copies;
  // In the workspace's first bytes, so that a run allocates nothing.
  const std::span inputs(static_cast<const void**>(context.workspace), state.inputs.size());
  const std::span outputs(static_cast<void**>(context.workspace) + state.inputs.size(),
                          state.outputs.size());
  std::copy_n(context.inputs, inputs.size(), inputs.begin());
  std::copy_n(context.outputs, outputs.size(), outputs.begin());
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Port& port = state.inputs[i];
    if (state.constants[i].defined()) {
      inputs[i] = state.constants[i].data();
    } else if (port.offset != kNotConverted) {
      convert_shared(context, port.dtype, inputs[i], float32, workspace + port.offset, port.count);
      inputs[i] = workspace + port.offset;
    }
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (state.outputs[i].offset != kNotConverted) {
      outputs[i] = workspace + state.outputs[i].offset;
    }
  }
  RunContext inner = context;
  inner.workspace = own;
  inner.inputs = inputs.data();
  inner.outputs = outputs.data();
  state.run(state.inner.get(), inner);
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Port& port = state.outputs[i];
    if (port.offset == kNotConverted || context.outputs[i] == nullptr) continue;
    convert_shared(context, float32, outputs[i], port.dtype, context.outputs[i], port.count);
  }
}

}  // namespace ferry::cpu
