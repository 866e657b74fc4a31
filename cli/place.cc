#include "cli/dims.h"
#include "cli/options.h"
#include "cli/text.h"
#include "ferry/ferry.h"

namespace ferry::cli {
namespace {

struct Args {
  std::string model, device = "cpu", format = "text", output;
  std::vector<std::string> dims;
};

int place(const Args& args) {
  bool json = wants_json(args.format);
  if (args.output.ends_with(".json")) json = true;
  if (!args.output.empty() && args.output != "-" && !args.output.ends_with(".json") &&
      !args.output.ends_with(".txt")) {
    throw Error(ErrorCode::invalid_argument,
                "'" + args.output + "': a report is a .json or a .txt file, or - for stdout.");
  }
  const Model model = Model::load(args.model);
  PlacementRequest request = PlacementRequest::parse(args.device);
  request.dims = parse_dims(args.dims);
  require_known_dims(request.dims, model);
  const Placement placement = model.plan(request);
  const std::string report = json ? placement.json() : placement.text();
  if (args.output.empty()) {
    print(report);
  } else {
    write_output(args.output, report);
    note(placement.summary());
  }
  return kOk;
}

std::function<int()> setup(Options& options) {
  const auto args = std::make_shared<Args>();
  options.positional("MODEL", args->model, "an ONNX file");
  options.option("-d,--device", args->device, "cpu, sim:0, cuda:0; 'sim:0,cpu' allows fallback");
  options.list("--dim", args->dims, "sizes of symbolic dimensions, as in batch=8,seq=128");
  options.option("-o,--output", args->output, "write the report to a .json or .txt file");
  options.format(args->format);
  return [args] { return place(*args); };
}

}  // namespace

const Verb kPlace{"place", "What would run where, why, and what it copies",
                  "  ferry place net.onnx -d sim:0\n"
                  "  ferry place net.onnx -d sim:0,cpu --dim batch=8 -o report.json",
                  setup};

}  // namespace ferry::cli
