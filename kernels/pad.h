#pragma once

#include <cstdint>
#include <vector>

#include "kernels/host_device.h"
#include "kernels/kernel.h"
#include "kernels/scalar.h"

namespace ferry {

enum class PadMode : uint8_t { constant, edge, reflect, wrap };

// Pad (ONNX 25). Throws Error runtime for an axis that the input lacks, for pads that do not give
// the output, and for an input without elements where there is no constant.
struct PadForm {
  explicit PadForm(const NodeFacts& node);

  PadMode mode = PadMode::constant;
  Shape input, output;
  ScalarInput value;            // input 2, the constant; else zeros
  std::vector<int64_t> before;  // elements that are put before each axis; negative: cut off
};

// Where position `at` of an axis lies in the input of `size` elements, before which `before` were
// put; -1 for the constant.
FERRY_HOST_DEVICE inline int64_t pad_source(PadMode mode, int64_t at, int64_t before,
                                            int64_t size) {
  int64_t source = at - before;
  if (source >= 0 && source < size) return source;
  if (mode == PadMode::constant) return -1;
  if (mode == PadMode::edge) return source < 0 ? 0 : size - 1;
  if (mode == PadMode::wrap) return (source % size + size) % size;
  if (size == 1) return 0;
  const int64_t period = 2 * (size - 1);
  source = (source % period + period) % period;
  return source < size ? source : period - source;
}

}  // namespace ferry
