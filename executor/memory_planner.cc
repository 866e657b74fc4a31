#include "executor/memory_planner.h"

#include <algorithm>
#include <numeric>

namespace ferry {

ArenaPlan plan_arena(const std::vector<BlockLife>& blocks, size_t alignment) {
  const auto rounded = [&](size_t bytes) {
    return (bytes + alignment - 1) / alignment * alignment;
  };
  std::vector<size_t> by_size(blocks.size());
  std::iota(by_size.begin(), by_size.end(), size_t{0});
  std::ranges::stable_sort(by_size,
                           [&](size_t a, size_t b) { return blocks[a].bytes > blocks[b].bytes; });

  ArenaPlan plan;
  plan.offsets.assign(blocks.size(), 0);
  std::vector<size_t> placed;  // in order of offset
  for (const size_t i : by_size) {
    const BlockLife& block = blocks[i];
    if (block.bytes == 0) continue;
    const size_t size = rounded(block.bytes);
    size_t offset = 0;
    for (const size_t other : placed) {
      if (blocks[other].last < block.first || block.last < blocks[other].first) continue;
      if (offset + size <= plan.offsets[other]) break;
      offset = std::max(offset, plan.offsets[other] + rounded(blocks[other].bytes));
    }
    plan.offsets[i] = offset;
    plan.bytes = std::max(plan.bytes, offset + size);
    const auto at =
        std::ranges::upper_bound(placed, offset, {}, [&](size_t k) { return plan.offsets[k]; });
    placed.insert(at, i);
  }
  return plan;
}

}  // namespace ferry
