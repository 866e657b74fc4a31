#include "placement/solve/assignment.h"

#include <algorithm>

#include "core/checked.h"

namespace ferry {
namespace {

using End = AssignmentProblem::End;
using Value = AssignmentProblem::Value;

int device_of(const End& end, const Assignment& assignment) {
  return end.item < 0 ? end.device : assignment[end.item];
}

// Times that add up to more than 64 bits hold are the longest; what is forbidden stays so.
int64_t sum(int64_t a, int64_t b) {
  if (a == kForbidden || b == kForbidden) return kForbidden;
  return std::min(checked_add(a, b).value_or(kForbidden), kForbidden - 1);
}

// One move: every item keeps its device or goes to `target`.
class Expansion {
 public:
  Expansion(const AssignmentProblem& problem, const Assignment& current, int target)
      : problem_(problem), current_(current), target_(target) {}

  Assignment cheapest() {
    for (size_t i = 0; i < problem_.items.size(); ++i) add_item(i);
    for (const Value& value : problem_.values) add_value(value);
    const std::vector<Side> sides = minimum_cut(cut_);
    Assignment moved = current_;
    for (size_t i = 0; i < moved.size(); ++i) {
      if (sides[i] == Side::device) moved[i] = target_;
    }
    return moved;
  }

 private:
  void add_item(size_t i) {
    const AssignmentProblem::Item& item = problem_.items[i];
    const auto cost_on = [&](int device) {
      return item.allowed >> device & 1 ? item.cost[device] : kForbidden;
    };
    const bool is_there = current_[i] == target_;
    cut_.items.push_back({{is_there ? kForbidden : cost_on(current_[i]), cost_on(target_)}});
  }

  CutProblem::End end_of(const End& end) const {
    if (end.item >= 0) return {end.item, Side::host};
    return {-1, end.device == target_ ? Side::device : Side::host};
  }

  void add(const CutProblem::End& writer, std::vector<CutProblem::End> readers, int64_t back,
           int64_t there) {
    if (back == 0 && there == 0) return;
    cut_.values.push_back({writer, std::move(readers), {back, there}});
  }

  void add_value(const Value& value) {
    const int home = device_of(value.writer, current_);
    const CutProblem::End writer = end_of(value.writer);
    std::vector<CutProblem::End> all;
    bool at_home = true;  // all readers are where the writer is, or at the target
    for (const End& reader : value.readers) {
      all.push_back(end_of(reader));
      const int device = device_of(reader, current_);
      at_home = at_home && (device == home || device == target_);
    }
    const int64_t there = problem_.copy(value, home, target_);
    if (at_home) {
      add(writer, std::move(all), problem_.copy(value, target_, home), there);
      return;
    }
    add(writer, std::move(all), 0, there);
    for (int device = 0; device < problem_.devices; ++device) {
      if (device != target_) add_destination(value, writer, home, device);
    }
  }

  // Copies to a device that readers may stay on.
  void add_destination(const Value& value, const CutProblem::End& writer, int home, int device) {
    std::vector<CutProblem::End> readers;
    for (const End& reader : value.readers) {
      if (device_of(reader, current_) == device) readers.push_back(end_of(reader));
    }
    if (readers.empty()) return;
    const int64_t now = problem_.copy(value, home, device);  // 0 at home
    const int64_t moved = problem_.copy(value, target_, device);
    // Where the move would make this copy shorter the cut does not see it: that is no cut.
    add({-1, Side::device}, readers, now, 0);
    if (moved > now) add(writer, std::move(readers), moved - now, 0);
  }

  const AssignmentProblem& problem_;
  const Assignment& current_;
  const int target_;
  CutProblem cut_;
};

bool is_allowed(const AssignmentProblem& problem, const Assignment& assignment) {
  for (size_t i = 0; i < assignment.size(); ++i) {
    if (!(problem.items[i].allowed >> assignment[i] & 1)) return false;
  }
  return true;
}

}  // namespace

int64_t cost_of(const AssignmentProblem& problem, const Assignment& assignment) {
  int64_t total = 0;
  for (size_t i = 0; i < problem.items.size(); ++i) {
    total = sum(total, problem.items[i].cost[assignment[i]]);
  }
  for (const Value& value : problem.values) {
    const int home = device_of(value.writer, assignment);
    uint32_t destinations = 0;
    for (const End& reader : value.readers) destinations |= 1u << device_of(reader, assignment);
    for (int device = 0; device < problem.devices; ++device) {
      if (destinations >> device & 1) total = sum(total, problem.copy(value, home, device));
    }
  }
  return total;
}

std::vector<std::vector<int64_t>> move_costs(const AssignmentProblem& problem,
                                             const Assignment& assignment) {
  const auto devices = static_cast<size_t>(problem.devices);
  std::vector<std::vector<int64_t>> out(problem.items.size());
  for (size_t i = 0; i < out.size(); ++i) {
    const std::vector<int64_t>& cost = problem.items[i].cost;
    const int64_t here = cost[assignment[i]];
    for (size_t d = 0; d < devices; ++d) {
      out[i].push_back(cost[d] == kForbidden || here == kForbidden ? kForbidden : cost[d] - here);
    }
  }
  const auto add = [&](int item, int device, int64_t now, int64_t then) {
    int64_t& cost = out[item][device];
    cost = then == kForbidden || cost == kForbidden ? kForbidden : sum(cost, then - now);
  };
  for (const Value& value : problem.values) {
    const int home = device_of(value.writer, assignment);
    std::vector<int> readers(devices, 0);
    std::vector<int> items;
    for (const End& reader : value.readers) {
      ++readers[device_of(reader, assignment)];
      if (reader.item >= 0) items.push_back(reader.item);
    }
    // The sum of all copies, were the writer on `from` and the readers as counted.
    const auto copies = [&](int from) {
      int64_t total = 0;
      for (int d = 0; d < problem.devices; ++d) {
        if (readers[d] > 0) total = sum(total, problem.copy(value, from, d));
      }
      return total;
    };
    const int64_t now = copies(home);
    if (value.writer.item >= 0) {
      for (int d = 0; d < problem.devices; ++d) add(value.writer.item, d, now, copies(d));
    }
    std::ranges::sort(items);
    for (auto first = items.begin(); first != items.end();) {
      const auto last = std::upper_bound(first, items.end(), *first);
      const int here = assignment[*first];
      const auto uses = static_cast<int>(last - first);
      for (int d = 0; d < problem.devices; ++d) {
        readers[here] -= uses;
        readers[d] += uses;
        add(*first, d, now, copies(home));
        readers[d] -= uses;
        readers[here] += uses;
      }
      first = last;
    }
  }
  return out;
}

Assignment cheapest(const AssignmentProblem& problem, const Assignment& start) {
  const Assignment host(problem.items.size(), 0);
  if (problem.devices == 2) return Expansion(problem, host, 1).cheapest();
  Assignment best = start;
  int64_t least = cost_of(problem, best);
  const auto consider = [&](const Assignment& tried) {
    const int64_t cost = is_allowed(problem, tried) ? cost_of(problem, tried) : kForbidden;
    if (cost >= least) return false;
    best = tried;
    least = cost;
    return true;
  };
  for (int device = 1; device < problem.devices; ++device) {
    consider(Expansion(problem, host, device).cheapest());
  }
  for (bool better = true; better;) {
    better = false;
    for (int device = 0; device < problem.devices; ++device) {
      better = consider(Expansion(problem, best, device).cheapest()) || better;
    }
  }
  return best;
}

}  // namespace ferry
