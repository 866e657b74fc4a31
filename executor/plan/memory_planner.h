#pragma once

#include <cstddef>
#include <vector>

namespace ferry {

// One block that must exist from step `first` to step `last`, both included.
struct BlockLife {
  size_t bytes = 0;
  int first = 0;
  int last = 0;
};

struct ArenaPlan {
  std::vector<size_t> offsets;  // of each block; 0 for empty ones
  size_t bytes = 0;             // of the arena
};

// Packs blocks into one arena so that blocks alive at the same step do not overlap: largest first,
// each at the lowest offset that is free during its life (greedy by size, Pisarchyk and Lee 2020).
// Offsets are multiples of `alignment`. Deterministic.
ArenaPlan plan_arena(const std::vector<BlockLife>& blocks, size_t alignment);

}  // namespace ferry
