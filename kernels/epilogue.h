#pragma once

#include "graph/activation.h"
#include "kernels/kernel.h"

// What rewrites append to a product: an activation (graph/activation.h) to Conv, ConvTranspose,
// Gemm and MatMul, and a bias, input 2 of MatMul: a row [N] that is added to every row of the
// product, where B is [K, N].
//
// The product, the bias and the activation are rounded to the output's dtype once where a kernel
// holds the sum in its compute type, and once more where a library has written it.
namespace ferry {

// Whether the node's activation, if it has one, is known and its result of a floating type. The
// activation is activation_of(*node.attributes).
Support supports_activation(const NodeFacts& node);

// The same for MatMul, whose bias needs a matrix B.
Support supports_matmul_epilogue(const NodeFacts& node);

}  // namespace ferry
