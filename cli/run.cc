#include <fmt/format.h>

#include <algorithm>

#include "cli/compare_tensors.h"
#include "cli/input_spec.h"
#include "cli/options.h"
#include "cli/text.h"
#include "core/convert.h"
#include "core/files.h"
#include "core/npy.h"
#include "ferry/ferry.h"

namespace ferry::cli {
namespace {

struct Args {
  std::string model, device = "cpu", output, trace, report, expect;
  InputArgs inputs;
  double rtol = 1e-3, atol = 1e-7;
  int top = 0, threads = 0;
  bool copies = false;
};

// "  3  0.9871", best first, of the last axis of a tensor of one row.
std::string top_of(const std::string& name, const Tensor& tensor, int count) {
  std::vector<std::pair<double, int64_t>> scores;
  for (int64_t i = 0; i < tensor.numel(); ++i) {
    scores.emplace_back(load_as_double(tensor.dtype(), tensor.data(), i), i);
  }
  std::ranges::stable_sort(scores, [](const auto& a, const auto& b) { return a.first > b.first; });
  std::string out = fmt::format("top {} of {}\n", count, name);
  for (int i = 0; i < count && i < static_cast<int>(scores.size()); ++i) {
    out += fmt::format("  {:>6}  {:.4f}\n", scores[static_cast<size_t>(i)].second,
                       scores[static_cast<size_t>(i)].first);
  }
  return out;
}

// The number of outputs that differ from the archive; a line on stderr for each.
int compare(const Outputs& outputs, const std::string& path, Tolerance tolerance) {
  const NamedTensors expected = load_npz(path);
  int compared = 0, differing = 0;
  for (const auto& [name, tensor] : outputs) {
    const auto at = std::ranges::find(expected, name, &NamedTensors::value_type::first);
    if (at == expected.end()) continue;
    ++compared;
    const std::string text = difference(tensor.cpu(), at->second, tolerance);
    if (text.empty()) continue;
    ++differing;
    note("output '" + name + "' " + text);
  }
  if (compared == 0) {
    throw Error(ErrorCode::not_found, "'" + path + "' holds none of the model's outputs.");
  }
  note(fmt::format("{} of {} outputs as expected", compared - differing, compared));
  return differing;
}

int run(const Args& args) {
  LoadOptions load;
  load.threads = args.threads;
  Model model = Model::load(args.model, load);
  model.to(PlacementRequest::parse(args.device));
  note(model.placement().summary());
  const Inputs inputs = make_inputs(model, args.inputs);
  RunReport report;
  RunOptions options;
  options.report = &report;
  options.trace = !args.trace.empty();
  const Outputs outputs = model.run(inputs, options);
  if (!report.ledger_difference.empty()) {
    note("the copies of this run are not those of its placement: " + report.ledger_difference);
  }
  if (args.copies) {
    for (const RunReport::Copy& copy : report.copies) {
      note(fmt::format("copied {} {} -> {}  {} bytes, {} time(s)", copy.value, copy.from.str(),
                       copy.to.str(), copy.bytes, copy.times));
    }
  }
  if (!args.trace.empty()) write_file(args.trace, report.trace_json);
  if (!args.report.empty()) write_file(args.report, model.placement().json());
  if (!args.output.empty()) {
    NamedTensors named(outputs.begin(), outputs.end());
    save_npz(args.output, named);
  }
  if (args.output.empty() && args.top == 0) {
    for (const auto& [name, tensor] : outputs) print(name + " = " + tensor.str() + "\n");
  }
  if (args.top > 0) {
    for (const auto& [name, tensor] : outputs) print(top_of(name, tensor.cpu(), args.top));
  }
  if (!args.expect.empty() && compare(outputs, args.expect, {args.rtol, args.atol}) > 0) {
    return kDiffer;
  }
  return report.ledger_difference.empty() ? kOk : kDiffer;
}

std::function<int()> setup(Options& options) {
  const auto args = std::make_shared<Args>();
  options.positional("MODEL", args->model, "an ONNX file");
  options.list("-i,--input", args->inputs.inputs,
               "NAME=SPEC: x.npy, x.npz:KEY, x.pb, rand:0..9, json:[1]");
  options.option("--inputs", args->inputs.all, "all inputs: a .npz, or a folder of input_N.pb");
  options.list("--dim", args->inputs.dims, "sizes for inputs that are made up, as in batch=8");
  options.option("--seed", args->inputs.seed, "of random inputs");
  options.option("-d,--device", args->device, "cpu, sim:0, cuda:0; 'sim:0,cpu' allows fallback");
  options.option("-o,--output", args->output, "write the outputs to a .npz");
  options.option("--expect", args->expect, "a .npz that the outputs are compared with");
  options.option("--rtol", args->rtol, "relative tolerance of --expect");
  options.option("--atol", args->atol, "absolute tolerance of --expect");
  options.option("--top", args->top, "print the N largest elements of each output");
  options.option("--threads", args->threads, "of the CPU; 0: one per core");
  options.option("--trace", args->trace, "write a Chrome trace of the run");
  options.option("--report", args->report, "write the placement report as JSON");
  options.flag("--copies", args->copies, "list every copy that was made");
  return [args] { return run(*args); };
}

}  // namespace

const Verb kRun{"run", "Run a model once",
                "  ferry run net.onnx -i x=json:[[1,2,3]]\n"
                "  ferry run net.onnx --inputs net_1.npz --expect net_1.npz -d sim:0 --copies",
                setup};

}  // namespace ferry::cli
