#pragma once

#include <cstdint>

namespace ferry::cpu {

// Softmax and LogSoftmax of one contiguous row; input and output may be the same memory.
using SoftmaxRow = void (*)(const float* input, float* output, int64_t count);

SoftmaxRow simd_softmax_row();
SoftmaxRow simd_log_softmax_row();

}  // namespace ferry::cpu
