#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/compare_nodes.h"
#include "cli/dims.h"
#include "cli/input_spec.h"
#include "cli/options.h"
#include "cli/placement_request.h"
#include "cli/text.h"
#include "ferry/ferry.h"

namespace ferry::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct Args {
  std::string model, a, b, a_map, b_map, preset = "dtype", format = "text";
  PlacementArgs placement;
  InputArgs inputs;
  std::vector<std::string> rtol, atol;
  bool per_node = false, bisect = false;
  int top = 10, threads = 0;
};

[[noreturn]] void refuse(const std::string& message) {
  throw Error(ErrorCode::invalid_argument, message);
}

bool is_golden(const std::string& b) {
  return b.ends_with(".npz") || b.ends_with(".safetensors") || fs::is_directory(b);
}

// ---- the two sides ------------------------------------------------------------------------------

// The devices of a map, for a request that leaves the rest to the CPU: "sim:0,sim:1,cpu".
std::string devices_of(const std::string& map) {
  std::set<Device> devices;
  for (const PlacementRule& rule : PlacementRule::load_map(map)) devices.insert(rule.device);
  devices.erase(Device::cpu());
  std::string out;
  for (const Device& device : devices) out += device.str() + ",";
  return out + "cpu";
}

Model placed(const Args& args, const std::string& device, const std::string& map) {
  LoadOptions load;
  load.threads = args.threads;
  Model model = Model::load(args.model, load);
  PlacementArgs own = args.placement;
  if (!map.empty()) own.map = map;
  if (!device.empty()) {
    own.device = device;
  } else if (!map.empty()) {
    own.device = devices_of(map);
  }
  PlacementRequest request = placement_request(own, model);
  request.dims = parse_dims(args.inputs.dims);
  require_known_dims(request.dims, model);
  model.to(request);
  return model;
}

// The outputs in a file, or of a folder with output_0.pb, ..., in the model's order.
NamedValues golden_outputs(const std::string& path, const Model& model) {
  if (!fs::is_directory(path)) return NamedValues::load(path);
  NamedValues out;
  const std::vector<TensorInfo> infos = model.outputs();
  for (size_t i = 0; fs::exists(fmt::format("{}/output_{}.pb", path, i)); ++i) {
    if (i >= infos.size()) refuse("'" + path + "' has more outputs than the model.");
    out.add(infos[i].name, Tensor::load(fmt::format("{}/output_{}.pb", path, i)));
  }
  return out;
}

std::vector<std::string> output_names(const Model& model) {
  std::vector<std::string> names;
  for (const TensorInfo& output : model.outputs()) names.push_back(output.name);
  return names;
}

std::vector<ValueComparison> compare_outputs(const Outputs& a, const NamedValues& b,
                                             const Tolerances& tolerances) {
  std::vector<ValueComparison> out;
  for (const auto& [name, tensor] : a) {
    const auto at = std::ranges::find(b, name, [](const auto& item) { return item.first; });
    if (at == b.end()) continue;
    const Tensor expected = at->second.cpu();
    const Tolerance tolerance = tolerances.of(name, expected.dtype());
    out.push_back({name, tolerance, compare(tensor.cpu(), expected, tolerance)});
  }
  return out;
}

// ---- what is shown ------------------------------------------------------------------------------

struct Result {
  std::string a, b;  // what the sides are called
  std::vector<ValueComparison> outputs;
  std::vector<NodeComparison> nodes;
  std::optional<FirstDifference> first;
  std::vector<std::string> ledger_differences;

  bool same() const {
    return ledger_differences.empty() && std::ranges::all_of(outputs, [](const auto& output) {
             return output.comparison.same();
           });
  }
};

Json comparison_json(const ValueComparison& value) {
  const Comparison& found = value.comparison;
  Json out{{"name", value.value}, {"same", found.same()}, {"elements", found.count}};
  if (!found.same()) out["difference"] = found.difference();
  if (!found.other_type.empty()) return out;
  out.update({{"differing", found.wrong},
              {"nan_mismatches", found.nan_mismatches},
              {"infinity_mismatches", found.infinity_mismatches},
              {"max_abs", found.max_abs},
              {"max_rel", found.max_rel},
              {"mean_abs", found.mean_abs},
              {"cosine", found.cosine},
              {"times_tolerance", found.worst},
              {"rtol", value.tolerance.rtol},
              {"atol", value.tolerance.atol}});
  if (found.wrong > 0) {
    out["first"] = {{"index", found.first}, {"a", found.first_a}, {"b", found.first_b}};
  }
  return out;
}

Json node_json(const NodeComparison& node) {
  Json values = Json::array();
  for (const ValueComparison& value : node.values) values.push_back(comparison_json(value));
  return {{"node", node.node},        {"op", node.op},       {"a", node.device_a.str()},
          {"b", node.device_b.str()}, {"same", node.same()}, {"values", std::move(values)}};
}

std::string result_json(const Args& args, const Result& result) {
  Json outputs = Json::array();
  for (const ValueComparison& output : result.outputs) outputs.push_back(comparison_json(output));
  Json out{{"model", args.model},
           {"a", result.a},
           {"b", result.b},
           {"same", result.same()},
           {"outputs", std::move(outputs)}};
  out["ledger_differences"] = result.ledger_differences;
  if (args.per_node) {
    Json& nodes = out["nodes"] = Json::array();
    for (const NodeComparison& node : result.nodes) nodes.push_back(node_json(node));
  }
  if (args.bisect) {
    out["first_difference"] = Json();
    if (result.first) {
      out["first_difference"] = node_json(result.first->node);
      out["first_difference"]["runs"] = result.first->runs;
    }
  }
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

// A bar as long as the difference has orders of magnitude, from a thousandth of what is allowed to
// a thousand times that; half of it is what is allowed.
std::string heat(double worst) {
  constexpr int kCells = 12;
  const double orders = std::isinf(worst) ? 3 : worst <= 0 ? -3 : std::log10(worst);
  const int filled =
      static_cast<int>(std::lround((std::clamp(orders, -3.0, 3.0) + 3) / 6 * kCells));
  std::string out;
  for (int i = 0; i < kCells; ++i) out += i >= filled ? '.' : i < kCells / 2 ? '-' : '#';
  return out;
}

std::vector<std::string> numbers(const Comparison& found) {
  return {fmt::format("{:.3g}", found.worst),    fmt::format("{}", found.wrong),
          fmt::format("{:.3g}", found.max_abs),  fmt::format("{:.3g}", found.max_rel),
          fmt::format("{:.3g}", found.mean_abs), fmt::format("{:.6f}", found.cosine)};
}

std::vector<std::string> row(std::vector<std::string> front, const Comparison& found,
                             std::vector<std::string> back) {
  const std::vector<std::string> middle = numbers(found);
  front.insert(front.end(), middle.begin(), middle.end());
  front.insert(front.end(), back.begin(), back.end());
  return front;
}

std::string worst_nodes(const Args& args, const Result& result) {
  struct Entry {
    const NodeComparison* node;
    const ValueComparison* value;
  };
  std::vector<Entry> entries;
  size_t differing = 0;
  for (const NodeComparison& node : result.nodes) {
    differing += !node.same();
    for (const ValueComparison& value : node.values) entries.push_back({&node, &value});
  }
  std::ranges::stable_sort(entries, std::greater<>(),
                           [](const Entry& entry) { return entry.value->comparison.worst; });
  const size_t shown = std::min(entries.size(), static_cast<size_t>(args.top));
  std::vector<std::vector<std::string>> rows = {{"", "x allowed", "differ", "max abs", "max rel",
                                                 "mean abs", "cosine", "node", "op", "a, b",
                                                 "value"}};
  for (size_t i = 0; i < shown; ++i) {
    const auto& [node, value] = entries[i];
    rows.push_back(row(
        {heat(value->comparison.worst)}, value->comparison,
        {node->node, node->op, node->device_a.str() + ", " + node->device_b.str(), value->value}));
  }
  return fmt::format("\n{} of {} nodes differ; the worst {} values\n", differing,
                     result.nodes.size(), shown) +
         table(rows);
}

std::string first_node(const Result& result) {
  if (!result.first) return "\nno node to name: the outputs agree\n";
  const NodeComparison& node = result.first->node;
  std::string out = fmt::format(
      "\nfirst node that differs: {} ({}), a on {}, b on {}; its inputs agree ({} runs)\n",
      node.node, node.op, node.device_a.str(), node.device_b.str(), result.first->runs);
  for (const ValueComparison& value : node.values) {
    const std::string text = value.comparison.difference();
    out += "  " + value.value + " " + (text.empty() ? "agrees" : text) + "\n";
  }
  return out;
}

std::string result_text(const Args& args, const Result& result) {
  std::vector<std::vector<std::string>> rows = {
      {"output", "x allowed", "differ", "max abs", "max rel", "mean abs", "cosine", "elements"}};
  int same = 0;
  std::string differences;
  for (const ValueComparison& output : result.outputs) {
    const Comparison& found = output.comparison;
    rows.push_back(row({output.value}, found, {std::to_string(found.count)}));
    same += found.same();
    if (!found.same()) differences += "'" + output.value + "' " + found.difference() + "\n";
  }
  std::string out = fmt::format("a  {}\nb  {}\n\n", result.a, result.b) + table(rows) +
                    differences +
                    fmt::format("{} of {} outputs agree\n", same, result.outputs.size());
  if (args.per_node) out += worst_nodes(args, result);
  if (args.bisect) out += first_node(result);
  return out;
}

// ---- the verb -----------------------------------------------------------------------------------

void check_args(const Args& args) {
  if (args.b.empty() && args.b_map.empty()) {
    refuse("there is nothing to compare with: name a device, or a file of outputs, with --b.");
  }
  if (is_golden(args.b) && !args.b_map.empty()) {
    refuse("--b-map is for a placement, and '" + args.b + "' has outputs alone.");
  }
  if (is_golden(args.b) && (args.per_node || args.bisect)) {
    refuse("--per-node and --bisect compare two placements; '" + args.b + "' has outputs alone.");
  }
  if (args.top < 1) refuse(fmt::format("--top {}: expected 1 or more.", args.top));
  if (args.threads < 0) refuse(fmt::format("--threads {}: expected 0 or more.", args.threads));
}

std::string title_of(const Model& model) {
  return model.name() + ": " + model.placement().summary();
}

Outputs run_and_check(const Model& model, const Inputs& inputs, Result& result) {
  RunReport report;
  const Outputs outputs = model.run(inputs, {.report = &report});
  if (!report.ledger_difference.empty()) {
    result.ledger_differences.push_back(report.ledger_difference);
    note("the copies of this run are not those of its placement: " + report.ledger_difference);
  }
  return outputs;
}

int compare_verb(Args args) {
  const bool json = wants_json(args.format);
  check_args(args);
  Tolerances tolerances(args.preset, args.rtol, args.atol);
  const bool golden = is_golden(args.b), folder = fs::is_directory(args.b);
  if (folder) {
    if (args.inputs.all.empty() && args.inputs.inputs.empty()) args.inputs.all = args.b;
    const CaseData data = read_case_data((fs::path(args.b) / "..").lexically_normal().string());
    if (data.has_tolerance) tolerances.set_preset(data.tolerance);
  }
  const Model a = placed(args, args.a, args.a_map);
  const Inputs inputs = make_inputs(a, args.inputs);
  Result result;
  result.a = title_of(a);
  if (golden) {
    tolerances.check_names(output_names(a));
    result.b = args.b;
    result.outputs =
        compare_outputs(run_and_check(a, inputs, result), golden_outputs(args.b, a), tolerances);
    if (result.outputs.empty()) {
      throw Error(ErrorCode::not_found, "'" + args.b + "' holds none of the model's outputs.");
    }
  } else {
    const Model b = placed(args, args.b, args.b_map);
    const NodeComparer nodes(a, b, inputs, tolerances);
    std::vector<std::string> names = output_names(a);
    names.insert(names.end(), nodes.values().begin(), nodes.values().end());
    tolerances.check_names(names);
    result.b = title_of(b);
    const Outputs of_a = run_and_check(a, inputs, result);
    result.outputs = compare_outputs(of_a, run_and_check(b, inputs, result), tolerances);
    std::optional<Progress> progress;
    const auto show = [&](size_t done, size_t of) {
      if (!progress) progress.emplace(of);
      progress->show(done, "nodes compared");
    };
    if (args.per_node) result.nodes = nodes.every_node(show);
    if (args.bisect) result.first = nodes.first_difference(show);
  }
  print(json ? result_json(args, result) : result_text(args, result));
  return result.same() ? kOk : kDiffer;
}

std::function<int()> setup(Options& options) {
  const auto args = std::make_shared<Args>();
  options.positional("MODEL", args->model, "an ONNX file");
  options.option("-a,--a", args->a, "the device of one side, instead of -d");
  options.option("-b,--b", args->b, "of the other, or outputs: .npz, .safetensors, a folder");
  options.option("--a-map", args->a_map, "where one side's nodes go, instead of --map");
  options.option("--b-map", args->b_map, "the same of the other side");
  options.list("-i,--input", args->inputs.inputs, "NAME=SPEC: x.npy, x.npz:KEY, json:[1]");
  options.option("--inputs", args->inputs.all, "all: .npz, .safetensors, a folder of input_N.pb");
  options.list("--dim", args->inputs.dims, "sizes for inputs that are made up, as in batch=8");
  options.option("--seed", args->inputs.seed, "of random inputs");
  add_placement_options(options, args->placement);
  options.option("--preset", args->preset, "tolerances: dtype, int8 (+-1), onnx, exact");
  options.list("--rtol", args->rtol, "relative tolerance, for all or as NAME=1e-3");
  options.list("--atol", args->atol, "absolute tolerance, for all or as NAME=1e-5");
  options.flag("--per-node", args->per_node, "compare what every node writes");
  options.flag("--bisect", args->bisect, "find the first node that differs, in few runs");
  options.option("--top", args->top, "how many of the worst values to list");
  options.option("--threads", args->threads, "of the CPU; 0: one per core");
  options.format(args->format);
  return [args] { return compare_verb(*args); };
}

}  // namespace

const Verb kCompare{"compare", "Compare the outputs of two placements, or with golden ones",
                    "  ferry compare net.onnx --b sim:0 --per-node\n"
                    "  ferry compare net.onnx --a sim:0 --b net_1.npz --inputs net_1.npz",
                    setup};

}  // namespace ferry::cli
