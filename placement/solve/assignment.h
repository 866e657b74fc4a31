#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "placement/solve/cut.h"

// Which device each node gets, so that the time of all kernels and all copies is least. The form of
// the question that knows no graph; network.h puts it for one.
namespace ferry {

// Devices are numbers; 0 is the host.
struct AssignmentProblem {
  // Who writes or reads a value: an item, wherever it runs, or a device that is fixed (graph inputs
  // and outputs, host ports).
  struct End {
    int item = -1;  // -1: fixed
    int device = 0;
  };
  struct Item {
    std::vector<int64_t> cost;  // by device, in picoseconds; kForbidden where it cannot run
    uint32_t allowed = ~0u;     // bit d: it may be on device d
  };
  struct Value {
    End writer;
    std::vector<End> readers;   // those that need the elements where they are
    std::vector<int64_t> copy;  // [from * devices + to]; paid once a destination
  };
  int devices = 2;
  std::vector<Item> items;
  std::vector<Value> values;

  int64_t copy(const Value& value, int from, int to) const {
    return from == to ? 0
                      : value.copy[static_cast<size_t>(from) * static_cast<size_t>(devices) +
                                   static_cast<size_t>(to)];
  }
};
using Assignment = std::vector<int>;  // the device of each item

// The time of one assignment: kForbidden where an item is where it cannot run (allowed or not), or
// a value crosses that cannot. Times beyond 64 bits count as the longest.
int64_t cost_of(const AssignmentProblem& problem, const Assignment& assignment);

// What the whole would take longer, or less, if one item alone were on another device; by item and
// device. kForbidden where it cannot run there.
std::vector<std::vector<int64_t>> move_costs(const AssignmentProblem& problem,
                                             const Assignment& assignment);

// An assignment of least cost among those that are allowed; `start` is one of them. For two devices
// the least there is, by one minimum cut (Boykov, Veksler and Zabih 2001 name such a cut an
// expansion). For more, a problem that is NP-hard: expansions, one device after the other, from the
// best of `start` and all answers for the host and one device, until none costs less; so it is
// never worse than those (which are exact where fixed ends are on the host). Of equal costs, the
// one with the most items away from the host. Deterministic.
Assignment cheapest(const AssignmentProblem& problem, const Assignment& start);

}  // namespace ferry
