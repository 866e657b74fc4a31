#include <nlohmann/json.hpp>

#include "cli/options.h"
#include "cli/text.h"
#include "ferry/ferry.h"

namespace ferry::cli {
namespace {

struct Args {
  std::string op, format = "text";
};

int ops(const Args& args) {
  const bool json = wants_json(args.format);
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  std::vector<std::vector<std::string>> rows{{"operator", "device", "types of input 0"}};
  std::vector<std::string> names;
  for (const OperatorInfo& info : operators()) {
    names.push_back(info.op);
    if (!args.op.empty() && info.op != args.op) continue;
    nlohmann::ordered_json devices = nlohmann::ordered_json::object();
    for (size_t i = 0; i < info.devices.size(); ++i) {
      const std::string device(to_string(info.devices[i]));
      rows.push_back({i == 0 ? info.op : "", device, info.dtypes[i]});
      devices[device] = info.dtypes[i];
    }
    list.push_back({{"op", info.op}, {"devices", std::move(devices)}});
  }
  if (list.empty()) {
    throw Error(ErrorCode::not_found,
                "no device has a kernel for '" + args.op + "'." + suggestion(args.op, names));
  }
  print(json ? list.dump(2) + "\n" : table(rows));
  return kOk;
}

std::function<int()> setup(Options& options) {
  const auto args = std::make_shared<Args>();
  options.optional_positional("OP", args->op, "one operator; all of them without it");
  options.format(args->format);
  return [args] { return ops(*args); };
}

}  // namespace

const Verb kOps{"ops", "The operators that have kernels, by device and type",
                "  ferry ops\n  ferry ops Conv --format json", setup};

}  // namespace ferry::cli
