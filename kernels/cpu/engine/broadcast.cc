#include "kernels/cpu/engine/broadcast.h"

#include <string>

#include "ferry/error.h"
#include "kernels/strides.h"

namespace ferry::cpu {

template <size_t kInputs>
Broadcast<kInputs>::Broadcast(const Shape& output,
                              const std::array<const Shape*, kInputs>& inputs) {
  std::vector<WalkAxis<kInputs>> axes(output.size());
  for (size_t axis = 0; axis < axes.size(); ++axis) axes[axis].size = output[axis];
  for (size_t i = 0; i < kInputs; ++i) {
    const Shape strides = broadcast_strides(*inputs[i], output);
    for (size_t axis = 0; axis < axes.size(); ++axis) axes[axis].strides[i] = strides[axis];
  }
  const auto merged = merge_axes(axes);
  if (!merged.empty()) {
    row_size_ = merged.front().size;
    for (size_t i = 0; i < kInputs; ++i) steps_[i] = static_cast<int>(merged.front().strides[i]);
  }
  // Outermost first, as for_rows counts.
  for (size_t axis = merged.size(); axis-- > 1;) {
    sizes_.push_back(merged[axis].size);
    strides_.push_back(merged[axis].strides);
    row_count_ *= merged[axis].size;
  }
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
