#pragma once

#include "ferry/dtype.h"
#include "graph/activation.h"
#include "kernels/cpu/engine/simd_map.h"

namespace ferry::cpu {

// An elementwise function with its numbers, for elements of the dtype that it was made for; false
// when there is none.
struct ActivationFunction {
  MapFunction map = nullptr;
  float parameters[2] = {};

  explicit operator bool() const { return map != nullptr; }
  // In place.
  void operator()(void* data, int64_t count) const { map(data, data, count, parameters); }
};

// For float32 and float64: what the activation's own operator computes.
ActivationFunction activation_function(const Activation& activation, DType dtype);

}  // namespace ferry::cpu
