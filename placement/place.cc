#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "core/nearest.h"
#include "ferry/error.h"
#include "placement/assumed_sizes.h"
#include "placement/placement.h"

namespace ferry {

PlacementRequest PlacementRequest::parse(std::string_view text) {
  PlacementRequest request;
  const size_t comma = text.find(',');
  request.device = Device(text.substr(0, comma));
  if (comma != std::string_view::npos) {
    if (text.substr(comma + 1) != "cpu") {
      throw Error(ErrorCode::invalid_argument,
                  "'" + std::string(text) + "': after the comma only cpu can stand, the device " +
                      "that unsupported nodes fall back to.");
    }
    request.cpu_fallback = true;
  }
  return request;
}

namespace {

constexpr std::pair<PlacementPolicy, std::string_view> kPolicies[] = {
    {PlacementPolicy::device_first, "device_first"}, {PlacementPolicy::fastest, "fastest"}};

}  // namespace

std::string_view to_string(PlacementPolicy policy) {
  return std::ranges::find(kPolicies, policy, [](const auto& entry) { return entry.first; })
      ->second;
}

PlacementPolicy policy_from_string(std::string_view text) {
  std::vector<std::string> words;
  for (const auto& [policy, word] : kPolicies) {
    if (word == text) return policy;
    words.emplace_back(word);
  }
  throw Error(ErrorCode::invalid_argument,
              "'" + std::string(text) +
                  "' is no placement policy: expected device_first or fastest." +
                  did_you_mean(text, words));
}

namespace {

// Fills the report from a placed graph.
class Recorder {
 public:
  Recorder(PlacementData& data, const Decisions& decisions, const Capability& capability)
      : data_(data), decisions_(decisions), capability_(capability), sizes_(data.request.dims) {}

  void run() {
    record_device(Device::cpu());
    record_device(data_.request.device);
    record_graph(data_.graph, "", "run");
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
  void record_device(Device device) {
    for (const DevicePlacement& known : data_.devices) {
      if (known.device == device) return;
    }
    DevicePlacement record;
    record.device = device;
    record.name = capability_.device_name(device);
    record.simulated = capability_.simulated(device);
    data_.devices.push_back(std::move(record));
  }

  DevicePlacement& device_record(Device device) {
    record_device(device);
    return *std::ranges::find(data_.devices, device, &DevicePlacement::device);
  }

  void record_graph(const Graph& graph, const std::string& scope, const std::string& when) {
    const auto consumers = graph.consumers();
    for (const NodeId id : graph.order()) {
      const Node& node = graph.node(id);
      record_weights(graph, node);
      if (node.op == kCopyOp) {
        record_copy(graph, node, consumers, scope, when);
      } else {
        record_node(node);
        if (!node.device.is_cpu()) record_own_copies(graph, node, scope, when);
      }
      for (const auto& body : node.bodies) record_graph(*body, node.name, "trip");
    }
    for (const ValueId id : graph.outputs()) {
      if (graph.value(id).is_constant()) record_weight(graph.value(id));
    }
  }

  void record_node(const Node& node) {
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
    record.sources = node.sources;
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
                   const std::string& when) {
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
    copy.kind = value.producer == kNoNode ? "feed" : delivered ? "output" : "activation";
    data_.copies.push_back(std::move(copy));
  }

  // What the node's kernel moves for itself.
  void record_own_copies(const Graph& graph, const Node& node, const std::string& scope,
                         const std::string& when) {
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
      data_.copies.push_back(copy);
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
    bytes.value = sizes_.of(total).value_or(0);
    bytes.expression = total.is_known() ? "" : total.str();
    return bytes;
  }

  PlacementData& data_;
  const Decisions& decisions_;
  const Capability& capability_;
  AssumedSizes sizes_;
  std::map<std::string, WeightPlacement> weights_;
  int island_ = 0;
};

}  // namespace

Placement place(const Graph& graph, const PlacementRequest& request, const Capability& capability) {
  auto data = std::make_shared<PlacementData>();
  data->graph = clone(graph);
  data->request = request;
  data->model = graph.name;
  const Decisions decisions = assign_devices(data->graph, request, capability, &data->prediction);
  verify(data->graph, "assign_devices");
  insert_copies(data->graph, request, capability);
  verify(data->graph, "insert_copies");
  elide_copies(data->graph);
  verify(data->graph, "elide_copies");
  Recorder(*data, decisions, capability).run();
  return Placement(std::move(data));
}

const PlacementRequest& Placement::request() const { return data_->request; }
const std::vector<NodePlacement>& Placement::nodes() const { return data_->nodes; }
const std::vector<WeightPlacement>& Placement::weights() const { return data_->weights; }
const std::vector<CopyPlacement>& Placement::copies() const { return data_->copies; }
const std::vector<DevicePlacement>& Placement::devices() const { return data_->devices; }
RunCopies Placement::run_copies() const { return ferry::run_copies(*data_); }
const Prediction& Placement::prediction() const { return data_->prediction; }
const std::vector<RuleMatch>& Placement::rules() const { return data_->rules; }
const std::vector<SpilledWeight>& Placement::spilled() const { return data_->spilled; }
const std::vector<PlacedRange>& Placement::size_ranges() const { return data_->size_ranges; }
const std::string& Placement::fingerprint() const { return data_->fingerprint; }
const std::vector<std::string>& Placement::assumed_symbols() const {
  return data_->assumed_symbols;
}

}  // namespace ferry
