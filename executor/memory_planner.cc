#include "executor/memory_planner.h"

#include <algorithm>
#include <bit>
#include <numeric>

namespace ferry {
namespace {

// Blocks by their lives, so that those alive in some steps are found without looking at the others:
// a segment tree over steps, whose nodes list the blocks that live throughout their steps.
class Lives {
 public:
  explicit Lives(const std::vector<BlockLife>& blocks) : blocks_(blocks), seen_(blocks.size(), 0) {
    int last = 0;
    for (const BlockLife& block : blocks) {
      first_ = std::min(first_, block.first);
      last = std::max(last, block.last);
    }
    leaves_ = std::bit_ceil(static_cast<size_t>(last - first_) + 1);
    nodes_.resize(2 * leaves_);
  }

  void add(size_t block) {
    size_t left = leaf(blocks_[block].first), right = leaf(blocks_[block].last) + 1;
    for (; left < right; left /= 2, right /= 2) {
      if (left % 2 == 1) list(left++, block);
      if (right % 2 == 1) list(--right, block);
    }
  }

  // The added blocks that are alive at some step of this block's life, each once, in no order.
  const std::vector<size_t>& beside(size_t block) {
    found_.clear();
    ++query_;
    collect(1, 0, leaves_, block);
    return found_;
  }

 private:
  struct Node {
    std::vector<size_t> blocks;
    bool has_below = false;  // a node below has blocks
  };

  size_t leaf(int step) const { return leaves_ + static_cast<size_t>(step - first_); }

  void list(size_t node, size_t block) {
    nodes_[node].blocks.push_back(block);
    while ((node /= 2) > 0 && !nodes_[node].has_below) nodes_[node].has_below = true;
  }

  // `node` is of the `count` steps from `from`.
  void collect(size_t node, size_t from, size_t count, size_t block) {
    const size_t first = leaf(blocks_[block].first) - leaves_;
    const size_t last = leaf(blocks_[block].last) - leaves_;
    if (last < from || from + count <= first) return;
    for (const size_t other : nodes_[node].blocks) {
      if (seen_[other] == query_) continue;
      seen_[other] = query_;
      found_.push_back(other);
    }
    if (!nodes_[node].has_below) return;
    collect(2 * node, from, count / 2, block);
    collect(2 * node + 1, from + count / 2, count / 2, block);
  }

  const std::vector<BlockLife>& blocks_;
  int first_ = 0;
  size_t leaves_ = 1;
  std::vector<Node> nodes_;  // [1] is the root, [i]'s children are [2 i] and [2 i + 1]
  std::vector<size_t> seen_;
  std::vector<size_t> found_;
  size_t query_ = 0;
};

}  // namespace

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
  Lives placed(blocks);
  for (const size_t i : by_size) {
    if (blocks[i].bytes == 0) continue;
    const size_t size = rounded(blocks[i].bytes);
    std::vector<size_t> beside = placed.beside(i);
    std::ranges::sort(beside, {}, [&](size_t k) { return plan.offsets[k]; });
    size_t offset = 0;
    for (const size_t other : beside) {
      if (offset + size <= plan.offsets[other]) break;
      offset = std::max(offset, plan.offsets[other] + rounded(blocks[other].bytes));
    }
    plan.offsets[i] = offset;
    plan.bytes = std::max(plan.bytes, offset + size);
    placed.add(i);
  }
  return plan;
}

}  // namespace ferry
