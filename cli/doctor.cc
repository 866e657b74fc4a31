#include <nlohmann/json.hpp>

#include "cli/options.h"
#include "cli/text.h"
#include "ferry/ferry.h"

namespace ferry::cli {
namespace {

int examine(const std::string& format) {
  const bool json = wants_json(format);
  std::string out;
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const DeviceInfo& info : devices()) {
    out += "ok    " + info.device.str() + "  " + info.name +
           (info.simulated ? " (simulated)" : "") + "\n";
    if (!info.missing_libraries.empty()) out += "note  " + info.missing_libraries + "\n";
    list.push_back({{"id", info.device.str()},
                    {"name", info.name},
                    {"simulated", info.simulated},
                    {"missing_libraries", info.missing_libraries}});
  }
  const std::string why = cuda::why_unavailable();
  if (!why.empty()) {
    out += "none  cuda  " + why +
           "\n      Everything runs on cpu, and on sim:0 as it would on a GPU.\n";
  }
  if (json) {
    const nlohmann::ordered_json found{
        {"devices", list}, {"cuda", {{"available", why.empty()}, {"why_unavailable", why}}}};
    out = found.dump(2) + "\n";
  }
  print(out);
  return kOk;
}

std::function<int()> setup(Options& options) {
  const auto format = std::make_shared<std::string>("text");
  options.format(*format);
  return [format] { return examine(*format); };
}

}  // namespace

const Verb kDoctor{"doctor", "What this machine has, what is missing, and how to get it",
                   "  ferry doctor\n  FERRY_CUDA_PATH=/opt/ferry ferry doctor", setup};

}  // namespace ferry::cli
