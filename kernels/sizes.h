#pragma once

#include <string_view>

#include "kernels/kernel.h"

// The sizes of a node's inputs, compared before anything is prepared for them: what is known only
// when all sizes are. Kernels of every device take for granted what is compared here.
namespace ferry {

// Throws Error runtime where the inputs of a node do not fit together. Every present input must be
// concrete. Operators that are not Ferry's own are not looked at.
void check_sizes(const NodeFacts& node);

// a + b, both at least 0. Throws Error runtime where the sum overflows.
int64_t add_sizes(int64_t a, int64_t b);

// Throws Error runtime unless a tensor of `shape` broadcasts to `output`.
void expect_broadcast(const Shape& shape, const Shape& output);

}  // namespace ferry
