#pragma once

#include <array>
#include <string>
#include <vector>

#include "ferry/dtype.h"
#include "graph/attributes.h"
#include "kernels/cpu/simd_map.h"

namespace ferry::cpu {

// One of the recurrent layers' activation functions (ONNX LSTM 22, "activations") with its numbers.
struct RnnActivation {
  MapFunction map = nullptr;
  std::array<float, 2> parameters{};

  // In place, on elements of the dtype that it was made for.
  void operator()(void* data, int64_t count) const { map(data, data, count, parameters.data()); }
};

// The functions of the attribute 'activations' in order, for float32 or float64; their alpha and
// beta come from 'activation_alpha' and 'activation_beta', which list those of the functions that
// take them. Names are compared without case. Throws Error unsupported for another name.
std::vector<RnnActivation> rnn_activations(const Attributes& attributes, DType dtype);

}  // namespace ferry::cpu
