#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/support.h"
#include "ferry/placement.h"
#include "graph/graph.h"

// Decides where each node runs and inserts the copies that follow. Knows no kernel and no CUDA:
// what a device can do is asked through Capability.
//
//   assign_devices  ->  insert_copies  ->  elide_copies     (each Graph -> Graph, verified)
//
// Later refinements of the decision (cost, pins, memory) belong in assign_devices; everything after
// it only follows Node::device.
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

// Why a node is where it is. Keyed by the node's path, which is unique in the model.
struct Decision {
  ReasonCode reason = ReasonCode::requested;
  std::string detail;
  std::vector<RejectedDevice> rejected;
  std::vector<PredictedTime> predicted;
  std::vector<MoveCost> moves;
  double flops = 0, bytes = 0;
};
using Decisions = std::map<std::string, Decision>;

struct PlacementData {
  Graph graph;  // with devices on nodes and values, and copy nodes; what the executor lowers
  PlacementRequest request;
  std::string model;  // its name in reports
  std::vector<NodePlacement> nodes;
  std::vector<WeightPlacement> weights;
  std::vector<CopyPlacement> copies;
  std::vector<DevicePlacement> devices;
  std::vector<std::string> assumed_symbols;  // symbols that counted as 1
  std::string fingerprint;
  Prediction prediction;
  std::vector<RuleMatch> rules;
  std::vector<SpilledWeight> spilled;
  std::vector<PlacedRange> size_ranges;
};

// Sets Node::device throughout. Rules, in order:
//  1. A request for the CPU puts every node there.
//  2. A random seed (tests) chooses among the devices that support a node.
//  3. A host value is computed on the CPU: a small integer, bool or float tensor made from sizes,
//     constants and other host values alone, or from small graph inputs where somebody reads it on
//     the host.
//  4. Every other node runs on the requested device where that supports it, else on the CPU.
//  5. The policy `fastest` moves nodes of rule 4 to the CPU where that makes the sum of the times
//  of all kernels and copies less: the least there is (cut.h), never more than rule 4 gives.
// Throws Error placement, listing every node of rule 4 that the device does not support, unless
// the request allows fallback. `prediction`, where given, gets what rule 5 weighed.
Decisions assign_devices(Graph& graph, const PlacementRequest& request,
                         const Capability& capability, Prediction* prediction = nullptr);

// Where output `i` is delivered: on request.outputs_on; strings are always on the CPU.
Device delivered_on(const Graph& graph, const PlacementRequest& request, size_t i);

// Sets Value::device and adds one kCopyOp node per (value, destination):
//  1. A value lives where its node runs; host outputs, graph inputs and constants live on the CPU.
//  2. A port needs its value on the node's device; a host port on the CPU; a metadata port
//  anywhere.
//  3. A copy stands right after the node that writes the value, and serves all readers there.
//  4. A constant needs no copy: it gets a second home, uploaded when the plan is applied.
//  5. A value captured by a body is copied outside the body, once, however often the body runs.
//  6. Graph outputs are copied to where they are delivered.
void insert_copies(Graph& graph, const PlacementRequest& request, const Capability& capability);

// Removes copies that are not needed: of a copy back to where its source already is, and of values
// that nobody reads.
void elide_copies(Graph& graph);

// All passes on a copy of `graph`, and the report.
Placement place(const Graph& graph, const PlacementRequest& request, const Capability& capability);

RunCopies run_copies(const PlacementData& data);

}  // namespace ferry
