#include <nlohmann/json.hpp>

#include "cli/options.h"
#include "cli/text.h"
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

std::function<int()> setup(Options& options) {
  const auto format = std::make_shared<std::string>("text");
  options.format(*format);
  return [format] { return list_devices(*format); };
}

}  // namespace

const Verb kDevices{"devices", "The devices of this machine",
                    "  ferry devices\n  ferry devices --format json", setup};

}  // namespace ferry::cli
