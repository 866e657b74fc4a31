#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "ferry/error.h"
#include "kernels/scalar.h"

namespace ferry {

// What the kernels of Range read, and where they write.
struct RangeForm {
  RangeForm() = default;
  explicit RangeForm(const NodeFacts& node);

  // Memory for `count` elements: the executor's where the model declares as many. Throws Error
  // runtime where it declares another number.
  void* output(const RunContext& context, int64_t count) const;

  ScalarInput start, limit, delta;
  int64_t declared = -1;  // elements of the output, or -1
};

// The value of ConstantOfShape. Throws Error runtime unless it is one.
const Tensor& fill_value(const NodeFacts& node);

// The elements of Range (ONNX 11): max(ceil((limit - start) / delta), 0). Throws Error runtime for
// a delta of 0 and for more than 64 bits can count.
template <typename T>
int64_t range_count(T start, T limit, T delta) {
  if (delta == T(0)) throw Error(ErrorCode::runtime, "the step of the range is 0");
  if constexpr (std::is_floating_point_v<T>) {
    const double count = std::ceil((static_cast<double>(limit) - static_cast<double>(start)) /
                                   static_cast<double>(delta));
    if (!(count <= 9e15)) throw Error(ErrorCode::runtime, "the range has no end");
    return count > 0 ? static_cast<int64_t>(count) : 0;
  } else {
    const bool up = delta > 0;
    if (up ? start >= limit : start <= limit) return 0;
    const uint64_t low = static_cast<uint64_t>(static_cast<int64_t>(up ? start : limit));
    const uint64_t high = static_cast<uint64_t>(static_cast<int64_t>(up ? limit : start));
    const uint64_t step = up ? static_cast<uint64_t>(delta)
                             : uint64_t{0} - static_cast<uint64_t>(static_cast<int64_t>(delta));
    const uint64_t count = (high - low - 1) / step + 1;
    if (count > static_cast<uint64_t>(INT64_MAX)) {
      throw Error(ErrorCode::runtime, "the range has more than 2^63 - 1 elements");
    }
    return static_cast<int64_t>(count);
  }
}

}  // namespace ferry
