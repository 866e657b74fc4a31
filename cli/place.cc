#include <cstdio>

#include "cli/dims.h"
#include "cli/gate.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "cli/placement_request.h"
#include "cli/report_format.h"
#include "cli/text.h"
#include "ferry/ferry.h"

namespace ferry::cli {
namespace {

struct Args {
  std::string model, format = "text", output, why, fail_on, annotated;
  PlacementArgs placement;
  std::vector<std::string> dims;
};

// By the ending of the file; by --format where there is none.
ReportFormat format_of(const Args& args) {
  return report_format_of_file(args.output, report_format_of_word(args.format));
}

// For people, within the width of their terminal; whole for pipes and files.
void show(const std::string& text) { print(shorten_names(text, terminal_width())); }

// A copy of the model whose nodes carry their devices, and how onnxruntime is told of them.
void write_annotated(const Args& args, const Placement& placement) {
  const WritingFile guard;
  const Annotated written = save_annotated(args.model, placement.nodes(), args.annotated);
  note(std::to_string(written.nodes) + " nodes of " + args.annotated + " carry their device, " +
       std::to_string(written.without) + " have none");
  note("for onnxruntime: session.layer_assignment_settings = \"" +
       onnxruntime_option(written.devices) + "\"");
}

int place(const Args& args) {
  const ReportFormat format = format_of(args);
  std::vector<Limit> limits;
  if (!args.fail_on.empty()) limits = parse_limits(args.fail_on);
  const Model model = Model::load(args.model);
  PlacementRequest request = placement_request(args.placement, model);
  std::vector<std::string> dims = args.dims;
  request.size_range = take_size_range(dims);
  request.dims = parse_dims(dims);
  if (request.size_range) request.dims[request.size_range->symbol] = request.size_range->first;
  require_known_dims(request.dims, model);
  const Placement placement = model.plan(request);
  const std::vector<std::string> passed = passed_limits(placement, limits);
  if (!args.why.empty()) {
    show(placement.why(args.why));
  } else if (args.output.empty()) {
    const std::string report = placement.report(format);
    format == ReportFormat::text ? show(report) : print(report);
  }
  if (!args.output.empty()) {
    write_output(args.output, placement.report(format));
    note(placement.summary());
  }
  if (!args.annotated.empty()) write_annotated(args, placement);
  for (const std::string& limit : passed) std::fprintf(stderr, "ferry: %s\n", limit.c_str());
  return passed.empty() ? kOk : kGate;
}

std::function<int()> setup(Options& options) {
  const auto args = std::make_shared<Args>();
  options.positional("MODEL", args->model, "an ONNX file");
  add_placement_options(options, args->placement);
  add_assume_option(options, args->placement);
  options.list("--dim", args->dims, "sizes of symbols: batch=8,seq=128; one of them 1..32");
  options.option("--why", args->why, "one node or value: where it is, why, its copies");
  options.option("--fail-on", args->fail_on, "limits: fallback,copies>4,bytes>1MiB,cpu_flops>1%");
  options.option("-o,--output", args->output, "a report: .json .txt .csv .md .dot .html .me.json");
  options.option("--save-annotated", args->annotated, "a copy of the model: nodes with devices");
  options.option("--format", args->format, "text json csv markdown dot html model_explorer");
  return [args] { return place(*args); };
}

}  // namespace

const Verb kPlace{"place", "What would run where, why, and what it copies",
                  "  ferry place net.onnx -d sim:0\n"
                  "  ferry place net.onnx -d sim:0,cpu --fail-on 'copies>2' -o report.json",
                  setup};

}  // namespace ferry::cli
