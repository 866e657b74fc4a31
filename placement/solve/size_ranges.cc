#include "placement/solve/size_ranges.h"

#include <algorithm>
#include <map>

namespace ferry {
namespace {

// One size, placed.
struct Point {
  std::vector<Device> devices;  // of each node, bodies included
  double seconds = 0;
};

class Search {
 public:
  explicit Search(const std::function<Placement(int64_t size)>& place_at) : place_at_(place_at) {}

  std::vector<PlacedRange> run(int64_t first, int64_t last) {
    at(first);
    for (int64_t size = 1; size < last && size <= INT64_MAX / 2; size *= 2) {
      if (size > first) at(size);
    }
    at(last);
    std::vector<int64_t> sizes;
    for (const auto& [size, point] : points_) sizes.push_back(size);
    for (size_t i = 1; i < sizes.size(); ++i) refine(sizes[i - 1], sizes[i]);
    return ranges();
  }

 private:
  const Point& at(int64_t size) {
    const auto [entry, is_new] = points_.try_emplace(size);
    if (is_new) {
      const Placement placement = place_at_(size);
      for (const NodePlacement& node : placement.nodes()) {
        entry->second.devices.push_back(node.device);
      }
      entry->second.seconds = placement.prediction().seconds;
    }
    return entry->second;
  }

  void refine(int64_t low, int64_t high) {
    if (high - low <= 1 || at(low).devices == at(high).devices) return;
    const int64_t middle = low + (high - low) / 2;
    at(middle);
    refine(low, middle);
    refine(middle, high);
  }

  std::vector<PlacedRange> ranges() const {
    std::vector<PlacedRange> out;
    const std::vector<Device>* before = nullptr;
    for (const auto& [size, point] : points_) {
      if (before == nullptr || *before != point.devices) {
        if (!out.empty()) out.back().last = size - 1;
        out.emplace_back();
        out.back().first = size;
        out.back().first_seconds = point.seconds;
        for (const Device device : point.devices) ++out.back().nodes[device];
      }
      out.back().last = size;
      out.back().last_seconds = point.seconds;
      before = &point.devices;
    }
    return out;
  }

  const std::function<Placement(int64_t size)>& place_at_;
  std::map<int64_t, Point> points_;
};

}  // namespace

std::vector<PlacedRange> size_ranges_of(const PlacementRequest::SizeRange& range,
                                        const std::function<Placement(int64_t size)>& place_at) {
  return Search(place_at).run(range.first, range.last);
}

}  // namespace ferry
