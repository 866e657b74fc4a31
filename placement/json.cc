#include <nlohmann/json.hpp>

#include "placement/placement.h"

namespace ferry {
namespace {

using Json = nlohmann::ordered_json;

Json bytes_json(const ByteCount& bytes) {
  Json out{{"value", bytes.value}};
  if (!bytes.expression.empty()) out["expression"] = bytes.expression;
  return out;
}

Json device_json(const DevicePlacement& device) {
  return {{"id", device.device.str()},
          {"name", device.name},
          {"simulated", device.simulated},
          {"nodes", device.nodes},
          {"weight_bytes", device.weight_bytes}};
}

Json node_json(const NodePlacement& node) {
  Json rejected = Json::array();
  for (const RejectedDevice& r : node.rejected) {
    rejected.push_back({{"device", r.device.str()}, {"code", r.reason}, {"detail", r.detail}});
  }
  Json out{{"name", node.name},
           {"op", node.op},
           {"device", node.device.str()},
           {"island", node.island},
           {"reason", {{"code", node.reason}, {"detail", node.detail}}},
           {"rejected", std::move(rejected)},
           {"sources", node.sources}};
  for (const PredictedTime& time : node.predicted) {
    out["predicted_seconds"][time.device.str()] = time.seconds;
  }
  return out;
}

Json weight_json(const WeightPlacement& weight) {
  Json homes = Json::array();
  for (const Device& home : weight.homes) homes.push_back(home.str());
  return {{"name", weight.name},
          {"dtype", to_string(weight.dtype)},
          {"shape", weight.shape},
          {"bytes", weight.bytes},
          {"homes", std::move(homes)}};
}

Json copy_json(const CopyPlacement& copy) {
  return {{"value", copy.value},       {"from", copy.from.str()},
          {"to", copy.to.str()},       {"bytes", bytes_json(copy.bytes)},
          {"when", copy.when},         {"kind", copy.kind},
          {"producer", copy.producer}, {"consumers", copy.consumers}};
}

template <typename T, typename F>
Json list(const std::vector<T>& items, F item_json) {
  Json out = Json::array();
  for (const T& item : items) out.push_back(item_json(item));
  return out;
}

}  // namespace

std::string placement_json(const PlacementData& data) {
  Json opsets = Json::object();
  for (const auto& [domain, version] : data.graph.opsets) opsets[domain] = version;
  Json dims = Json::object();
  for (const auto& [name, size] : data.request.dims) dims[name] = size;
  Json out{
      {"schema", "ferry.placement/1"},
      {"model", {{"name", data.model}, {"opset", std::move(opsets)}}},
      {"request",
       {{"device", data.request.device.str()},
        {"fallback", data.request.cpu_fallback ? "cpu" : "error"},
        {"policy", to_string(data.request.policy)},
        {"outputs_on", data.request.outputs_on.str()},
        {"dims", std::move(dims)}}},
      {"assumed_symbols", data.assumed_symbols},
      {"devices", list(data.devices, device_json)},
      {"nodes", list(data.nodes, node_json)},
      {"weights", list(data.weights, weight_json)},
      {"copies", list(data.copies, copy_json)},
  };
  if (data.prediction.device_first_seconds) {
    out["prediction"] = {{"seconds", data.prediction.seconds},
                         {"device_first_seconds", *data.prediction.device_first_seconds},
                         {"profiles", data.prediction.profiles}};
  }
  return out.dump(2) + "\n";
}

}  // namespace ferry
