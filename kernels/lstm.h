#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace ferry {

// What the attributes and shapes of an LSTM (ONNX 22) say. Inputs: X, W, R, B?, sequence_lens?,
// initial_h?, initial_c?, P?. The four gates of a row lie in ONNX's order: input, output, forget,
// cell.
struct LstmForm {
  explicit LstmForm(const NodeFacts& node);

  int64_t sequence = 0, batch = 0, input = 0, hidden = 0, directions = 1;
  bool reverse_only = false, batch_first = false, input_forget = false;
  float clip = 0;
  bool has[8] = {};                          // which inputs are there
  bool y = false, y_h = false, y_c = false;  // which outputs
};

}  // namespace ferry
