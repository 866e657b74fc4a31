#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "placement/cost.h"

namespace ferry {
namespace embedded {
extern const std::string_view profiles;  // placement/profiles.json
}

namespace {

using Json = nlohmann::json;

constexpr std::string_view kUnlistedGpu = "A10";
constexpr std::string_view kLink = "PCIe 4 x16";

const Json& data() {
  static const Json json = Json::parse(embedded::profiles);
  return json;
}

DeviceProfile read_device(const Json& json) {
  DeviceProfile profile;
  profile.name = json.at("name");
  profile.source = json.at("source");
  for (const auto& [dtype, rate] : json.at("flops").items()) {
    profile.flops[dtype_from_string(dtype)] = rate;
  }
  profile.bytes_per_second = json.at("bytes_per_second");
  profile.launch_seconds = json.at("launch_seconds");
  return profile;
}

const Json& named(const Json& list, std::string_view name) {
  return *std::ranges::find_if(list, [&](const Json& entry) { return entry.at("name") == name; });
}

}  // namespace

DeviceProfile profile_of(std::string_view device_name, bool is_cpu) {
  for (const Json& entry : data().at("devices")) {
    for (const Json& match : entry.at("match")) {
      if (device_name.find(match.get<std::string_view>()) == device_name.npos) continue;
      DeviceProfile profile = read_device(entry);
      if (entry.value("per_core", false)) {
        int cores = 1;
        std::from_chars(device_name.data(), device_name.data() + device_name.size(), cores);
        for (auto& [dtype, rate] : profile.flops) rate *= std::max(1, cores);
      }
      return profile;
    }
  }
  DeviceProfile profile =
      read_device(named(data().at("devices"), is_cpu ? "generic cpu" : kUnlistedGpu));
  profile.source = "assumed: '" + std::string(device_name) + "' has no profile. " + profile.source;
  return profile;
}

LinkProfile default_link() {
  const Json& json = named(data().at("links"), kLink);
  return {json.at("name"), json.at("source"), json.at("bytes_per_second"),
          json.at("latency_seconds")};
}

}  // namespace ferry
