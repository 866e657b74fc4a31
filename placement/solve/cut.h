#pragma once

#include <array>
#include <cstdint>
#include <vector>

// The cheapest assignment of nodes to two devices, exactly: a minimum cut.
//
// Time is in picoseconds, as integers, so that sums do not depend on their order and equal input
// gives equal output. What is minimised is the sum of the time of all nodes and all copies; that
// devices and copies may work beside one another is not counted.
namespace ferry {

enum class Side : uint8_t { host, device };
inline constexpr int64_t kForbidden = INT64_MAX;

// The device-independent form of the question. Items are nodes, bodies' nodes included.
struct CutProblem {
  struct Item {
    // Time on the host and on the device; kForbidden where it cannot run.
    std::array<int64_t, 2> cost{};
  };
  // Who writes or reads a value: an item, wherever it runs, or a place that is fixed (graph inputs
  // and outputs, host ports).
  struct End {
    int item = -1;  // -1: fixed
    Side side = Side::host;
  };
  struct Value {
    End writer;
    std::vector<End> readers;  // those that need the elements where they are
    // Time of the copy to the host and to the device; paid once, whatever the number of readers.
    std::array<int64_t, 2> copy{};
  };
  std::vector<Item> items;
  std::vector<Value> values;
};

// An assignment of least cost; among those of equal cost, the one with the most items on the
// device. Every item must be able to run somewhere. Times above 2^61 / (2 items + 2 values + 1)
// count as that, half a second for a million nodes and as many values. O(V^2 E) at worst (Dinic
// 1970), nearly linear on graphs of models.
//
// The network: the host's side is the source. An arc from the source to an item carries its time on
// the device, an arc from the item to the sink its time on the host. Each value has two nodes of
// its own, one a destination: writer -> to_device (copy) -> readers (infinite), and
// readers -> to_host (infinite) -> writer (copy), so a copy is paid once a destination.
std::vector<Side> minimum_cut(const CutProblem& problem);

}  // namespace ferry
