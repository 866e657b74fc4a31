#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/support.h"
#include "ferry/placement.h"
#include "graph/graph.h"

// Decides where each node runs and inserts the copies that follow. Knows no kernel and no CUDA:
// what a device can do is asked through Capability.
//
//   assign_devices -> recompute -> insert_copies -> elide_copies     (each Graph -> Graph,
//   verified)
//
// What comes after assign_devices only follows Node::device.
namespace ferry {

// What a device says of one node.
struct NodeCapability {
  Support support;
  Ports host_inputs;      // read by the host
  Ports metadata_inputs;  // only dtype and shape are read
  Ports host_outputs;     // written by the host
  // What its kernel moves for itself: bytes that each run reads back to the host, and bytes of
  // tables that are uploaded once for given sizes (-1: not known yet).
  int64_t read_back = 0;
  int64_t table_bytes = 0;
};

class Capability {
 public:
  virtual ~Capability() = default;
  virtual NodeCapability ask(const Graph& graph, const Node& node, Device device) const = 0;
  virtual std::string device_name(Device device) const = 0;
  virtual bool simulated(Device device) const = 0;
};

// Why a node is where it is, and what that costs.
struct Decision {
  ReasonCode reason = ReasonCode::requested;
  std::string detail;
  uint32_t allowed = 1;  // bit d: it may be on device d of the request (devices_of)
  bool fell = false;     // the device that was asked for cannot run it
  std::vector<RejectedDevice> rejected;
  std::vector<PredictedTime> predicted;
  std::vector<MoveCost> moves;
  double flops = 0, bytes = 0;
};
// By the node's path, which is unique in the model.
using Decisions = std::unordered_map<std::string, Decision>;

struct CostModel;  // placement/cost_model.h

// What a run of a plan takes, from who makes plans.
class MemoryPlanner;

// Done once, whoever comes first; a copy has yet to do it.
class Once {
 public:
  Once() = default;
  Once(const Once&) {}
  Once& operator=(const Once&) { return *this; }
  template <typename F>
  void call(F&& f) {
    std::call_once(flag_, std::forward<F>(f));
  }

 private:
  std::once_flag flag_;
};

struct PlacementData {
  Graph graph;  // with devices on nodes and values, and copy nodes; what the executor lowers
  PlacementRequest request;
  std::string model;  // its name in reports
  std::vector<NodePlacement> nodes;
  std::vector<WeightPlacement> weights;
  std::vector<CopyPlacement> copies;
  // Their memory is filled in by with_memory().
  mutable std::vector<DevicePlacement> devices;
  std::vector<std::string> assumed_symbols;  // symbols that counted as 1
  std::string fingerprint;
  Prediction prediction;
  std::vector<RuleMatch> rules;
  std::vector<SpilledWeight> spilled;
  std::vector<PlacedRange> size_ranges;
  std::shared_ptr<const MemoryPlanner> planner;  // nullptr: nothing is known of memory
  mutable Once memory_known;
};

// Picoseconds that a weight costs on device d, wherever it is read there (memory.h).
using WeightPrice = std::function<int64_t(const Value& weight, int device, bool in_body)>;

// What assign_devices() is told, and what it says besides the devices.
struct Assigning {
  const PlacementRequest& request;
  const Capability& capability;
  const CostModel& costs;
  WeightPrice weight_price = {};  // not set: none
  // Picoseconds for each byte that a node writes on a device.
  double activation_price = 0;

  Prediction prediction;  // without kernel_seconds and copy_seconds
  std::vector<RuleMatch> rules;
  int64_t priced_cost = 0;  // of the placement, prices included; what was minimised
};

// Sets Node::device throughout. Rules, in order:
//  1. A random seed (tests) chooses among the devices that support a node.
//  2. A rule of the request puts a node where it says.
//  3. A request for the CPU puts every other node there.
//  4. A host value is computed on the CPU: a small integer, bool or float tensor made from sizes,
//     constants and other host values alone, or from small graph inputs where somebody reads it on
//     the host.
//  5. Every other node may run on the devices of the request that support it, and on the CPU where
//     the request allows that. A node that none of them can run goes to the CPU; for If, Loop and
//     Scan that is no failure, since their bodies' nodes are placed one by one.
//  6. The policy `device_first` takes the first of those; `fastest` those that make the sum of the
//     times of all kernels and copies least (assignment.h), never more than device_first.
//  7. Islands that are smaller than the request wants go to the CPU.
// Throws Error placement: for rules (rules.h), for a rule that names a device that cannot run its
// node, and, listing every node of rule 5 that no device of the request can run, unless the request
// allows fallback.
Decisions assign_devices(Graph& graph, Assigning& with);

// Where output `i` is delivered: on request.outputs_on; strings are always on the CPU.
Device delivered_on(const Graph& graph, const PlacementRequest& request, size_t i);

// Computes cheap nodes a second time, on a device that reads their values, where that takes less
// than copying those there: what depends on constants, inputs that are there anyway and other such
// nodes alone. Never makes a placement slower. Only nodes that give the same result each time, that
// no rule binds and that the request allows there; of the outermost graph, and never nodes with
// bodies or what bodies capture.
// Returns whether there was one.
bool recompute(Graph& graph, const Assigning& with, Decisions& decisions);

// Sets Value::device and adds one kCopyOp node per (value, destination):
//  1. A value lives where its node runs; host outputs, graph inputs and constants live on the CPU.
//  2. A port needs its value on the node's device; a host port on the CPU; a metadata port
//  anywhere.
//  3. A copy stands right after the node that writes the value, and serves all readers there.
//  4. A constant needs no copy: it gets a second home, uploaded when the plan is applied. Those in
//  `streamed` (by name and device, of the outermost graph) have no room there: a copy brings them
//  before
//  their first reader, in every run.
//  5. A value captured by a body is copied outside the body, once, however often the body runs.
//  6. Graph outputs are copied to where they are delivered.
using Streamed = std::set<std::pair<std::string, Device>>;
void insert_copies(Graph& graph, const PlacementRequest& request, const Capability& capability,
                   const Streamed& streamed = {});

// The devices on which each value of `graph` is read, by value id; bodies' captures included.
std::vector<std::set<Device>> readers_of(const Graph& graph, const PlacementRequest& request,
                                         const Capability& capability);

// Where nodes and outputs of a placed graph and its bodies read weights: storages, with the device.
// What a copy reads to bring it elsewhere is not read.
using WeightHomes = std::set<std::pair<const void*, Device>>;
WeightHomes weight_homes(const Graph& graph);

// Removes copies that are not needed: of a copy back to where its source already is, and of values
// that nobody reads.
void elide_copies(Graph& graph);

// What the executor's memory planner says of a placed graph.
class MemoryPlanner {
 public:
  virtual ~MemoryPlanner() = default;
  // By device: what a run of `graph` takes with these sizes of its symbols.
  virtual std::map<Device, MemoryUse> memory_of(
      const Graph& graph, const std::map<std::string, int64_t>& symbols) const = 0;
};

// All passes on a copy of `graph`, and the report. Without a planner nothing is known of memory,
// and limits are an Error (invalid_argument).
Placement place(const Graph& graph, const PlacementRequest& request, const Capability& capability,
                std::shared_ptr<const MemoryPlanner> planner = nullptr);

// `data` with DevicePlacement::memory: planned for when somebody first asks, since a plan that is
// only run needs it not. Thread-safe.
const PlacementData& with_memory(const PlacementData& data);

// Fills the report from a placed graph.
void record(PlacementData& data, const Decisions& decisions, const Capability& capability,
            const CostModel& costs);

RunCopies run_copies(const PlacementData& data);

}  // namespace ferry
