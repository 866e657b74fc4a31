#include <cstdio>

#include "cli/dims.h"
#include "cli/gate.h"
#include "cli/options.h"
#include "cli/placement_report.h"
#include "cli/text.h"
#include "ferry/ferry.h"

namespace ferry::cli {
namespace {

struct Args {
  std::string model, device = "cpu", policy = "device_first", format = "text", output, why, fail_on;
  std::vector<std::string> dims;
};

std::string text_of(const Placement& placement) { return placement.text(); }
std::string json_of(const Placement& placement) { return placement.json(); }

struct Format {
  std::string_view ending;
  std::string (*write)(const Placement& placement);
};
constexpr Format kFormats[] = {
    {".json", json_of}, {".txt", text_of}, {".csv", placement_csv}, {".md", placement_markdown}};

// By the ending of the file; by --format where there is none.
std::string (*writer_of(const Args& args))(const Placement&) {
  const bool json = wants_json(args.format);
  if (args.output.empty() || args.output == "-") return json ? json_of : text_of;
  for (const Format& format : kFormats) {
    if (args.output.ends_with(format.ending)) return format.write;
  }
  throw Error(
      ErrorCode::invalid_argument,
      "'" + args.output + "': a report is a .json, .txt, .csv or .md file, or - for stdout.");
}

int place(const Args& args) {
  const auto write = writer_of(args);
  std::vector<Limit> limits;
  if (!args.fail_on.empty()) limits = parse_limits(args.fail_on);
  const Model model = Model::load(args.model);
  PlacementRequest request = PlacementRequest::parse(args.device);
  request.policy = policy_from_string(args.policy);
  request.dims = parse_dims(args.dims);
  require_known_dims(request.dims, model);
  const Placement placement = model.plan(request);
  const std::vector<std::string> passed = passed_limits(placement, limits);
  if (!args.why.empty()) {
    print(explain_node(placement, args.why));
  } else if (args.output.empty()) {
    print(write(placement));
  }
  if (!args.output.empty()) {
    write_output(args.output, write(placement));
    note(placement.summary());
  }
  for (const std::string& limit : passed) std::fprintf(stderr, "ferry: %s\n", limit.c_str());
  return passed.empty() ? kOk : kGate;
}

std::function<int()> setup(Options& options) {
  const auto args = std::make_shared<Args>();
  options.positional("MODEL", args->model, "an ONNX file");
  options.option("-d,--device", args->device, "cpu, sim:0, cuda:0; 'sim:0,cpu' allows fallback");
  options.option("--policy", args->policy, "device_first, or fastest by predicted time");
  options.list("--dim", args->dims, "sizes of symbolic dimensions, as in batch=8,seq=128");
  options.option("--why", args->why, "one node: where it is, why, and its copies");
  options.option("--fail-on", args->fail_on, "limits: fallback,copies>4,bytes>1MiB,cpu_flops>1%");
  options.option("-o,--output", args->output, "write the report: .json, .txt, .csv or .md");
  options.format(args->format);
  return [args] { return place(*args); };
}

}  // namespace

const Verb kPlace{"place", "What would run where, why, and what it copies",
                  "  ferry place net.onnx -d sim:0\n"
                  "  ferry place net.onnx -d sim:0,cpu --fail-on 'copies>2' -o report.json",
                  setup};

}  // namespace ferry::cli
