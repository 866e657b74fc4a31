#include "kernels/cpu/broadcast.h"

#include <string>

#include "ferry/error.h"

namespace ferry::cpu {

template <size_t kInputs>
Broadcast<kInputs>::Broadcast(const Shape& output,
                              const std::array<const Shape*, kInputs>& inputs) {
  const size_t rank = output.size();
  // Strides of each axis, 0 where the input has one element there.
  std::vector<Offsets> strides(rank);
  for (size_t i = 0; i < kInputs; ++i) {
    const Shape& shape = *inputs[i];
    int64_t stride = 1;
    for (size_t k = 0; k < shape.size(); ++k) {
      const int64_t size = shape[shape.size() - 1 - k];
      strides[rank - 1 - k][i] = size == 1 ? 0 : stride;
      stride *= size;
    }
  }
  // Merge from the innermost axis out. An axis of size 1 disappears.
  for (size_t axis = rank; axis-- > 0;) {
    if (output[axis] == 1) continue;
    bool merges = !sizes_.empty();
    for (size_t i = 0; merges && i < kInputs; ++i) {
      merges = strides[axis][i] == strides_.back()[i] * sizes_.back();
    }
    if (merges) {
      sizes_.back() *= output[axis];
    } else {
      sizes_.push_back(output[axis]);
      strides_.push_back(strides[axis]);
    }
  }
  if (!sizes_.empty()) {
    row_size_ = sizes_.front();
    for (size_t i = 0; i < kInputs; ++i) steps_[i] = static_cast<int>(strides_.front()[i]);
    sizes_.erase(sizes_.begin());
    strides_.erase(strides_.begin());
  }
  // Outermost first, as for_rows counts.
  std::vector<int64_t>(sizes_.rbegin(), sizes_.rend()).swap(sizes_);
  std::vector<Offsets>(strides_.rbegin(), strides_.rend()).swap(strides_);
  for (int64_t size : sizes_) row_count_ *= size;
  if (sizes_.size() > kMaxAxes) {
    throw Error(ErrorCode::unsupported, "broadcasting walks " + std::to_string(sizes_.size()) +
                                            " axes that do not merge, expected at most " +
                                            std::to_string(kMaxAxes));
  }
}

template class Broadcast<1>;
template class Broadcast<2>;
template class Broadcast<3>;

}  // namespace ferry::cpu
