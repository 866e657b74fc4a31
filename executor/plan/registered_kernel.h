#pragma once

#include "graph/registered.h"
#include "kernels/kernel.h"

// Kernels of the operators that the application registered, as rows like those of kernels/.
namespace ferry {

// The row of `entry` on devices of `kind` for a node of it; nullptr when there is none, and then
// `why` says so. Valid until the process ends. Thread-safe.
const Kernel* registered_kernel(const RegisteredOperator& entry, DeviceKind kind,
                                const NodeFacts& node, Support* why);

}  // namespace ferry
