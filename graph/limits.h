#pragma once

#include <cstdint>

namespace ferry {

// The most axes of a shape that a model may have: as many as sizes are followed one by one, far
// more than any operator needs.
inline constexpr int64_t kMaxRank = 1024;

}  // namespace ferry
