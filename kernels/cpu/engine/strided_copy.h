#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "ferry/tensor.h"
#include "kernels/kernel.h"
#include "kernels/move.h"

namespace ferry::cpu {

// Moves elements between two strided layouts: what Transpose, Slice, Expand, Concat, Split and Tile
// have in common. Axes are merged where both ends allow it.
class StridedCopy {
 public:
  StridedCopy() = default;
  // Outermost axis first. Throws Error unsupported beyond kMaxAxes axes that do not merge.
  StridedCopy(DType dtype, const std::vector<CopyAxis>& axes);

  int64_t count() const { return count_; }
  // Offsets in elements. `to` and `from` must not overlap.
  void run(const RunContext& context, const void* from, void* to, int64_t from_offset = 0,
           int64_t to_offset = 0) const;

  static constexpr size_t kMaxAxes = 32;

 private:
  using Function = void (*)(const StridedCopy&, const void* from, void* to, int64_t begin,
                            int64_t end);
  template <typename T>
  static void copy_rows(const StridedCopy& copy, const void* from, void* to, int64_t begin,
                        int64_t end);
  template <typename T>
  void copy_block(const T* from, T* to) const;

  std::vector<CopyAxis> outer_;  // what copy_block does not walk, outermost first
  CopyAxis rows_{1, 0, 0};       // a block is rows_ by columns_
  CopyAxis columns_{1, 1, 1};
  int64_t count_ = 0;  // elements in all
  int64_t blocks_ = 0;
  int64_t element_bytes_ = 0;
  Function function_ = nullptr;
};

}  // namespace ferry::cpu
