#include "placement/size_ranges.h"

#include <algorithm>
#include <map>

namespace ferry {
namespace {

// One size, placed.
struct Point {
  std::vector<Device> devices;  // of each node, bodies included
  double seconds = 0;
};

void collect(const Graph& graph, std::vector<Device>& devices) {
  for (const NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    devices.push_back(node.device);
    for (const auto& body : node.bodies) collect(*body, devices);
  }
}

class Search {
 public:
  Search(const Graph& graph, const PassFacts& facts) : graph_(graph), facts_(facts) {}

  std::vector<PlacedRange> run() {
    const auto& [symbol, first, last] = *facts_.request.size_range;
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
      PlacementRequest request = facts_.request;
      request.dims[request.size_range->symbol] = size;
      Graph graph = clone(graph_);
      Assigning assigning{request, facts_.capability, facts_.costs};
      assign_devices(graph, assigning);
      collect(graph, entry->second.devices);
      entry->second.seconds = static_cast<double>(assigning.priced_cost) * 1e-12;
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

  const Graph& graph_;
  const PassFacts& facts_;
  std::map<int64_t, Point> points_;
};

}  // namespace

std::vector<PlacedRange> size_ranges_of(const Graph& graph, const PassFacts& facts) {
  return Search(graph, facts).run();
}

}  // namespace ferry
