#include <nlohmann/json.hpp>

#include "cli/options.h"
#include "cli/text.h"
#include "ferry/ferry.h"

namespace ferry::cli {
namespace {

struct Args {
  std::string model, device = "cpu", format = "text";
};

int check_model(const Args& args) {
  const bool json = wants_json(args.format);
  const std::vector<CheckProblem> problems = check(args.model, {}, Device(args.device));
  if (json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const CheckProblem& p : problems) {
      list.push_back({{"code", p.code},
                      {"node", p.node},
                      {"op", p.op},
                      {"message", p.message},
                      {"count", p.count}});
    }
    print(nlohmann::ordered_json{{"model", args.model}, {"problems", list}}.dump(2) + "\n");
  } else if (problems.empty()) {
    print(args.model + ": no problems\n");
  } else {
    std::string out = args.model + ": " + std::to_string(problems.size()) +
                      (problems.size() == 1 ? " problem\n" : " problems\n");
    for (const CheckProblem& p : problems) {
      out += "  " + p.code;
      if (!p.op.empty()) out += "  " + p.op;
      if (p.count > 1) out += " x" + std::to_string(p.count);
      if (!p.node.empty()) out += "  at " + p.node;
      out += "\n      " + p.message + "\n";
    }
    print(out);
  }
  return problems.empty() ? kOk : kModel;
}

std::function<int()> setup(Options& options) {
  const auto args = std::make_shared<Args>();
  options.positional("MODEL", args->model, "an ONNX file");
  options.option("-d,--device", args->device, "the device whose kernels are asked");
  options.format(args->format);
  return [args] { return check_model(*args); };
}

}  // namespace

const Verb kCheck{"check", "Every problem of a model at once",
                  "  ferry check net.onnx\n  ferry check net.onnx -d sim:0 --format json", setup};

}  // namespace ferry::cli
