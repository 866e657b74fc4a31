#include "executor/plan/memory_planner.h"

#include <algorithm>
#include <bit>
#include <numeric>

namespace ferry {
namespace {

// Bytes of the arena, `end` excluded.
struct Range {
  size_t begin = 0, end = 0;
};

// Adds a range to ranges in order with gaps between, and keeps them so: what touches becomes one.
void unite(std::vector<Range>& ranges, Range range) {
  const auto from = std::ranges::lower_bound(ranges, range.begin, {}, &Range::end);
  auto to = from;
  for (; to != ranges.end() && to->begin <= range.end; ++to) {
    range = {std::min(range.begin, to->begin), std::max(range.end, to->end)};
  }
  if (from == to) {
    ranges.insert(from, range);
  } else {
    *from = range;
    ranges.erase(from + 1, to);
  }
}

// Which bytes are taken at which steps: a segment tree over steps. Blocks side by side are one
// range, so that neither many long lives nor many short ones are looked at one by one.
class Occupancy {
 public:
  explicit Occupancy(const std::vector<BlockLife>& blocks) {
    int last = 0;
    for (const BlockLife& block : blocks) {
      first_step_ = std::min(first_step_, block.first);
      last = std::max(last, block.last);
    }
    leaves_ = std::bit_ceil(static_cast<size_t>(last - first_step_) + 1);
    nodes_.resize(2 * leaves_);
  }

  void take(const BlockLife& block, Range range) {
    size_t left = leaf(block.first), right = leaf(block.last) + 1;
    for (; left < right; left /= 2, right /= 2) {
      if (left % 2 == 1) add(left++, range);
      if (right % 2 == 1) add(--right, range);
    }
  }

  // What is taken at some step of the block's life, by where it begins; ranges may overlap. Valid
  // until the next call.
  const std::vector<Range>& during(const BlockLife& block) {
    found_.clear();
    collect(1, leaves_, leaves_, leaf(block.first), leaf(block.last));
    std::ranges::sort(found_, {}, &Range::begin);
    return found_;
  }

 private:
  struct Node {
    std::vector<Range> throughout;  // taken at all of its steps
    std::vector<Range> sometime;    // taken at some of its steps
  };

  size_t leaf(int step) const { return leaves_ + static_cast<size_t>(step - first_step_); }

  void add(size_t node, Range range) {
    unite(nodes_[node].throughout, range);
    for (; node > 0; node /= 2) unite(nodes_[node].sometime, range);
  }

  // `node` has the leaves from `from`, `count` of them.
  void collect(size_t node, size_t from, size_t count, size_t first, size_t last) {
    if (last < from || from + count <= first) return;
    const bool inside = first <= from && from + count - 1 <= last;
    const std::vector<Range>& taken = inside ? nodes_[node].sometime : nodes_[node].throughout;
    found_.insert(found_.end(), taken.begin(), taken.end());
    if (inside || nodes_[node].sometime.empty()) return;
    collect(2 * node, from, count / 2, first, last);
    collect(2 * node + 1, from + count / 2, count / 2, first, last);
  }

  int first_step_ = 0;
  size_t leaves_ = 1;
  std::vector<Node> nodes_;  // [1] is the root, [i]'s children are [2 i] and [2 i + 1]
  std::vector<Range> found_;
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
  Occupancy occupancy(blocks);
  for (const size_t i : by_size) {
    if (blocks[i].bytes == 0) continue;
    const size_t size = rounded(blocks[i].bytes);
    size_t offset = 0;
    for (const Range& taken : occupancy.during(blocks[i])) {
      if (offset + size <= taken.begin) break;
      offset = std::max(offset, taken.end);
    }
    plan.offsets[i] = offset;
    plan.bytes = std::max(plan.bytes, offset + size);
    occupancy.take(blocks[i], {offset, offset + size});
  }
  return plan;
}

}  // namespace ferry
