#pragma once

#include "kernels/cuda/map.h"
#include "kernels/cuda/unit.h"
#include "kernels/cuda/walk.h"

namespace ferry::cuda {

template <typename T>
struct StridedCopyMap {
  Walk<2> walk;  // operand 0 is the destination, operand 1 the source
  T* to;
  const T* from;

  __device__ void operator()(uint32_t index) const {
    int64_t at[2];
    walk.offsets(index, at);
    to[at[0]] = from[at[1]];
  }
};

// Copies elements of `dtype` between two layouts; `to` and `from` must not overlap. Offsets in
// elements.
inline void strided_copy(const RunContext& context, DType dtype, const Walk<2>& walk, void* to,
                         int64_t to_offset, const void* from, int64_t from_offset) {
  visit_unit(dtype, [&]<typename T>() {
    launch_map(context, walk.count,
               StridedCopyMap<T>{walk, static_cast<T*>(to) + to_offset,
                                 static_cast<const T*>(from) + from_offset});
  });
}

}  // namespace ferry::cuda
