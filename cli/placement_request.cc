#include "cli/placement_request.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "cli/text.h"
#include "core/human.h"
#include "ferry/error.h"

namespace ferry::cli {
namespace {

[[noreturn]] void refuse(const std::string& message) {
  throw Error(ErrorCode::invalid_argument, message);
}

// "cuda:0=4GiB" or "4GiB", which is said of the device that was asked for.
std::pair<Device, std::string> of_device(const char* option, const std::string& text,
                                         const PlacementRequest& request) {
  const size_t equals = text.find('=');
  if (equals != std::string::npos) return {Device(text.substr(0, equals)), text.substr(equals + 1)};
  if (request.device.is_cpu()) {
    refuse(std::string(option) + " " + text + ": of which device? Say " + option +
           " DEVICE=" + text + ", or ask for one with -d.");
  }
  return {request.device, text};
}

void set_fallback(const std::string& word, PlacementRequest& request) {
  if (word.empty()) return;
  if (word != "cpu" && word != "error") {
    refuse("--fallback " + word + ": expected cpu or error." + suggestion(word, {"cpu", "error"}));
  }
  if (word == "error" && request.cpu_fallback) {
    refuse("--fallback error: -d allows the CPU already.");
  }
  request.cpu_fallback = word == "cpu" && !request.device.is_cpu();
}

}  // namespace

void add_placement_options(Options& options, PlacementArgs& args) {
  options.option("-d,--device", args.device, "cpu, sim:0, cuda:0; 'sim:0,cpu' allows fallback");
  options.option("--policy", args.policy, "fastest by predicted time, or device_first");
  options.option("--fallback", args.fallback, "what -d cannot run: cpu, or error");
  options.list("--pin", args.pins, "PATTERN=DEVICE: 'enc*=cpu', op:, subgraph:, tensor:");
  options.list("--assign", args.lists, "the first that matches: 'sim:0(enc*); cpu(*)'");
  options.option("--map", args.map, "a report or {\"nodes\": ...} that says where nodes go");
  options.flag("--force", args.force, "take a --map that was made of another model");
  options.option("--min-island", args.min_island, "smaller ones on a device go to the CPU");
  options.list("--memory-limit", args.limits, "what a device may hold: sim:0=4GiB");
  options.option("--profiles", args.profiles, "a file of 'ferry devices --calibrate'");
}

void add_assume_option(Options& options, PlacementArgs& args) {
  options.list("--assume", args.assumed, "a GPU that is not here: 'H100', 'cuda:0=T4,PCIe 3'");
}

PlacementRequest placement_request(const PlacementArgs& args, const Model& model) {
  PlacementRequest request = PlacementRequest::parse(args.device);
  set_fallback(args.fallback, request);
  request.policy = policy_from_string(args.policy);
  request.profiles = args.profiles;
  request.min_island = args.min_island;
  for (const std::string& text : args.pins) request.rules.push_back(PlacementRule::parse(text));
  for (const std::string& text : args.lists) {
    for (PlacementRule& rule : PlacementRule::parse_list(text)) {
      request.rules.push_back(std::move(rule));
    }
  }
  if (!args.map.empty()) {
    const std::string fingerprint = args.force ? "" : model.placement().fingerprint();
    for (PlacementRule& rule : PlacementRule::load_map(args.map, fingerprint)) {
      request.rules.push_back(std::move(rule));
    }
  }
  for (const std::string& text : args.limits) {
    const auto [device, amount] = of_device("--memory-limit", text, request);
    const std::optional<int64_t> bytes = bytes_from_text(amount);
    if (!bytes) refuse("--memory-limit " + text + ": expected DEVICE=BYTES, as in sim:0=4GiB.");
    request.memory_limits[device] = *bytes;
  }
  for (const std::string& text : args.assumed) {
    const auto [device, card] = of_device("--assume", text, request);
    if (device.is_cpu()) refuse("--assume " + text + ": only a GPU can be assumed.");
    request.assumed_devices[device] = AssumedDevice::parse(card, args.profiles);
  }
  return request;
}

}  // namespace ferry::cli
