#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/options.h"
#include "cli/text.h"
#include "ferry/ferry.h"

namespace ferry::cli {
namespace {

struct Args {
  std::string op, device, format = "text";
};

int ops(const Args& args) {
  const bool json = wants_json(args.format);
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  std::vector<std::vector<std::string>> rows{{"operator", "device", "types of input 0"}};
  std::vector<std::string> names;
  std::optional<DeviceKind> only;
  if (!args.device.empty()) only = Device(args.device).kind();
  for (const OperatorInfo& info : operators()) {
    names.push_back(info.op);
    if (!args.op.empty() && info.op != args.op) continue;
    nlohmann::ordered_json devices = nlohmann::ordered_json::object();
    for (size_t i = 0; i < info.devices.size(); ++i) {
      if (only && info.devices[i] != *only) continue;
      const std::string device(to_string(info.devices[i]));
      rows.push_back({devices.empty() ? info.op : "", device, info.dtypes[i]});
      devices[device] = info.dtypes[i];
    }
    if (devices.empty()) continue;
    list.push_back({{"op", info.op}, {"devices", std::move(devices)}});
  }
  if (list.empty()) {
    const std::string where = only ? args.device + " has no kernel" : "no device has a kernel";
    const std::string what = args.op.empty() ? "" : " for '" + args.op + "'";
    const bool is_known = std::ranges::find(names, args.op) != names.end();
    throw Error(ErrorCode::not_found,
                where + what + "." + (is_known ? "" : suggestion(args.op, names)));
  }
  print(json ? list.dump(2) + "\n" : table(rows));
  return kOk;
}

std::function<int()> setup(Options& options) {
  const auto args = std::make_shared<Args>();
  options.optional_positional("OP", args->op, "one operator; all of them without it");
  options.option("-d,--device", args->device, "only kernels of this device, as sim");
  options.format(args->format);
  return [args] { return ops(*args); };
}

}  // namespace

const Verb kOps{"ops", "The operators that have kernels, by device and type",
                "  ferry ops\n  ferry ops Conv --format json", setup};

}  // namespace ferry::cli
