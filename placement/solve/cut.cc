#include "placement/solve/cut.h"

#include <algorithm>
#include <limits>

namespace ferry {
namespace {

// Two of them fit into 64 bits.
constexpr int64_t kInfinite = std::numeric_limits<int64_t>::max() / 4;

// Dinic's algorithm with the recursion of its depth-first search written out.
class Network {
 public:
  explicit Network(int nodes) : first_(static_cast<size_t>(nodes), -1) {}

  void add_arc(int from, int to, int64_t capacity) {
    if (from == to || capacity == 0) return;
    arcs_.push_back({to, first_[from], capacity});
    first_[from] = static_cast<int>(arcs_.size()) - 1;
    arcs_.push_back({from, first_[to], 0});
    first_[to] = static_cast<int>(arcs_.size()) - 1;
  }

  // Pushes as much as goes through; afterwards reached() tells the source's side.
  void maximise(int source, int sink) {
    while (find_levels(source), level_[sink] >= 0) {
      next_ = first_;
      push(source, sink);
    }
  }
  bool reached(int node) const { return level_[node] >= 0; }

 private:
  struct Arc {
    int to;
    int next;  // of the same node
    int64_t capacity;
  };

  void find_levels(int source) {
    level_.assign(first_.size(), -1);
    level_[source] = 0;
    queue_.assign(1, source);
    for (size_t i = 0; i < queue_.size(); ++i) {
      const int node = queue_[i];
      for (int a = first_[node]; a >= 0; a = arcs_[a].next) {
        const Arc& arc = arcs_[a];
        if (arc.capacity == 0 || level_[arc.to] >= 0) continue;
        level_[arc.to] = level_[node] + 1;
        queue_.push_back(arc.to);
      }
    }
  }

  // A blocking flow: walks along rising levels; a dead end is never entered twice.
  void push(int source, int sink) {
    std::vector<int> path;  // arcs from the source to where we are
    int node = source;
    for (;;) {
      if (node == sink) {
        int64_t flow = kInfinite;
        for (const int a : path) flow = std::min(flow, arcs_[a].capacity);
        size_t keep = path.size();
        for (size_t i = path.size(); i-- > 0;) {
          arcs_[path[i]].capacity -= flow;
          arcs_[path[i] ^ 1].capacity += flow;
          if (arcs_[path[i]].capacity == 0) keep = i;
        }
        path.resize(keep);
        node = path.empty() ? source : arcs_[path.back()].to;
      }
      int& at = next_[node];
      while (at >= 0 && !rises(node, arcs_[at])) {
        at = arcs_[at].next;
      }
      if (at >= 0) {
        path.push_back(at);
        node = arcs_[at].to;
        continue;
      }
      if (path.empty()) return;
      const int back = arcs_[path.back() ^ 1].to;
      path.pop_back();
      next_[back] = arcs_[next_[static_cast<size_t>(back)]].next;
      node = back;
    }
  }

  bool rises(int node, const Arc& arc) const {
    return arc.capacity > 0 && level_[arc.to] == level_[node] + 1;
  }

  std::vector<int> first_, level_, next_, queue_;
  std::vector<Arc> arcs_;  // arc i ^ 1 is the way back of arc i
};

}  // namespace

std::vector<Side> minimum_cut(const CutProblem& problem) {
  const auto items = static_cast<int>(problem.items.size());
  const auto values = static_cast<int>(problem.values.size());
  const int source = items + 2 * values;
  const int sink = source + 1;
  Network network(sink + 1);
  // All finite capacities together stay below an infinite one.
  const int64_t largest = kInfinite / (2 * (int64_t{items} + values) + 1);
  const auto capacity_of = [&](int64_t cost) {
    return cost == kForbidden ? kInfinite : std::min(cost, largest);
  };
  const auto node_of = [&](const CutProblem::End& end) {
    if (end.item >= 0) return end.item;
    return end.side == Side::host ? source : sink;
  };
  for (int i = 0; i < items; ++i) {
    const auto& [on_host, on_device] = problem.items[i].cost;
    network.add_arc(source, i, capacity_of(on_device));
    network.add_arc(i, sink, capacity_of(on_host));
  }
  for (int v = 0; v < values; ++v) {
    const CutProblem::Value& value = problem.values[v];
    const int writer = node_of(value.writer);
    const int to_host = items + 2 * v, to_device = to_host + 1;
    network.add_arc(writer, to_device, capacity_of(value.copy[1]));
    network.add_arc(to_host, writer, capacity_of(value.copy[0]));
    for (const CutProblem::End& reader : value.readers) {
      network.add_arc(to_device, node_of(reader), kInfinite);
      network.add_arc(node_of(reader), to_host, kInfinite);
    }
  }
  network.maximise(source, sink);
  std::vector<Side> sides(problem.items.size());
  for (int i = 0; i < items; ++i) {
    sides[i] = network.reached(i) ? Side::host : Side::device;
  }
  return sides;
}

}  // namespace ferry
