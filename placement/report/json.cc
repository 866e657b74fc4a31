#include <map>
#include <optional>
#include <string>
#include <vector>

#include "placement/report/facts.h"
#include "placement/report/json_writer.h"
#include "placement/report/report.h"

namespace ferry {
namespace {

// Writes the report member by member; placement.schema.json says what each is. What a placement
// does not know is left out rather than written as 0.
class ReportWriter {
 public:
  ReportWriter(const PlacementData& data, const MeasuredRun* measured, JsonForm form)
      : data_(data),
        measured_(measured),
        json_(form == JsonForm::lines ? JsonWriter::Form::lines : JsonWriter::Form::compact) {}

  std::string write() && {
    json_.begin_object();
    json_.member("schema", "ferry.placement/1");
    model();
    request();
    json_.member("assumed_symbols", data_.assumed_symbols);
    list("devices", data_.devices, &ReportWriter::device);
    list("nodes", data_.nodes, &ReportWriter::node);
    list("weights", data_.weights, &ReportWriter::weight);
    list("copies", data_.copies, &ReportWriter::copy);
    run_copies();
    prediction();
    if (!data_.rules.empty()) list("rules", data_.rules, &ReportWriter::rule);
    if (!data_.spilled.empty()) list("spilled", data_.spilled, &ReportWriter::spilled);
    if (!data_.size_ranges.empty()) list("size_ranges", data_.size_ranges, &ReportWriter::range);
    if (measured_) measured_run();
    json_.end_object();
    return std::move(json_).text();
  }

 private:
  template <typename T>
  void list(std::string_view name, const std::vector<T>& items,
            void (ReportWriter::*write_item)(const T&)) {
    json_.key(name);
    json_.begin_array();
    for (const T& item : items) {
      json_.begin_object();
      (this->*write_item)(item);
      json_.end_object();
    }
    json_.end_array();
  }

  // An object with a member for each device.
  template <typename T>
  void by_device(std::string_view name, const T& items, auto value_of, auto device_of) {
    if (items.empty()) return;
    json_.key(name);
    json_.begin_object();
    for (const auto& item : items) json_.member(device_of(item).str(), value_of(item));
    json_.end_object();
  }
  template <typename T>
  void by_device(std::string_view name, const std::map<Device, T>& items) {
    by_device(
        name, items, [](const auto& item) { return item.second; },
        [](const auto& item) { return item.first; });
  }
  template <typename T>
  void seconds_by_device(std::string_view name, const std::vector<T>& items) {
    by_device(
        name, items, [](const T& item) { return item.seconds; },
        [](const T& item) { return item.device; });
  }

  void optional(std::string_view name, const std::optional<double>& number) {
    if (number) json_.member(name, *number);
  }

  void model() {
    json_.key("model");
    json_.begin_object();
    json_.member("name", data_.model);
    json_.key("opset");
    json_.begin_object();
    for (const auto& [domain, version] : data_.graph.opsets) json_.member(domain, version);
    json_.end_object();
    if (!data_.fingerprint.empty()) json_.member("fingerprint", data_.fingerprint);
    json_.end_object();
  }

  void request() {
    const PlacementRequest& request = data_.request;
    json_.key("request");
    json_.begin_object();
    json_.member("device", request.device.str());
    if (!request.more_devices.empty()) {
      std::vector<std::string> more;
      for (const Device& device : request.more_devices) more.push_back(device.str());
      json_.member("more_devices", more);
    }
    json_.member("fallback", request.cpu_fallback ? "cpu" : "error");
    json_.member("policy", to_string(request.policy));
    json_.member("outputs_on", request.outputs_on.str());
    json_.key("dims");
    json_.begin_object();
    for (const auto& [name, size] : request.dims) json_.member(name, size);
    json_.end_object();
    if (request.min_island > 1) json_.member("min_island", request.min_island);
    by_device("memory_limits", request.memory_limits);
    if (request.size_range) {
      json_.key("size_range");
      json_.begin_object();
      json_.member("symbol", request.size_range->symbol);
      json_.member("first", request.size_range->first);
      json_.member("last", request.size_range->last);
      json_.end_object();
    }
    if (!request.assumed_devices.empty()) {
      json_.key("assumed_devices");
      json_.begin_object();
      for (const auto& [device, assumed] : request.assumed_devices) {
        json_.key(device.str());
        json_.begin_object();
        json_.member("profile", assumed.profile);
        json_.member("memory_bytes", assumed.memory_bytes);
        if (!assumed.link.empty()) json_.member("link", assumed.link);
        json_.end_object();
      }
      json_.end_object();
    }
    json_.end_object();
  }

  void device(const DevicePlacement& device) {
    json_.member("id", device.device.str());
    json_.member("name", device.name);
    json_.member("simulated", device.simulated);
    json_.member("assumed", device.assumed);
    json_.member("nodes", device.nodes);
    json_.member("weight_bytes", device.weight_bytes);
    if (!device.profile.empty()) json_.member("profile", device.profile);
    const MemoryUse& memory = device.memory;
    json_.key("memory");
    json_.begin_object();
    json_.member("weights", memory.weights);
    json_.member("activations", memory.activations);
    json_.member("workspace", memory.workspace);
    json_.member("peak", memory.peak());
    if (memory.limit) json_.member("limit", *memory.limit);
    json_.member("known", memory.known);
    if (!memory.problem.empty()) json_.member("problem", memory.problem);
    if (!memory.steps.empty()) json_.member("steps", memory.steps);
    json_.end_object();
  }

  void node(const NodePlacement& node) {
    json_.member("name", node.name);
    json_.member("op", node.op);
    json_.member("device", node.device.str());
    json_.member("island", node.island);
    json_.key("reason");
    json_.begin_object();
    json_.member("code", node.reason);
    json_.member("detail", node.detail);
    json_.end_object();
    list("rejected", node.rejected, &ReportWriter::rejected);
    json_.member("sources", node.sources);
    if (!node.outputs.empty()) json_.member("outputs", node.outputs);
    seconds_by_device("predicted_seconds", node.predicted);
    seconds_by_device("move_seconds", node.moves);
    if (node.flops > 0) json_.member("flops", node.flops);
    if (node.bytes > 0) json_.member("bytes", node.bytes);
    measured(own_seconds(node), measured_.node(node.name));
  }

  void rejected(const RejectedDevice& rejected) {
    json_.member("device", rejected.device.str());
    json_.member("code", rejected.reason);
    json_.member("detail", rejected.detail);
  }

  void weight(const WeightPlacement& weight) {
    std::vector<std::string> homes;
    for (const Device& home : weight.homes) homes.push_back(home.str());
    json_.member("name", weight.name);
    json_.member("dtype", to_string(weight.dtype));
    json_.member("shape", weight.shape);
    json_.member("bytes", weight.bytes);
    json_.member("homes", homes);
  }

  void copy(const CopyPlacement& copy) {
    json_.member("value", copy.value);
    json_.member("from", copy.from.str());
    json_.member("to", copy.to.str());
    json_.key("bytes");
    json_.begin_object();
    json_.member("value", copy.bytes.value);
    if (!copy.bytes.expression.empty()) json_.member("expression", copy.bytes.expression);
    json_.end_object();
    json_.member("when", copy.when);
    json_.member("kind", copy.kind);
    json_.member("producer", copy.producer);
    json_.member("consumers", copy.consumers);
    json_.member("times", copy.times);
    if (copy.seconds > 0) json_.member("seconds", copy.seconds);
    measured(copy.seconds > 0 ? std::optional(copy.seconds) : std::nullopt, measured_.copy(copy));
  }

  // What a run took, and how far that is from the prediction as a part of it.
  void measured(const std::optional<double>& predicted, const std::optional<double>& seconds) {
    if (!seconds) return;
    json_.key("measured");
    json_.begin_object();
    json_.member("seconds", *seconds);
    if (predicted && *predicted > 0) json_.member("error", (*seconds - *predicted) / *predicted);
    json_.end_object();
  }

  void run_copies() {
    const RunCopies copies = ferry::run_copies(data_);
    json_.key("run_copies");
    json_.begin_object();
    json_.member("count", copies.count);
    json_.member("host_to_device", copies.host_to_device);
    json_.member("device_to_host", copies.device_to_host);
    json_.member("device_to_device", copies.device_to_device);
    json_.member("open", copies.open);
    json_.end_object();
  }

  void prediction() {
    const Prediction& predicted = data_.prediction;
    if (predicted.profiles.empty() && predicted.seconds <= 0) return;
    json_.key("prediction");
    json_.begin_object();
    json_.member("seconds", predicted.seconds);
    if (predicted.kernel_seconds > 0) {
      json_.member("kernel_seconds", predicted.kernel_seconds);
      json_.member("copy_seconds", predicted.copy_seconds);
    }
    optional("device_first_seconds", predicted.device_first_seconds);
    optional("cpu_seconds", predicted.cpu_seconds);
    optional("lower_bound_seconds", predicted.lower_bound_seconds);
    json_.member("profiles", predicted.profiles);
    json_.end_object();
  }

  void rule(const RuleMatch& rule) {
    json_.member("rule", rule.rule);
    json_.member("device", rule.device.str());
    json_.member("nodes", rule.nodes);
  }

  void spilled(const SpilledWeight& weight) {
    json_.member("name", weight.name);
    json_.member("bytes", weight.bytes);
    json_.member("device", weight.device.str());
    json_.member("streamed", weight.streamed);
    json_.member("seconds", weight.seconds);
  }

  void range(const PlacedRange& range) {
    json_.member("first", range.first);
    json_.member("last", range.last);
    json_.member("first_seconds", range.first_seconds);
    json_.member("last_seconds", range.last_seconds);
    by_device("nodes", range.nodes);
  }

  void measured_run() {
    json_.key("measured");
    json_.begin_object();
    const double seconds = measured_.run().seconds, predicted = data_.prediction.seconds;
    json_.member("seconds", seconds);
    if (predicted > 0) json_.member("error", (seconds - predicted) / predicted);
    json_.member("kernel_seconds", measured_.kernel_seconds());
    json_.member("copy_seconds", measured_.copy_seconds());
    by_device("peak_bytes", measured_.run().peak_bytes);
    json_.end_object();
  }

  const PlacementData& data_;
  const Measured measured_;
  JsonWriter json_;
};

}  // namespace

std::string placement_json(const PlacementData& data, const MeasuredRun* measured, JsonForm form) {
  std::string text = ReportWriter(data, measured, form).write();
  return form == JsonForm::lines ? text + "\n" : text;
}

}  // namespace ferry
