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
  device_first,  // every node that the device can run runs there
  fastest,       // the one with the least predicted time of kernels and copies
};

FERRY_API std::string_view to_string(PlacementPolicy policy);
// Throws invalid_argument, with the nearest word, for any other text.
FERRY_API PlacementPolicy policy_from_string(std::string_view text);

// What is asked of placement.
struct FERRY_API PlacementRequest {
  Device device;  // where compute should run

  // Without it, a node that `device` cannot run is an Error (placement) that lists every such node
  // and why. With it, such nodes run on the CPU and the report says so. Host values (shape
  // arithmetic and the like) are on the CPU either way.
  bool cpu_fallback = false;

  // `fastest` needs cpu_fallback: without it the device is not a choice (invalid_argument).
  PlacementPolicy policy = PlacementPolicy::device_first;

  // Where the outputs are delivered, strings excepted, which are always on the CPU; the copies for
  // that are part of the plan.
  Device outputs_on;

  // Sizes for symbolic dimensions, for the bytes and times of the report. Symbols without one count
  // as 1, and the report lists them.
  std::map<std::string, int64_t> dims;

  // For tests: every node goes to `device` or the CPU by a hash of this seed and its name, among
  // those that support it.
  std::optional<uint64_t> random_seed;

  // Parses "cpu", "cuda:0" (strict) and "cuda:0,cpu" (with fallback). Throws invalid_argument.
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
  double seconds = 0;
};

struct RejectedDevice {
  Device device;
  std::string reason;  // a reason code
  std::string detail;  // the fact behind it: "input 0 is int64"
};

struct NodePlacement {
  std::string name;  // path in the model, through bodies: "/loop/body/Add"
  std::string op;
  Device device;
  std::string reason;  // a reason code (docs/placement.md)
  std::string detail;
  int island = 0;  // neighbours in execution order on one device share a number
  std::vector<RejectedDevice> rejected;
  std::vector<PredictedTime> predicted;  // of one run, bodies by their trips; policy fastest only
  std::vector<std::string> sources;      // names of the ONNX nodes that it came from
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
  ByteCount bytes;
  std::string when;      // "load", "run", or "trip" (each run of the body that holds it)
  std::string producer;  // node path; "input" or "weight" where no node writes the value
  std::vector<std::string> consumers;  // node paths; "output" where the caller is one
  // "feed", "weight", "activation", "output"; of what the producer's kernel moves for itself,
  // "read_back" (a count that sizes its output) and "table" (uploaded once for given sizes).
  std::string kind;
};

struct DevicePlacement {
  Device device;
  std::string name;
  bool simulated = false;
  int nodes = 0;
  int64_t weight_bytes = 0;
};

// What the policy `fastest` weighed: sums of kernels and copies, one after another.
struct Prediction {
  double seconds = 0;                        // of one run as placed
  double device_first_seconds = 0;           // with every node on the device that it can run
  std::vector<std::string> profiles;         // names and sources of the numbers behind it
  std::vector<std::string> assumed_symbols;  // sizes that counted as 1 in it
};

// What crosses between devices in one run, in all.
struct RunCopies {
  int count = 0;
  int64_t host_to_device = 0, device_to_host = 0, device_to_device = 0;  // bytes
  bool open = false;  // more may cross: data or the number of trips decides

  int64_t bytes() const { return host_to_device + device_to_host + device_to_device; }
};

struct PlacementData;  // placement/placement.h

// Where every node and weight lives and what crosses between devices: what the executor runs and
// what reports show are this one object. Immutable; copies are cheap and share it.
class FERRY_API Placement {
 public:
  Placement() = default;
  explicit Placement(std::shared_ptr<const PlacementData> data) : data_(std::move(data)) {}

  bool defined() const { return data_ != nullptr; }
  const PlacementRequest& request() const;
  const std::vector<NodePlacement>& nodes() const;  // in execution order, bodies after their node
  const std::vector<WeightPlacement>& weights() const;  // in order of name
  const std::vector<CopyPlacement>& copies() const;
  RunCopies run_copies() const;
  const std::vector<DevicePlacement>& devices() const;
  // nullopt unless the policy was `fastest`.
  const std::optional<Prediction>& prediction() const;
  // Symbolic sizes that counted as 1, since the request gave none.
  const std::vector<std::string>& assumed_symbols() const;

  // One line: "placed 303/312 nodes on cuda:0; 9 on cpu (7 host_value, 2 no_kernel); 3 copies,
  // 7.4 MiB/run".
  std::string summary() const;
  // For people; not a stable format.
  std::string text() const;
  // Schema ferry.placement/1 (placement/placement.schema.json). Byte-identical for equal input.
  std::string json() const;

  const std::shared_ptr<const PlacementData>& data() const { return data_; }

 private:
  std::shared_ptr<const PlacementData> data_;
};

}  // namespace ferry
