#pragma once

#include "kernels/kernel.h"

namespace ferry::cpu {

using PrepareFunction = std::unique_ptr<KernelState> (*)(const NodeFacts&, Prepare&);
using RunFunction = void (*)(const KernelState*, const RunContext&);

// Runs a float32 kernel on float16 and bfloat16 tensors: inputs of those types are widened into the
// workspace (constant ones once, in prepare), outputs are rounded to nearest even.
std::unique_ptr<KernelState> prepare_through_float(const NodeFacts& node, Prepare& prepare,
                                                   PrepareFunction inner_prepare,
                                                   RunFunction inner_run);
void run_through_float(const KernelState* state, const RunContext& context);

// The row for low floating types beside a float32 row.
template <PrepareFunction kPrepare, RunFunction kRun>
constexpr Kernel low_float_row(std::string_view op, Support (*supports)(const NodeFacts&) = nullptr,
                               Ports host_inputs = {}) {
  Kernel kernel;
  kernel.op = op;
  kernel.types = TypeSet{float16, bfloat16};
  kernel.prepare = [](const NodeFacts& node, Prepare& prepare) {
    return prepare_through_float(node, prepare, kPrepare, kRun);
  };
  kernel.run = run_through_float;
  kernel.supports = supports;
  kernel.host_inputs = host_inputs;
  return kernel;
}

}  // namespace ferry::cpu
