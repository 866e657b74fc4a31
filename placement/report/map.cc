#include "placement/report/map.h"

#include <nlohmann/json.hpp>

#include "ferry/error.h"
#include "placement/report/json_value.h"
#include "placement/report/report_reader.h"
#include "placement/solve/rules.h"

namespace ferry {
namespace {

constexpr size_t kMostBytes = size_t{512} << 20;

[[noreturn]] void refuse(std::string_view file, const std::string& what) {
  throw Error(ErrorCode::invalid_argument, std::string(file) + ": " + what);
}

std::vector<PlacementRule> rules_of_report(const JsonValue& json, std::string_view file,
                                           std::string_view fingerprint) {
  const auto report = read_report(json);
  if (!fingerprint.empty() && !report->fingerprint.empty() && report->fingerprint != fingerprint) {
    refuse(file, "it is a report of another model, '" + report->model + "' with fingerprint " +
                     report->fingerprint + "; this one has " + std::string(fingerprint) +
                     ". Take it all the same with --force, or without a fingerprint.");
  }
  std::vector<PlacementRule> rules;
  for (const NodePlacement& node : report->nodes) {
    rules.push_back(map_rule(node.name, node.device, file));
  }
  return rules;
}

}  // namespace

PlacementRule map_rule(std::string_view name, Device device, std::string_view file) {
  PlacementRule rule;
  rule.pattern = literal_glob(name);
  rule.device = device;
  rule.text = std::string(file) + ": " + std::string(name) + "=" + device.str();
  return rule;
}

std::vector<PlacementRule> read_map(std::string_view text, std::string_view file,
                                    std::string_view fingerprint) {
  const nlohmann::json json = parse_json(text, file, kMostBytes);
  const JsonValue value(json, file);
  if (is_report(value)) return rules_of_report(value, file, fingerprint);
  value.allow_only({"nodes"});
  std::vector<PlacementRule> rules;
  for (const auto& [name, device] : value.member("nodes").members()) {
    rules.push_back(map_rule(name, device.device(), file));
  }
  if (rules.empty()) refuse(file, "$.nodes: expected at least one node, got none.");
  return rules;
}

}  // namespace ferry
