#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ferry/device.h"
#include "ferry/dtype.h"
#include "ferry/export.h"

namespace ferry {

// Which of the placements that a request with fallback allows.
enum class PlacementPolicy : uint8_t {
  fastest,       // the one with the least predicted time of kernels and copies
  device_first,  // every node that the device can run runs there
};

FERRY_API std::string_view to_string(PlacementPolicy policy);
// Throws invalid_argument, with the nearest word, for any other text.
FERRY_API PlacementPolicy policy_from_string(std::string_view text);

// "Nodes like this run there." Binding: a node that cannot run there, a rule that matches nothing
// and two rules that disagree are Errors (placement) that name both.
struct FERRY_API PlacementRule {
  enum class Target : uint8_t {
    node,      // by path, or by the name of an ONNX node that it came from, if that is no path
    op,        // by operator: "Conv", "com.microsoft.FusedMatMul"
    subgraph,  // every node in a body, by the path of the node that has it: "/loop"
    tensor,    // the node that writes the value of that name
  };
  Target target = Target::node;
  std::string pattern;  // '*' stands for any run of characters, '?' for one, '\\' takes away the
                        // meaning of the next
  Device device;
  bool yields = false;  // earlier rules win, as in a list of --assign; else they must agree
  std::string text;     // as it was written, for messages and the report

  // "enc*=cuda:0", "op:Softmax=cpu", "subgraph:/loop=cpu", "tensor:logits=cpu". Throws
  // invalid_argument.
  static PlacementRule parse(std::string_view text);
  // "cuda:0(enc*, op:Conv); cpu(*)": read in order, the first that matches a node has it. Throws
  // invalid_argument.
  static std::vector<PlacementRule> parse_list(std::string_view text);
  // A file that says where nodes go: a report (ferry.placement/1) of the same model, or
  // {"nodes": {"/enc/MatMul": "cuda:0"}}, or an ONNX file whose nodes carry devices, as
  // device_configurations or as onnxruntime's layer_ann. `fingerprint` is the model's; a report
  // with another is an Error (invalid_argument) unless it is empty. Throws io, invalid_argument.
  static std::vector<PlacementRule> load_map(const std::string& path,
                                             std::string_view fingerprint = {});
};

// A device that this machine need not have, for plans alone: a GPU by the name of its profile
// ("H100", "sm_90") and its memory.
struct FERRY_API AssumedDevice {
  std::string profile;
  int64_t memory_bytes = 0;  // 0: the profile's
  std::string link;          // "PCIe 3"; empty: the profile's

  // "sm_90,80GiB", "T4", "H100,PCIe 4". Names are those of `profiles` (a file, as in
  // PlacementRequest) and of Ferry. Throws invalid_argument, with the nearest name.
  static AssumedDevice parse(std::string_view text, const std::string& profiles = {});
};

// What is asked of placement.
struct FERRY_API PlacementRequest {
  Device device;  // where compute should run

  // Further devices that may share the work, as in "sim:0,sim:1,cpu".
  std::vector<Device> more_devices;

  // Without it, a node that `device` cannot run is an Error (placement) that lists every such node
  // and why. With it, such nodes run on the CPU and the report says so. Host values (shape
  // arithmetic and the like) are on the CPU either way.
  bool cpu_fallback = false;

  // Without cpu_fallback and more_devices there is no choice, and both policies give the same.
  PlacementPolicy policy = PlacementPolicy::fastest;

  std::vector<PlacementRule> rules;

  // Islands of fewer nodes on a device go to the CPU, where the CPU can run them and no rule binds
  // them. Host values stand between the nodes that they serve and part no island.
  int min_island = 1;

  // Bytes that weights, activations and workspace may take on a device; what does not fit is
  // spilled (Placement::spilled): brought there in every run or, with the policy `fastest` and
  // cpu_fallback, left to the CPU. A limit that leaves room for nothing is an Error
  // (out_of_memory) that says what is needed. Sizes that only a run knows are not counted.
  std::map<Device, int64_t> memory_limits;

  // Where the outputs are delivered, strings excepted, which are always on the CPU; the copies for
  // that are part of the plan.
  Device outputs_on;

  // Sizes for symbolic dimensions, for the bytes and times of the report. Symbols without one count
  // as 1, and the report lists them.
  std::map<std::string, int64_t> dims;

  // One symbolic size from first to last, for which the report says where the placement changes
  // (Placement::size_ranges). The placement itself is that of the first size.
  struct SizeRange {
    std::string symbol;
    int64_t first = 1, last = 1;
  };
  std::optional<SizeRange> size_range;

  // Devices that are planned for and need not be there. Their plans cannot be applied.
  std::map<Device, AssumedDevice> assumed_devices;

  // A file of profiles (ferry devices --calibrate) that comes before those that Ferry knows.
  std::string profiles;

  // For tests: every node goes to `device` or the CPU by a hash of this seed and its name, among
  // those that support it.
  std::optional<uint64_t> random_seed;

  // Parses "cpu", "cuda:0" (strict), "cuda:0,cpu" (with fallback) and "sim:0,sim:1,cpu". Throws
  // invalid_argument.
  static PlacementRequest parse(std::string_view text);
};

// A byte count that may depend on symbolic sizes.
struct ByteCount {
  int64_t value = 0;       // under the assumed sizes; 0 while not known at all
  std::string expression;  // "4*batch*seq" where symbolic, "?" where data decides, else empty
};

// Time that a node is predicted to take on one device, its copies apart.
struct PredictedTime {
  Device device;
  double seconds = 0;  // of one run: bodies by their trips
};

struct RejectedDevice {
  Device device;
  std::string reason;  // a reason code
  std::string detail;  // the fact behind it: "input 0 is int64"
};

// What a run would take longer (or less, below 0) if this node alone were on `device`, copies
// included. Below 0 only where the request did not let the node choose.
struct MoveCost {
  Device device;
  double seconds = 0;
};

struct NodePlacement {
  std::string name;  // path in the model, through bodies: "/loop/body/Add"
  std::string op;
  Device device;
  std::string reason;  // a reason code (docs/placement.md)
  std::string detail;
  int island = 0;  // neighbours in execution order on one device share a number
  std::vector<RejectedDevice> rejected;
  std::vector<PredictedTime> predicted;  // on each device that can run it
  std::vector<MoveCost> moves;           // to each other device that can run it
  double flops = 0;                      // of one run: bodies by their trips
  double bytes = 0;                      // read and written, as flops
  std::vector<std::string> sources;      // names of the ONNX nodes that it came from
  std::vector<std::string> outputs;      // names and types: "y float32[batch, 4]"
};

struct WeightPlacement {
  std::string name;
  DType dtype = DType::undefined;
  std::string shape;
  int64_t bytes = 0;
  std::vector<Device> homes;  // one upload for each that is not the CPU
};

struct CopyPlacement {
  std::string value;
  Device from, to;
  ByteCount bytes;       // of one time
  std::string when;      // "load", "run", or "trip" (each run of the body that holds it)
  int64_t times = 1;     // in a run, as assumed for trips that nobody knows
  double seconds = 0;    // predicted, of all times
  std::string producer;  // node path; "input" or "weight" where no node writes the value
  std::vector<std::string> consumers;  // node paths; "output" where the caller is one
  // "feed", "weight", "activation", "output", "stream" (a weight that has no room on the device and
  // is brought there in every run); of what the producer's kernel moves for itself, "read_back" (a
  // count that sizes its output) and "table" (uploaded once for given sizes).
  std::string kind;
};

// The memory of a device under the plan, in bytes.
struct MemoryUse {
  int64_t weights = 0;
  int64_t activations = 0;  // the arena's peak, outputs that live there included
  int64_t workspace = 0;    // of kernels
  std::optional<int64_t> limit;
  bool known = true;    // false: some sizes are known only in a run, and are not in it
  std::string problem;  // why nothing is known: no plan can be made for the assumed sizes
  // Activations while each of nodes() runs; empty where sizes are not known.
  std::vector<int64_t> steps;

  int64_t peak() const { return weights + activations + workspace; }
};

struct DevicePlacement {
  Device device;
  std::string name;
  bool simulated = false;
  bool assumed = false;  // not in this machine
  int nodes = 0;
  int64_t weight_bytes = 0;
  std::string profile;  // the name and the source of the numbers behind its times
  MemoryUse memory;
};

// A weight that the limit of a device leaves no room for.
struct SpilledWeight {
  std::string name;
  int64_t bytes = 0;
  Device device;
  bool streamed = false;  // brought there in every run; else its nodes are on the CPU
  double seconds = 0;     // that a run takes longer for it
};

// What a rule of the request did.
struct RuleMatch {
  std::string rule;
  Device device;
  int nodes = 0;
};

// Predicted time of one run: sums of kernels and copies, one after another.
struct Prediction {
  double seconds = 0;  // as placed
  double kernel_seconds = 0, copy_seconds = 0;
  // Of other placements of the same request.
  std::optional<double> device_first_seconds;  // every node on the device that it can run: greedy
  std::optional<double> cpu_seconds;           // every node on the CPU
  // With memory limits that cost time: no placement that keeps them and computes each node once
  // takes less. nullopt without such limits, and where no bound is known (memory.h).
  std::optional<double> lower_bound_seconds;
  std::vector<std::string> profiles;         // names and sources of the numbers behind it
  std::vector<std::string> assumed_symbols;  // sizes that counted as 1 in it
};

// Consecutive sizes for which the placement is the same.
struct PlacedRange {
  int64_t first = 1, last = 1;
  double first_seconds = 0, last_seconds = 0;
  std::map<Device, int> nodes;
};

// What crosses between devices in one run, in all.
struct RunCopies {
  int count = 0;
  int64_t host_to_device = 0, device_to_host = 0, device_to_device = 0;  // bytes
  bool open = false;  // more may cross: data or the number of trips decides

  int64_t bytes() const { return host_to_device + device_to_host + device_to_device; }
};

// What a run measured, for reports that set it beside what was predicted.
struct MeasuredRun {
  struct Step {
    std::string node;  // as NodePlacement::name, or CopyPlacement::value
    bool copy = false;
    Device device;       // that runs it; of a copy, where it goes
    double seconds = 0;  // of all times
    int64_t times = 1;
  };
  std::vector<Step> steps;
  double seconds = 0;
  std::map<Device, int64_t> peak_bytes;  // of devices that count what they hold
};

// The forms of a report.
enum class ReportFormat : uint8_t { text, json, markdown, csv, dot, model_explorer, html };

struct PlacementData;  // placement/placement.h

// Where every node and weight lives and what crosses between devices: what the executor runs and
// what reports show are this one object. Immutable; copies are cheap and share it.
class FERRY_API Placement {
 public:
  Placement() = default;
  explicit Placement(std::shared_ptr<const PlacementData> data) : data_(std::move(data)) {}

  bool defined() const { return data_ != nullptr; }
  const std::string& model() const;  // its name
  const PlacementRequest& request() const;
  const std::vector<NodePlacement>& nodes() const;  // in execution order, bodies after their node
  const std::vector<WeightPlacement>& weights() const;  // in order of name
  const std::vector<CopyPlacement>& copies() const;
  RunCopies run_copies() const;
  const std::vector<DevicePlacement>& devices() const;
  const Prediction& prediction() const;
  const std::vector<RuleMatch>& rules() const;          // in order of the request
  const std::vector<SpilledWeight>& spilled() const;    // in order of spilling
  const std::vector<PlacedRange>& size_ranges() const;  // of PlacementRequest::size_range
  // Symbolic sizes that counted as 1, since the request gave none.
  const std::vector<std::string>& assumed_symbols() const;
  // Of the model's structure: its nodes, types and names, weights' elements apart.
  const std::string& fingerprint() const;

  // Whether the node is on the CPU because no device that was asked for could have it, rather than
  // by choice (host_value, host_port, cheaper_here, pinned) or for control flow.
  bool fell_back(const NodePlacement& node) const;

  // One line: "placed 303/312 nodes on cuda:0; 9 on cpu (7 host_value, 2 no_kernel); 3 copies,
  // 7.4 MiB/run".
  std::string summary() const;
  // For people; not a stable format.
  std::string text() const;
  // Schema ferry.placement/1 (placement/placement.schema.json). Byte-identical for equal input.
  std::string json() const;
  // Reads json() back, of this version or an earlier one, to compare and to show: no Model takes
  // it. `file` names the text in messages. Throws Error invalid_argument, naming the place in the
  // JSON, what was expected there and what came.
  static Placement from_json(std::string_view text, std::string_view file);
  // Any form, with what a run measured where that is given.
  std::string report(ReportFormat format, const MeasuredRun* measured = nullptr) const;
  // The whole story of one node, or of the copies of one value. Throws Error not_found, with the
  // nearest name.
  std::string why(std::string_view node_or_value) const;

  const std::shared_ptr<const PlacementData>& data() const { return data_; }

 private:
  std::shared_ptr<const PlacementData> data_;
};

}  // namespace ferry
