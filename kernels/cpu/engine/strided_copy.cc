#include "kernels/cpu/engine/strided_copy.h"

#include <algorithm>

#include "kernels/cpu/element.h"
#include "kernels/cpu/engine/loop.h"
#include "kernels/strides.h"

namespace ferry::cpu {

StridedCopy::StridedCopy(DType dtype, const std::vector<CopyAxis>& axes) {
  Shape sizes;
  for (const CopyAxis& axis : axes) sizes.push_back(axis.size);
  count_ = numel_of(sizes);
  if (count_ == 0) return;
  std::vector<WalkAxis<2>> walk;
  for (const CopyAxis& axis : axes) walk.push_back({axis.size, {axis.to_stride, axis.from_stride}});
  std::vector<CopyAxis> merged;  // innermost first
  for (const auto& [size, strides] : merge_axes(walk)) {
    merged.push_back({size, strides[0], strides[1]});
  }
  if (!merged.empty()) {
    columns_ = merged.front();
    merged.erase(merged.begin());
  }
  // Rows: the axis along which the source is contiguous, so that a block is a transposition; else
  // the next one out.
  if (!merged.empty()) {
    auto rows = merged.begin();
    if (columns_.from_stride != 1) {
      const auto unit = std::find_if(merged.begin(), merged.end(),
                                     [](const CopyAxis& axis) { return axis.from_stride == 1; });
      if (unit != merged.end()) rows = unit;
    }
    rows_ = *rows;
    merged.erase(rows);
  }
  outer_.assign(merged.rbegin(), merged.rend());
  if (outer_.size() > kMaxAxes) {
    throw Error(ErrorCode::unsupported, "a copy walks " + std::to_string(outer_.size() + 2) +
                                            " axes that do not merge, expected at most " +
                                            std::to_string(kMaxAxes + 2));
  }
  blocks_ = 1;
  for (const CopyAxis& axis : outer_) blocks_ *= axis.size;
  // One block that is long is cut along its rows, or along its columns where it has one row.
  element_bytes_ = static_cast<int64_t>(element_size(dtype));
  function_ = visit_unit(dtype, []<typename T>() -> Function { return copy_rows<T>; });
}

template <typename T>
void StridedCopy::copy_block(const T* from, T* to) const {
  // A transposition goes by squares that fit the cache: it reads along rows_, writes along
  // columns_.
  constexpr int64_t kSquare = 16;
  if (columns_.from_stride == 1 && columns_.to_stride == 1) {
    for (int64_t r = 0; r < rows_.size; ++r) {
      std::copy_n(from + r * rows_.from_stride, columns_.size, to + r * rows_.to_stride);
    }
    return;
  }
  if (columns_.from_stride == 0 && columns_.to_stride == 1) {
    for (int64_t r = 0; r < rows_.size; ++r) {
      std::fill_n(to + r * rows_.to_stride, columns_.size, from[r * rows_.from_stride]);
    }
    return;
  }
  for (int64_t r0 = 0; r0 < rows_.size; r0 += kSquare) {
    const int64_t r1 = std::min(rows_.size, r0 + kSquare);
    for (int64_t c0 = 0; c0 < columns_.size; c0 += kSquare) {
      const int64_t c1 = std::min(columns_.size, c0 + kSquare);
      for (int64_t r = r0; r < r1; ++r) {
        const T* source = from + r * rows_.from_stride;
        T* target = to + r * rows_.to_stride;
        for (int64_t c = c0; c < c1; ++c) {
          target[c * columns_.to_stride] = source[c * columns_.from_stride];
        }
      }
    }
  }
}

template <typename T>
void StridedCopy::copy_rows(const StridedCopy& copy, const void* from_data, void* to_data,
                            int64_t begin, int64_t end) {
  const T* from = static_cast<const T*>(from_data);
  T* to = static_cast<T*>(to_data);
  std::array<int64_t, kMaxAxes> index;
  int64_t rest = begin;
  for (size_t axis = copy.outer_.size(); axis-- > 0;) {
    const CopyAxis& walk = copy.outer_[axis];
    index[axis] = rest % walk.size;
    rest /= walk.size;
    from += index[axis] * walk.from_stride;
    to += index[axis] * walk.to_stride;
  }
  for (int64_t block = begin; block < end; ++block) {
    copy.copy_block(from, to);
    for (size_t axis = copy.outer_.size(); axis-- > 0;) {
      const CopyAxis& walk = copy.outer_[axis];
      from += walk.from_stride;
      to += walk.to_stride;
      if (++index[axis] < walk.size) break;
      from -= walk.size * walk.from_stride;
      to -= walk.size * walk.to_stride;
      index[axis] = 0;
    }
  }
}

void StridedCopy::run(const RunContext& context, const void* from_data, void* to_data,
                      int64_t from_offset, int64_t to_offset) const {
  if (count_ == 0) return;
  const auto* from = static_cast<const std::byte*>(from_data) + from_offset * element_bytes_;
  auto* to = static_cast<std::byte*>(to_data) + to_offset * element_bytes_;
  if (blocks_ > 1) {
    for_range(context, blocks_, rows_.size * columns_.size,
              [&](int64_t begin, int64_t end) { function_(*this, from, to, begin, end); });
    return;
  }
  // A single block: its rows are shared, or its columns where there is one row.
  const bool by_columns = rows_.size == 1;
  const CopyAxis& shared = by_columns ? columns_ : rows_;
  for_range(context, shared.size, by_columns ? 1 : columns_.size, [&](int64_t begin, int64_t end) {
    StridedCopy part = *this;
    (by_columns ? part.columns_ : part.rows_).size = end - begin;
    function_(part, from + begin * shared.from_stride * element_bytes_,
              to + begin * shared.to_stride * element_bytes_, 0, 1);
  });
}

}  // namespace ferry::cpu
