#include <fmt/format.h>

#include <algorithm>

#include "cli/compare_tensors.h"
#include "cli/dims.h"
#include "cli/input_spec.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "cli/placement_request.h"
#include "cli/report_format.h"
#include "cli/tensor_text.h"
#include "cli/text.h"
#include "ferry/ferry.h"

namespace ferry::cli {
namespace {

struct Args {
  PlacementArgs placement;
  std::string model, outputs_on, dtype, output, trace, report, expect, labels;
  std::string format = "text";
  std::vector<std::string> only;
  InputArgs inputs;
  std::vector<std::string> rtol, atol;  // "1e-3", "NAME=1e-3"
  int top = 0, threads = 0;
  bool copies = false;
};

[[noreturn]] void refuse(const std::string& message) {
  throw Error(ErrorCode::invalid_argument, message);
}

// Everything that can be wrong without a run, before it.
void check_args(const Args& args) {
  if (!args.output.empty() && !args.output.ends_with(".npz") &&
      !args.output.ends_with(".safetensors")) {
    refuse("'" + args.output + "': outputs are written to a .npz or a .safetensors file.");
  }
  if (args.top < 0) refuse("--top " + std::to_string(args.top) + ": expected 1 or more.");
  if (args.threads < 0)
    refuse("--threads " + std::to_string(args.threads) + ": expected 0 or more.");
}

// "     3  0.9871  cat", for each row.
std::string top_text(const std::string& name, const Tensor& tensor, int count,
                     const std::vector<std::string>& labels) {
  std::string out;
  const auto rows = largest(tensor, count);
  for (size_t row = 0; row < rows.size(); ++row) {
    const std::string which = rows.size() == 1 ? "" : fmt::format("[{}]", row);
    out += fmt::format("top {} of {}{}\n", rows[row].size(), name, which);
    for (const auto& [index, value] : rows[row]) {
      const auto i = static_cast<size_t>(index);
      out += fmt::format("  {:>6}  {:.4f}{}\n", index, value,
                         i < labels.size() ? "  " + labels[i] : "");
    }
  }
  return out;
}

nlohmann::ordered_json top_json(const Tensor& tensor, int count,
                                const std::vector<std::string>& labels) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const auto& row : largest(tensor, count)) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const auto& [index, value] : row) {
      nlohmann::ordered_json entry{{"index", index}, {"value", value}};
      if (static_cast<size_t>(index) < labels.size()) {
        entry["label"] = labels[index];
      }
      list.push_back(std::move(entry));
    }
    rows.push_back(std::move(list));
  }
  return rows;
}

// The outputs that differ from the expected ones; a line on stderr for each.
std::vector<std::string> compare_with_expected(const Args& args, const Outputs& outputs,
                                               const NamedValues& expected,
                                               const Tolerances& tolerances) {
  std::vector<std::string> differing;
  int compared = 0;
  for (const auto& [name, tensor] : outputs) {
    const auto at = std::ranges::find(expected, name, [](const auto& item) { return item.first; });
    if (at == expected.end()) continue;
    ++compared;
    Tensor actual = tensor.cpu();
    // What --dtype changed is compared in the type of the file.
    if (!args.dtype.empty() && is_floating(at->second.dtype())) {
      actual = actual.to(at->second.dtype());
    }
    const Comparison found = compare(actual, at->second, tolerances.of(name, at->second.dtype()));
    if (found.same()) continue;
    differing.push_back(name);
    note("output '" + name + "' " + found.difference());
  }
  if (compared == 0) {
    throw Error(ErrorCode::not_found, "'" + args.expect + "' holds none of the model's outputs.");
  }
  note(fmt::format("{} of {} outputs as expected", compared - static_cast<int>(differing.size()),
                   compared));
  return differing;
}

// What goes to stdout.
std::string show(const Args& args, const Outputs& outputs, const std::vector<std::string>& labels) {
  std::string text;
  for (const auto& [name, tensor] : outputs) {
    if (args.top > 0) {
      text += top_text(name, tensor.cpu(), args.top, labels);
    } else if (args.output.empty()) {
      text += printable(name) + " = " + tensor.str() + "\n";
    }
  }
  return text;
}

int64_t copies_as_planned(const RunReport& report) {
  return std::ranges::count_if(report.copies, &RunReport::Copy::as_planned);
}

nlohmann::ordered_json show_json(const Args& args, const Model& model, const Outputs& outputs,
                                 const RunReport& report, const std::vector<std::string>& labels) {
  nlohmann::ordered_json out{{"model", model.name()},
                             {"device", model.device().str()},
                             {"simulated", model.device().kind() == DeviceKind::sim},
                             {"placement", model.placement().summary()},
                             {"seconds", report.seconds}};
  nlohmann::ordered_json& list = out["outputs"] = nlohmann::ordered_json::array();
  for (const auto& [name, tensor] : outputs) {
    nlohmann::ordered_json entry{{"name", name}, {"device", tensor.device().str()}};
    if (args.top > 0) {
      entry["top"] = top_json(tensor.cpu(), args.top, labels);
    } else if (args.output.empty()) {
      entry.update(tensor_json(tensor.cpu()));
    }
    list.push_back(std::move(entry));
  }
  nlohmann::ordered_json& copies = out["copies"] = nlohmann::ordered_json::array();
  for (const RunReport::Copy& copy : report.copies) {
    copies.push_back({{"value", copy.value},
                      {"from", copy.from.str()},
                      {"to", copy.to.str()},
                      {"bytes", copy.bytes},
                      {"times", copy.times},
                      {"planned_bytes", copy.planned_bytes},
                      {"planned_times", copy.planned_times},
                      {"by_kernel", copy.by_kernel},
                      {"pageable", copy.pageable}});
  }
  out["copies_as_planned"] = copies_as_planned(report);
  return out;
}

// Entry by entry, what crossed beside what was planned.
void note_ledger(const RunReport& report) {
  for (const RunReport::Copy& copy : report.copies) {
    const std::string planned =
        copy.as_planned()
            ? "as planned"
            : fmt::format("planned: {} bytes, {} time(s)", copy.planned_bytes, copy.planned_times);
    note(fmt::format("copied {}{} {} -> {}  {} bytes, {} time(s), {}{}",
                     copy.by_kernel ? "for the kernel of " : "", copy.value, copy.from.str(),
                     copy.to.str(), copy.bytes, copy.times, planned,
                     copy.pageable ? "; pageable: not asynchronous" : ""));
  }
  note(fmt::format("{} of {} copies as planned", copies_as_planned(report), report.copies.size()));
}

int run(Args args) {
  const bool json = wants_json(args.format);
  check_args(args);
  const ReportFormat report_format = report_format_of_file(args.report, ReportFormat::json);
  std::vector<std::string> labels;
  if (!args.labels.empty()) {
    labels = read_labels(args.labels);
    if (args.top == 0) args.top = 5;
  }
  NamedValues expected;
  if (!args.expect.empty()) expected = NamedValues::load(args.expect);
  const Tolerances tolerances("onnx", args.rtol, args.atol);
  if ((!args.rtol.empty() || !args.atol.empty()) && args.expect.empty()) {
    refuse("--rtol and --atol are for --expect, which is not given.");
  }
  RunReport report;
  RunOptions options;
  options.report = &report;
  options.trace = !args.trace.empty();
  options.outputs = args.only;
  LoadOptions load;
  load.threads = args.threads;
  Model model = Model::load(args.model, load);
  std::vector<std::string> names;
  for (const TensorInfo& output : model.outputs()) names.push_back(output.name);
  tolerances.check_names(names);
  if (!args.dtype.empty()) model.to(dtype_from_string(args.dtype));
  PlacementRequest request = placement_request(args.placement, model);
  request.dims = parse_dims(args.inputs.dims);
  if (!args.outputs_on.empty()) request.outputs_on = Device(args.outputs_on);
  model.to(request);
  if (verbosity() == 0) note(model.placement().summary());  // with -v the library says it
  Inputs inputs = make_inputs(model, args.inputs);
  if (!args.dtype.empty()) inputs = as_model_takes(inputs, model);
  if (options.trace) (void)model.run(inputs);  // plans, so that what is measured is running alone
  const Outputs outputs = model.run(inputs, options);
  if (!report.ledger_difference.empty()) {
    note("the copies of this run are not those of its placement: " + report.ledger_difference);
  }
  if (args.copies || !args.report.empty()) note_ledger(report);
  if (!args.trace.empty()) write_output(args.trace, report.trace_json);
  if (!args.report.empty()) {
    const MeasuredRun* measured = options.trace ? &report.measured : nullptr;
    write_output(args.report, model.placement().report(report_format, measured));
  }
  if (!args.output.empty()) {
    const WritingFile guard;
    outputs.save(args.output);
  }
  std::vector<std::string> differing;
  if (!args.expect.empty()) differing = compare_with_expected(args, outputs, expected, tolerances);
  if (json) {
    nlohmann::ordered_json shown = show_json(args, model, outputs, report, labels);
    if (!args.expect.empty()) shown["differing"] = differing;
    print(shown.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  } else {
    print(show(args, outputs, labels));
  }
  return differing.empty() && report.ledger_difference.empty() ? kOk : kDiffer;
}

std::function<int()> setup(Options& options) {
  const auto args = std::make_shared<Args>();
  options.positional("MODEL", args->model, "an ONNX file");
  options.list("-i,--input", args->inputs.inputs,
               "NAME=SPEC: x.npy, x.npz:KEY, img:x.jpg, json:[1]");
  options.option("--inputs", args->inputs.all, "all: .npz, .safetensors, a folder of input_N.pb");
  options.list("--dim", args->inputs.dims, "sizes for inputs that are made up, as in batch=8");
  options.option("--seed", args->inputs.seed, "of random inputs");
  add_placement_options(options, args->placement);
  options.option("--dtype", args->dtype, "convert floating weights and inputs, as float16");
  options.list("--only", args->only, "an output that is wanted; nothing else is run");
  options.option("--outputs-on", args->outputs_on, "the device on which outputs come back");
  options.option("-o,--output", args->output, "write the outputs to a .npz or .safetensors");
  options.option("--expect", args->expect, "a .npz or .safetensors to compare outputs with");
  options.list("--rtol", args->rtol, "relative tolerance: 1e-3 unless given, or NAME=1e-3");
  options.list("--atol", args->atol, "absolute tolerance: 1e-7 unless given, or NAME=1e-5");
  options.option("--top", args->top, "print the N largest elements of each row");
  options.option("--labels", args->labels, "names for --top: a line each, or JSON");
  options.option("--threads", args->threads, "of the CPU; 0: one per core");
  options.option("--trace", args->trace, "write a Chrome trace of the run");
  options.option("--report", args->report, "a placement report: .json .html .md .txt");
  options.flag("--copies", args->copies, "list every copy, beside what was planned");
  options.format(args->format);
  return [args] { return run(*args); };
}

}  // namespace

const Verb kRun{"run", "Run a model once",
                "  ferry run net.onnx -i x=json:[[1,2,3]]\n"
                "  ferry run net.onnx --inputs net_1.npz --expect net_1.npz -d sim:0 --copies",
                setup};

}  // namespace ferry::cli
