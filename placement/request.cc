#include <algorithm>
#include <utility>

#include "core/nearest.h"
#include "ferry/error.h"
#include "ferry/placement.h"

namespace ferry {

PlacementRequest PlacementRequest::parse(std::string_view text) {
  PlacementRequest request;
  const std::string whole(text);
  for (size_t start = 0; start <= text.size();) {
    const size_t end = std::min(text.find(',', start), text.size());
    const Device device(text.substr(start, end - start));
    const bool is_first = start == 0;
    start = end + 1;
    if (request.cpu_fallback) {
      throw Error(ErrorCode::invalid_argument,
                  "'" + whole + "': cpu, where the rest goes, comes last and once.");
    }
    if (is_first) {
      request.device = device;
    } else if (device.is_cpu() && !request.device.is_cpu()) {
      request.cpu_fallback = true;
    } else if (request.device.is_cpu() || device == request.device ||
               std::ranges::find(request.more_devices, device) != request.more_devices.end()) {
      throw Error(ErrorCode::invalid_argument,
                  "'" + whole +
                      "': expected a device and what else may share its work, each once, " +
                      "as in 'cuda:0', 'cuda:0,cpu' or 'cuda:0,cuda:1,cpu'.");
    } else {
      request.more_devices.push_back(device);
    }
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

}  // namespace ferry
