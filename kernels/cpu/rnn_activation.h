#pragma once

#include <string>
#include <vector>

#include "ferry/dtype.h"
#include "graph/attributes.h"
#include "kernels/cpu/engine/activation.h"
#include "kernels/kernel.h"

namespace ferry::cpu {

// The recurrent layers' functions (ONNX LSTM 22): those of the attribute 'activations' in order,
// for float32 or float64; their alpha and beta come from 'activation_alpha' and 'activation_beta',
// which list those of the functions that take them. Names are compared without case. Throws Error
// unsupported for another name.
std::vector<ActivationFunction> rnn_activations(const Attributes& attributes, DType dtype);

// For supports(): whether those names are known, and there are three a direction.
Support supports_rnn_activations(const NodeFacts& node);

}  // namespace ferry::cpu
