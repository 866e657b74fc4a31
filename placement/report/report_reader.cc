#include "placement/report/report_reader.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ferry/error.h"
#include "placement/report/json_value.h"

namespace ferry {
namespace {

constexpr std::string_view kSchema = "ferry.placement/1";
constexpr size_t kMostBytes = size_t{512} << 20;
constexpr int64_t kMostInteger = std::numeric_limits<int64_t>::max();
constexpr double kMostSeconds = 1e18;
constexpr double kMostOperations = 1e30;

int64_t count(const JsonValue& json) { return json.integer(0, kMostInteger); }
int small_count(const JsonValue& json) {
  return static_cast<int>(json.integer(0, std::numeric_limits<int>::max()));
}
double seconds(const JsonValue& json) { return json.number(-kMostSeconds, kMostSeconds); }

std::vector<std::string> texts(const JsonValue& json) {
  std::vector<std::string> out;
  for (const JsonValue& item : json.items()) out.push_back(item.any_text());
  return out;
}

std::vector<Device> devices(const JsonValue& json) {
  std::vector<Device> out;
  for (const JsonValue& item : json.items()) out.push_back(item.device());
  return out;
}

// Where `json` has the member, `target` becomes what `read` makes of it.
template <typename T, typename Read>
void read_optional(const JsonValue& json, std::string_view key, T& target, Read read) {
  if (const std::optional<JsonValue> value = json.find(key)) target = read(*value);
}

template <typename Read>
auto list(const JsonValue& json, Read read) {
  std::vector<decltype(read(json))> out;
  for (const JsonValue& item : json.items()) out.push_back(read(item));
  return out;
}

bool flag(const JsonValue& json) { return json.boolean(); }
std::string any_text(const JsonValue& json) { return json.any_text(); }

// A member of `json` that is named after a device.
Device device_named(const std::string& name, const JsonValue& json) {
  try {
    return Device(name);
  } catch (const Error& error) {
    json.refuse("members named after devices", " " + error.message());
  }
}

// An object of seconds by device.
template <typename T>
void read_seconds(const JsonValue& json, std::string_view key, std::vector<T>& target) {
  const std::optional<JsonValue> times = json.find(key);
  if (!times) return;
  for (const auto& [device, time] : times->members()) {
    target.push_back({device_named(device, *times), seconds(time)});
  }
}

PlacementRequest request_of(const JsonValue& json) {
  PlacementRequest request;
  request.device = json.member("device").device();
  read_optional(json, "more_devices", request.more_devices, devices);
  const JsonValue fallback = json.member("fallback");
  request.cpu_fallback = fallback.text() == "cpu";
  if (!request.cpu_fallback && fallback.text() != "error") fallback.refuse("cpu or error");
  read_optional(json, "policy", request.policy, [](const JsonValue& policy) {
    try {
      return policy_from_string(policy.text());
    } catch (const Error&) {  // told with its place
      policy.refuse("device_first or fastest");
    }
  });
  read_optional(json, "outputs_on", request.outputs_on,
                [](const JsonValue& device) { return device.device(); });
  if (const auto dims = json.find("dims")) {
    for (const auto& [name, size] : dims->members()) request.dims[name] = count(size);
  }
  return request;
}

MemoryUse memory_of(const JsonValue& json) {
  MemoryUse memory;
  read_optional(json, "weights", memory.weights, count);
  read_optional(json, "activations", memory.activations, count);
  read_optional(json, "workspace", memory.workspace, count);
  read_optional(json, "limit", memory.limit, count);
  read_optional(json, "known", memory.known, flag);
  read_optional(json, "problem", memory.problem, any_text);
  read_optional(json, "steps", memory.steps,
                [](const JsonValue& steps) { return list(steps, count); });
  return memory;
}

DevicePlacement device_of(const JsonValue& json) {
  DevicePlacement device;
  device.device = json.member("id").device();
  device.name = json.member("name").any_text();
  device.simulated = json.member("simulated").boolean();
  read_optional(json, "assumed", device.assumed, flag);
  device.nodes = small_count(json.member("nodes"));
  device.weight_bytes = count(json.member("weight_bytes"));
  read_optional(json, "profile", device.profile, any_text);
  read_optional(json, "memory", device.memory, memory_of);
  return device;
}

NodePlacement node_of(const JsonValue& json) {
  NodePlacement node;
  node.name = json.member("name").text();
  node.op = json.member("op").text();
  node.device = json.member("device").device();
  node.island = small_count(json.member("island"));
  const JsonValue reason = json.member("reason");
  node.reason = reason.member("code").text();
  node.detail = reason.member("detail").any_text();
  node.rejected = list(json.member("rejected"), [](const JsonValue& item) {
    return RejectedDevice{item.member("device").device(), item.member("code").text(),
                          item.member("detail").any_text()};
  });
  node.sources = texts(json.member("sources"));
  read_optional(json, "outputs", node.outputs, texts);
  read_seconds(json, "predicted_seconds", node.predicted);
  read_seconds(json, "move_seconds", node.moves);
  const auto operations = [](const JsonValue& number) { return number.number(0, kMostOperations); };
  read_optional(json, "flops", node.flops, operations);
  read_optional(json, "bytes", node.bytes, operations);
  return node;
}

WeightPlacement weight_of(const JsonValue& json) {
  WeightPlacement weight;
  weight.name = json.member("name").any_text();
  const JsonValue dtype = json.member("dtype");
  try {
    weight.dtype = dtype_from_string(dtype.text());
  } catch (const Error& error) {
    dtype.refuse("an element type", " " + error.message());
  }
  weight.shape = json.member("shape").text();
  weight.bytes = count(json.member("bytes"));
  weight.homes = devices(json.member("homes"));
  return weight;
}

CopyPlacement copy_of(const JsonValue& json) {
  CopyPlacement copy;
  copy.value = json.member("value").any_text();
  copy.from = json.member("from").device();
  copy.to = json.member("to").device();
  if (copy.from == copy.to) json.member("to").refuse("another device than 'from'");
  const JsonValue bytes = json.member("bytes");
  copy.bytes.value = count(bytes.member("value"));
  read_optional(bytes, "expression", copy.bytes.expression, any_text);
  const JsonValue when = json.member("when");
  copy.when = when.text();
  if (copy.when != "load" && copy.when != "run" && copy.when != "trip") {
    when.refuse("load, run or trip");
  }
  copy.kind = json.member("kind").text();
  copy.producer = json.member("producer").any_text();
  copy.consumers = texts(json.member("consumers"));
  read_optional(json, "times", copy.times, count);
  read_optional(json, "seconds", copy.seconds, seconds);
  return copy;
}

Prediction prediction_of(const JsonValue& json) {
  Prediction prediction;
  prediction.seconds = seconds(json.member("seconds"));
  read_optional(json, "kernel_seconds", prediction.kernel_seconds, seconds);
  read_optional(json, "copy_seconds", prediction.copy_seconds, seconds);
  read_optional(json, "device_first_seconds", prediction.device_first_seconds, seconds);
  read_optional(json, "cpu_seconds", prediction.cpu_seconds, seconds);
  read_optional(json, "lower_bound_seconds", prediction.lower_bound_seconds, seconds);
  read_optional(json, "profiles", prediction.profiles, texts);
  return prediction;
}

}  // namespace

bool is_report(const JsonValue& json) { return json.is_object() && json.find("schema"); }

std::shared_ptr<PlacementData> read_report(const JsonValue& json) {
  auto data = std::make_shared<PlacementData>();
  const JsonValue schema = json.member("schema");
  if (schema.text() != kSchema) schema.refuse("\"" + std::string(kSchema) + "\"");
  const JsonValue model = json.member("model");
  data->model = model.member("name").any_text();
  for (const auto& [domain, version] : model.member("opset").members()) {
    data->graph.opsets[domain] = count(version);
  }
  read_optional(model, "fingerprint", data->fingerprint, any_text);
  data->request = request_of(json.member("request"));
  read_optional(json, "assumed_symbols", data->assumed_symbols, texts);
  data->devices = list(json.member("devices"), device_of);
  std::set<std::string> names;
  for (const JsonValue& item : json.member("nodes").items()) {
    data->nodes.push_back(node_of(item));
    if (!names.insert(data->nodes.back().name).second) {
      item.member("name").refuse("a name that no other node has");
    }
  }
  data->weights = list(json.member("weights"), weight_of);
  data->copies = list(json.member("copies"), copy_of);
  read_optional(json, "prediction", data->prediction, prediction_of);
  return data;
}

std::shared_ptr<PlacementData> read_report(std::string_view text, std::string_view file) {
  const nlohmann::json json = parse_json(text, file, kMostBytes);
  const JsonValue value(json, file);
  if (!is_report(value)) value.refuse("a placement report, with \"schema\"");
  return read_report(value);
}

Placement Placement::from_json(std::string_view text, std::string_view file) {
  return Placement(read_report(text, file));
}

}  // namespace ferry
