#include <map>
#include <nlohmann/json.hpp>

#include "cli/options.h"
#include "cli/text.h"
#include "ferry/ferry.h"

namespace ferry::cli {
namespace {

struct Args {
  std::string model, format = "text";
  bool graph = false, tree = false, weights = false;
};

nlohmann::ordered_json tensor_json(const TensorInfo& info) {
  return {{"name", info.name}, {"dtype", to_string(info.dtype)}, {"dims", info.dims}};
}

// "IR 10  ai.onnx 20  pytorch 2.13.0"
std::string origin(const ModelMetadata& metadata) {
  std::string out = "IR " + std::to_string(metadata.ir_version);
  for (const auto& [domain, version] : metadata.opsets) {
    out += "  " + domain + " " + std::to_string(version);
  }
  return out + (metadata.producer.empty() ? "" : "  " + metadata.producer);
}

struct Parameters {
  int64_t tensors = 0, elements = 0, bytes = 0;

  void add(const Tensor& tensor) {
    ++tensors;
    elements += tensor.numel();
    bytes += static_cast<int64_t>(tensor.nbytes());
  }
};

int info(const Args& args) {
  const bool json = wants_json(args.format);
  if (args.graph + args.tree + args.weights > 1 || (json && (args.graph || args.tree))) {
    throw Error(
        ErrorCode::invalid_argument,
        "only one of --graph, --tree and --weights can stand; --graph and --tree are text.");
  }
  const Model model = Model::load(args.model);
  std::map<std::string, int> ops;
  for (const NodePlacement& node : model.placement().nodes()) ++ops[node.op];
  Parameters all;
  std::map<std::string, Parameters> by_type;
  const NamedValues weights = model.parameters();
  for (const auto& [name, tensor] : weights) {
    all.add(tensor);
    by_type[std::string(to_string(tensor.dtype()))].add(tensor);
  }
  const ModelMetadata metadata = model.metadata();
  if (json) {
    nlohmann::ordered_json out{{"model", model.name()},
                               {"ir_version", metadata.ir_version},
                               {"opsets", metadata.opsets},
                               {"producer", metadata.producer},
                               {"metadata", metadata.properties},
                               {"nodes", model.placement().nodes().size()},
                               {"parameters", all.elements},
                               {"parameter_bytes", all.bytes},
                               {"operators", ops}};
    for (const auto& [type, parameters] : by_type) {
      out["parameters_by_type"][type] = {{"tensors", parameters.tensors},
                                         {"elements", parameters.elements},
                                         {"bytes", parameters.bytes}};
    }
    for (const TensorInfo& input : model.inputs()) out["inputs"].push_back(tensor_json(input));
    for (const TensorInfo& output : model.outputs()) out["outputs"].push_back(tensor_json(output));
    if (args.weights) {
      for (const auto& [name, tensor] : weights) {
        out["weights"].push_back({{"name", name},
                                  {"dtype", to_string(tensor.dtype())},
                                  {"shape", tensor.shape()},
                                  {"bytes", tensor.nbytes()}});
      }
    }
    print(out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
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
  std::vector<std::vector<std::string>> rows;
  if (args.weights) {
    for (const auto& [name, tensor] : weights) {
      rows.push_back(
          {printable(name), human_bytes(static_cast<int64_t>(tensor.nbytes())),
           std::string(to_string(tensor.dtype())) + to_string(std::span(tensor.shape()))});
    }
    print(table(rows));
    return kOk;
  }
  std::string out = printable(model.name()) + "  " +
                    std::to_string(model.placement().nodes().size()) + " nodes  " +
                    std::to_string(all.elements) + " parameters (" + human_bytes(all.bytes) +
                    ")\n" + printable(origin(metadata)) + "\n\n";
  for (const TensorInfo& input : model.inputs())
    rows.push_back({"in", printable(input.name), printable(input.str())});
  for (const TensorInfo& output : model.outputs()) {
    rows.push_back({"out", printable(output.name), printable(output.str())});
  }
  out += table(rows) + "\n";
  rows.clear();
  for (const auto& [op, count] : ops) rows.push_back({printable(op), std::to_string(count)});
  out += table(rows);
  if (by_type.size() > 1) {
    rows.clear();
    for (const auto& [type, parameters] : by_type) {
      rows.push_back({type, std::to_string(parameters.elements), human_bytes(parameters.bytes)});
    }
    out += "\n" + table(rows);
  }
  print(out);
  return kOk;
}

std::function<int()> setup(Options& options) {
  const auto args = std::make_shared<Args>();
  options.positional("MODEL", args->model, "an ONNX file");
  options.flag("--graph", args->graph, "print the graph as it runs, one node a line");
  options.flag("--tree", args->tree, "print the module tree, as PyTorch prints a module");
  options.flag("--weights", args->weights, "the weights with their types, shapes and bytes");
  options.format(args->format);
  return [args] { return info(*args); };
}

}  // namespace

const Verb kInfo{"info", "What a model is: inputs, outputs, operators, parameters",
                 "  ferry info net.onnx\n  ferry info net.onnx --format json", setup};

}  // namespace ferry::cli
