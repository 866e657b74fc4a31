#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/options.h"
#include "cli/text.h"
#include "core/human.h"
#include "ferry/ferry.h"

namespace ferry::cli {
namespace {

int list_devices(const std::string& format) {
  const bool json = wants_json(format);
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  std::vector<std::vector<std::string>> rows;
  for (const DeviceInfo& info : devices()) {
    rows.push_back(
        {info.device.str(),
         info.memory_bytes > 0 ? human_bytes(static_cast<int64_t>(info.memory_bytes)) : "-",
         info.name + (info.simulated ? " (simulated)" : "")});
    list.push_back({{"id", info.device.str()},
                    {"name", info.name},
                    {"simulated", info.simulated},
                    {"memory_bytes", info.memory_bytes},
                    {"multiprocessors", info.multiprocessors}});
  }
  if (json) {
    print(list.dump(2) + "\n");
    return kOk;
  }
  print(table(rows));
  if (!cuda::is_available()) note("no cuda device: " + cuda::why_unavailable());
  return kOk;
}

// "12.3 GB/s", "47 us"
std::string human_measurement(const std::string& key, double value) {
  if (key.ends_with("_seconds")) return human_seconds(value);
  static constexpr const char* kPrefixes[] = {"", "k", "M", "G", "T", "P"};
  size_t prefix = 0;
  for (; value >= 999.5 && prefix + 1 < std::size(kPrefixes); ++prefix) value /= 1000;
  const char* unit = key.starts_with("flops.") ? "FLOP/s" : "B/s";
  return fmt::format("{:.3g} {}{}", value, kPrefixes[prefix], unit);
}

struct CalibrateArguments {
  bool wanted = false;
  std::vector<std::string> devices;
  std::string output;
};

int run_calibration(const CalibrateArguments& arguments, const std::string& format) {
  const bool json = wants_json(format);
  CalibrateOptions options;
  for (const std::string& device : arguments.devices) options.devices.emplace_back(device);
  std::unique_ptr<Progress> progress;
  options.progress = [&](int done, int total, const std::string& what) {
    if (!progress) progress = std::make_unique<Progress>(static_cast<size_t>(total));
    progress->show(static_cast<size_t>(done), what);
  };
  const Calibration calibration = calibrate(options);
  progress.reset();
  if (!arguments.output.empty()) write_output(arguments.output, calibration.json);
  if (json) {
    if (arguments.output != "-") print(calibration.json);
    return kOk;
  }
  if (arguments.output == "-") return kOk;
  std::vector<std::vector<std::string>> rows{
      {"device", "what", "measured", "spread", "otherwise", "measured / otherwise"}};
  for (const Measurement& one : calibration.measurements) {
    const bool simulated = one.device.kind() == DeviceKind::sim;
    rows.push_back(
        {one.device.str() + (simulated ? " (simulated)" : ""), one.key,
         human_measurement(one.key, one.value), fmt::format("{:.1f} %", 100 * one.spread),
         human_measurement(one.key, one.assumed), fmt::format("{:.3g}", one.value / one.assumed)});
  }
  print(table(rows));
  note(
      arguments.output.empty()
          ? "otherwise: what placement counts with; to count with what was measured, write it with "
            "-o profiles.json"
          : "otherwise: what placement counts with without --profiles " + arguments.output);
  return kOk;
}

std::function<int()> setup(Options& options) {
  const auto format = std::make_shared<std::string>("text");
  const auto calibration = std::make_shared<CalibrateArguments>();
  options.flag("--calibrate", calibration->wanted, "measure what they and their links can do");
  options.list("-d,--device", calibration->devices, "to measure; none: cpu and every cuda:N");
  options.option("-o,--output", calibration->output, "profiles of what was measured; - is stdout");
  options.format(*format);
  return [format, calibration] {
    if (calibration->wanted) return run_calibration(*calibration, *format);
    if (!calibration->devices.empty() || !calibration->output.empty()) {
      throw Error(ErrorCode::invalid_argument, "-d and -o go with --calibrate.");
    }
    return list_devices(*format);
  };
}

}  // namespace

const Verb kDevices{"devices", "The devices of this machine",
                    "  ferry devices --format json\n  ferry devices --calibrate -o profiles.json",
                    setup};

}  // namespace ferry::cli
