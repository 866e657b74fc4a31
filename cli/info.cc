#include <map>
#include <nlohmann/json.hpp>

#include "cli/options.h"
#include "cli/text.h"
#include "ferry/ferry.h"

namespace ferry::cli {
namespace {

struct Args {
  std::string model, format = "text";
  bool graph = false, tree = false;
};

nlohmann::ordered_json tensor_json(const TensorInfo& info) {
  return {{"name", info.name}, {"dtype", to_string(info.dtype)}, {"dims", info.dims}};
}

int info(const Args& args) {
  const bool json = wants_json(args.format);
  if (json && (args.graph || args.tree)) {
    throw Error(ErrorCode::invalid_argument,
                "--graph and --tree are text; leave --format json out.");
  }
  const Model model = Model::load(args.model);
  std::map<std::string, int> ops;
  for (const NodePlacement& node : model.placement().nodes()) ++ops[node.op];
  int64_t parameters = 0, bytes = 0;
  for (const auto& [name, tensor] : model.parameters()) {
    parameters += tensor.numel();
    bytes += static_cast<int64_t>(tensor.nbytes());
  }
  if (json) {
    nlohmann::ordered_json out{{"model", model.name()},
                               {"nodes", model.placement().nodes().size()},
                               {"parameters", parameters},
                               {"parameter_bytes", bytes},
                               {"operators", ops}};
    for (const TensorInfo& input : model.inputs()) out["inputs"].push_back(tensor_json(input));
    for (const TensorInfo& output : model.outputs()) out["outputs"].push_back(tensor_json(output));
    print(out.dump(2) + "\n");
    return kOk;
  }
  if (args.graph) {
    print(model.graph());
    return kOk;
  }
  if (args.tree) {
    print(model.str() + "\n");
    return kOk;
  }
  std::string out = model.name() + "  " + std::to_string(model.placement().nodes().size()) +
                    " nodes  " + std::to_string(parameters) + " parameters (" + human_bytes(bytes) +
                    ")\n\n";
  std::vector<std::vector<std::string>> rows;
  for (const TensorInfo& input : model.inputs()) rows.push_back({"in", input.name, input.str()});
  for (const TensorInfo& output : model.outputs()) {
    rows.push_back({"out", output.name, output.str()});
  }
  out += table(rows) + "\n";
  rows.clear();
  for (const auto& [op, count] : ops) rows.push_back({op, std::to_string(count)});
  print(out + table(rows));
  return kOk;
}

std::function<int()> setup(Options& options) {
  const auto args = std::make_shared<Args>();
  options.positional("MODEL", args->model, "an ONNX file");
  options.flag("--graph", args->graph, "print the graph as it runs, one node a line");
  options.flag("--tree", args->tree, "print the module tree, as PyTorch prints a module");
  options.format(args->format);
  return [args] { return info(*args); };
}

}  // namespace

const Verb kInfo{"info", "What a model is: inputs, outputs, operators, parameters",
                 "  ferry info net.onnx\n  ferry info net.onnx --format json", setup};

}  // namespace ferry::cli
