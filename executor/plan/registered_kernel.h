#pragma once

#include "kernels/kernel.h"

// Kernels of the operators that the application registered, as rows like those of kernels/.
namespace ferry {

// The row of a device of `kind` for the node, whose operator is registered; nullptr when it has
// none, and then `why` says so. Valid until the process ends. Thread-safe.
const Kernel* registered_kernel(DeviceKind kind, const NodeFacts& node, Support* why);

}  // namespace ferry
