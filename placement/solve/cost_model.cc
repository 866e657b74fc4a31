#include "placement/solve/cost_model.h"

#include <algorithm>

#include "ferry/error.h"

namespace ferry {

int CostModel::index_of(Device device) const {
  const auto at = std::ranges::find(devices, device);
  if (at == devices.end()) {
    throw Error(ErrorCode::internal, device.str() + " is none of the devices of the placement.");
  }
  return static_cast<int>(at - devices.begin());
}

std::vector<std::string> CostModel::sources() const {
  std::vector<std::string> out;
  const auto add = [&](const std::string& name, const std::string& source) {
    std::string text = name + ": " + source;
    if (std::ranges::find(out, text) == out.end()) out.push_back(std::move(text));
  };
  for (const DeviceProfile& profile : profiles) add(profile.name, profile.source);
  for (size_t d = 1; d < links.size(); ++d) add(links[d].name, links[d].source);
  return out;
}

int64_t CostModel::copy(double bytes, int from, int to) const {
  if (from == to) return 0;
  int64_t slowest = 0;
  for (const int end : {from, to}) {
    if (end == 0) continue;
    slowest = std::max(slowest, copy_picoseconds(bytes, links[end]));
  }
  return slowest;
}

std::vector<Device> devices_of(const PlacementRequest& request) {
  std::vector<Device> out{Device::cpu()};
  const auto add = [&](Device device) {
    if (std::ranges::find(out, device) == out.end()) out.push_back(device);
  };
  add(request.device);
  for (const Device device : request.more_devices) add(device);
  for (const PlacementRule& rule : request.rules) add(rule.device);
  add(request.outputs_on);
  constexpr size_t kMost = 32;  // a set of devices is one word
  if (out.size() > kMost) {
    throw Error(ErrorCode::invalid_argument, std::to_string(out.size()) +
                                                 " devices are asked for; at most " +
                                                 std::to_string(kMost) + " can share a model.");
  }
  return out;
}

CostModel cost_model_of(const PlacementRequest& request, const Capability& capability) {
  const Profiles known = Profiles::load(request.profiles);
  CostModel model;
  model.devices = devices_of(request);
  for (const Device device : model.devices) {
    const auto assumed = request.assumed_devices.find(device);
    if (assumed == request.assumed_devices.end()) {
      const std::string name = capability.device_name(device);
      model.profiles.push_back(known.device(name, device.is_cpu()));
      model.links.push_back(device.is_cpu() ? LinkProfile() : known.link(name));
    } else {
      const AssumedDevice& card = assumed->second;
      model.profiles.push_back(known.named(card.profile));
      model.links.push_back(
          known.link_named(card.link.empty() ? model.profiles.back().link : card.link));
    }
  }
  return model;
}

}  // namespace ferry
