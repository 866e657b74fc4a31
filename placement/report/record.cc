#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "core/checked.h"
#include "placement/placement.h"
#include "placement/solve/assumed_sizes.h"
#include "placement/solve/cost_model.h"
#include "placement/solve/network.h"

namespace ferry {
namespace {

// Fills the report from a placed graph.
class Recorder {
 public:
  Recorder(PlacementData& data, const Decisions& decisions, const Capability& capability,
           const CostModel& costs)
      : data_(data),
        decisions_(decisions),
        capability_(capability),
        costs_(costs),
        sizes_(data.request.dims) {}

  void run() {
    for (const Device device : costs_.devices) record_device(device);
    record_graph(data_.graph, "", "run", 1);
    data_.prediction.kernel_seconds = kernels_ * 1e-12;
    data_.prediction.copy_seconds = copies_ * 1e-12;
    data_.prediction.seconds = (kernels_ + copies_) * 1e-12;
    for (const auto& [name, weight] : weights_) data_.weights.push_back(weight);
    for (const WeightPlacement& weight : data_.weights) {
      for (const Device& home : weight.homes) device_record(home).weight_bytes += weight.bytes;
    }
    std::set<std::string> assumed(sizes_.assumed().begin(), sizes_.assumed().end());
    assumed.insert(data_.prediction.assumed_symbols.begin(),
                   data_.prediction.assumed_symbols.end());
    data_.assumed_symbols.assign(assumed.begin(), assumed.end());
  }

 private:
  // Whole picoseconds, whose sums do not depend on their order.
  static double whole(double seconds) { return std::round(seconds * 1e12); }

  void record_device(Device device) {
    for (const DevicePlacement& known : data_.devices) {
      if (known.device == device) return;
    }
    DevicePlacement record;
    record.device = device;
    record.name = capability_.device_name(device);
    record.simulated = capability_.simulated(device);
    record.assumed = data_.request.assumed_devices.contains(device);
    const DeviceProfile& profile = costs_.profiles[costs_.index_of(device)];
    record.profile = profile.name + ": " + profile.source;
    data_.devices.push_back(std::move(record));
  }

  DevicePlacement& device_record(Device device) {
    record_device(device);
    return *std::ranges::find(data_.devices, device, &DevicePlacement::device);
  }

  void record_graph(const Graph& graph, const std::string& scope, const std::string& when,
                    int64_t times) {
    const auto consumers = graph.consumers();
    for (const NodeId id : graph.order()) {
      const Node& node = graph.node(id);
      record_weights(graph, node);
      if (node.is_copy()) {
        record_copy(graph, node, consumers, scope, when, times);
      } else {
        record_node(graph, node);
        if (!node.device.is_cpu()) record_own_copies(graph, node, scope, when, times);
      }
      if (node.bodies.empty()) continue;
      const int64_t trips = checked_mul(times, trips_of(graph, node, sizes_))
                                .value_or(std::numeric_limits<int64_t>::max());
      for (const auto& body : node.bodies) record_graph(*body, node.name, "trip", trips);
    }
    for (const ValueId id : graph.outputs()) {
      if (graph.value(id).is_constant()) record_weight(graph.value(id));
    }
  }

  void record_node(const Graph& graph, const Node& node) {
    const Decision& decision = decisions_.at(node.name);
    if (data_.nodes.empty() || !(data_.nodes.back().device == node.device)) ++island_;
    NodePlacement record;
    record.name = node.name;
    record.op = node.op;
    record.device = node.device;
    record.reason = std::string(to_string(decision.reason));
    record.detail = decision.detail;
    record.island = island_;
    record.rejected = decision.rejected;
    record.predicted = decision.predicted;
    record.moves = decision.moves;
    record.flops = decision.flops;
    record.bytes = decision.bytes;
    record.sources = node.sources;
    for (const ValueId output : node.outputs) {
      if (output == kNoValue) continue;
      record.outputs.push_back(graph.value(output).name + " " + graph.value(output).type.str());
    }
    const auto here = std::ranges::find(decision.predicted, node.device, &PredictedTime::device);
    if (here != decision.predicted.end()) kernels_ += whole(here->seconds);
    data_.nodes.push_back(std::move(record));
    ++device_record(node.device).nodes;
  }

  void record_weights(const Graph& graph, const Node& node) {
    for (const ValueId id : node.inputs) {
      if (id != kNoValue && graph.value(id).is_constant()) record_weight(graph.value(id));
    }
  }

  void record_weight(const Value& value) {
    std::string name = value.name;
    const std::string suffix = "@" + value.device.str();
    if (!value.device.is_cpu() && name.ends_with(suffix)) name.resize(name.size() - suffix.size());
    WeightPlacement& weight = weights_[name];
    if (std::ranges::find(weight.homes, value.device) != weight.homes.end()) return;
    weight.name = name;
    weight.dtype = value.constant.dtype();
    weight.shape = to_string(std::span(value.constant.shape()));
    weight.bytes = static_cast<int64_t>(value.constant.nbytes());
    weight.homes.push_back(value.device);
    if (value.device.is_cpu()) return;
    CopyPlacement copy;
    copy.value = name;
    copy.from = Device::cpu();
    copy.to = value.device;
    copy.bytes.value = weight.bytes;
    copy.when = "load";
    copy.producer = "weight";
    copy.kind = "weight";
    data_.copies.push_back(std::move(copy));
  }

  void record_copy(const Graph& graph, const Node& node,
                   const std::vector<std::vector<NodeId>>& consumers, const std::string& scope,
                   const std::string& when, int64_t times) {
    const ValueId source = node.inputs[0], there = node.outputs[0];
    const Value& value = graph.value(source);
    CopyPlacement copy;
    copy.value = scoped(scope, value.name);
    copy.from = value.device;
    copy.to = graph.value(there).device;
    copy.bytes = bytes_of(value.type);
    copy.when = when;
    copy.producer = value.producer == kNoNode ? "input" : graph.node(value.producer).name;
    for (const NodeId reader : consumers[there]) copy.consumers.push_back(graph.node(reader).name);
    const bool delivered = graph.is_output(there);
    if (delivered) copy.consumers.push_back("output");
    copy.kind = value.is_constant()         ? "stream"
                : value.producer == kNoNode ? "feed"
                : delivered                 ? "output"
                                            : "activation";
    if (value.is_constant()) copy.producer = "weight";
    set_time(copy, assumed_bytes(value.type, sizes_), times);
    data_.copies.push_back(std::move(copy));
  }

  void set_time(CopyPlacement& copy, double bytes, int64_t times) {
    const int64_t picoseconds =
        costs_.copy(bytes, costs_.index_of(copy.from), costs_.index_of(copy.to));
    copy.times = times;
    copy.seconds = static_cast<double>(picoseconds) * 1e-12 * static_cast<double>(times);
    copies_ += whole(copy.seconds);
  }

  // What the node's kernel moves for itself.
  void record_own_copies(const Graph& graph, const Node& node, const std::string& scope,
                         const std::string& when, int64_t times) {
    const NodeCapability own = capability_.ask(graph, node, node.device);
    const auto output =
        std::ranges::find_if(node.outputs, [](ValueId id) { return id != kNoValue; });
    if (output == node.outputs.end()) return;
    CopyPlacement copy;
    copy.value = scoped(scope, graph.value(*output).name);
    copy.producer = node.name;
    copy.consumers = {node.name};
    if (own.read_back != 0) {
      copy.from = node.device;
      copy.bytes.value = own.read_back;
      copy.when = when;
      copy.kind = "read_back";
      set_time(copy, static_cast<double>(own.read_back), times);
      data_.copies.push_back(copy);
      copy.times = 1;
      copy.seconds = 0;
    }
    if (own.table_bytes != 0) {
      copy.from = Device::cpu();
      copy.to = node.device;
      copy.bytes.value = std::max<int64_t>(0, own.table_bytes);
      if (own.table_bytes < 0) copy.bytes.expression = "?";
      copy.when = reads_data(graph, node, own.host_inputs) ? when : "load";
      copy.kind = "table";
      data_.copies.push_back(std::move(copy));
    }
  }

  // Whether a host port reads what only a run knows.
  static bool reads_data(const Graph& graph, const Node& node, Ports host_inputs) {
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] == kNoValue || !host_inputs.contains(static_cast<int>(i))) continue;
      const Value& value = graph.value(node.inputs[i]);
      if (!value.is_constant() && !value.contents) return true;
    }
    return false;
  }

  static std::string scoped(const std::string& scope, const std::string& name) {
    return scope.empty() ? name : scope + "/" + name;
  }

  ByteCount bytes_of(const Type& type) {
    ByteCount bytes;
    bytes.expression = "?";
    if (!type.shape || type.dtype == DType::undefined) return bytes;
    Dim count(1);
    for (const Dim& dim : *type.shape) count = count * dim;
    if (count.is_unknown()) return bytes;
    const Dim total = ceil_div(count * Dim(dtype_bits(type.dtype)), Dim(8));
    // Sizes may be assumed that are too small for the model, where "seq - 2" is negative.
    bytes.value = std::max<int64_t>(0, sizes_.of(total).value_or(0));
    bytes.expression = total.is_known() ? "" : total.str();
    return bytes;
  }

  PlacementData& data_;
  const Decisions& decisions_;
  const Capability& capability_;
  const CostModel& costs_;
  AssumedSizes sizes_;
  double kernels_ = 0, copies_ = 0;  // picoseconds
  std::map<std::string, WeightPlacement> weights_;
  int island_ = 0;
};

}  // namespace

void record(PlacementData& data, const Decisions& decisions, const Capability& capability,
            const CostModel& costs) {
  Recorder(data, decisions, capability, costs).run();
}

}  // namespace ferry
