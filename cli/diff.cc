#include <algorithm>
#include <cstdio>

#include "cli/dims.h"
#include "cli/options.h"
#include "cli/placement_request.h"
#include "cli/text.h"
#include "core/files.h"
#include "ferry/ferry.h"

namespace ferry::cli {
namespace {

struct Args {
  std::string a, b, a_device, b_device, format = "text", output, fail_on;
  PlacementArgs placement;
  std::vector<std::string> dims;
};

using Face = std::string (PlacementDiff::*)(const std::string& before_title,
                                            const std::string& after_title) const;

struct Format {
  std::string_view name, ending;
  Face face;
};
constexpr Format kFormats[] = {{"text", ".txt", &PlacementDiff::text},
                               {"json", ".json", &PlacementDiff::json},
                               {"markdown", ".md", &PlacementDiff::markdown}};

Face face_named(const std::string& name) {
  std::vector<std::string> names;
  for (const Format& format : kFormats) {
    if (name == format.name) return format.face;
    names.emplace_back(format.name);
  }
  throw Error(ErrorCode::invalid_argument, "'" + name +
                                               "' is not a format: expected text, json or "
                                               "markdown." +
                                               suggestion(name, names));
}

// By the ending of the file; by --format where there is none.
Face face_of(const Args& args) {
  const Face named = face_named(args.format);
  if (args.output.empty() || args.output == "-") return named;
  for (const Format& format : kFormats) {
    if (args.output.ends_with(format.ending)) return format.face;
  }
  throw Error(ErrorCode::invalid_argument,
              "'" + args.output + "': a comparison is a .txt, .json or .md file, or - for stdout.");
}

struct Side {
  std::string title;  // "net.onnx on sim:0"
  Placement placement;
};

// A report, or the plan of a model for `device`.
Side side_of(const std::string& path, const std::string& device, const Args& args) {
  if (path.ends_with(".json")) {
    if (!device.empty()) {
      throw Error(ErrorCode::invalid_argument,
                  "'" + path + "' is a report, which has its devices; -a and -b are for models.");
    }
    const Placement report = Placement::from_json(read_file(path), path);
    return {path + ", " + report.model() + " on " + report.request().device.str(), report};
  }
  const Model model = Model::load(path);
  PlacementArgs own = args.placement;
  if (!device.empty()) own.device = device;
  PlacementRequest request = placement_request(own, model);
  request.dims = parse_dims(args.dims);
  require_known_dims(request.dims, model);
  return {path + " on " + own.device, model.plan(request)};
}

int diff(const Args& args) {
  const Face face = face_of(args);
  if (!args.fail_on.empty() && args.fail_on != "worse") {
    throw Error(ErrorCode::invalid_argument, "--fail-on " + args.fail_on + ": expected worse." +
                                                 suggestion(args.fail_on, {"worse"}));
  }
  if (args.b.empty() && args.a_device.empty() && args.b_device.empty()) {
    throw Error(ErrorCode::invalid_argument,
                "there is nothing to compare '" + args.a +
                    "' with: name a second model or report, or two devices with -a and -b.");
  }
  const Side before = side_of(args.a, args.a_device, args);
  const Side after = side_of(args.b.empty() ? args.a : args.b, args.b_device, args);
  const PlacementDiff found = ferry::diff(before.placement, after.placement);
  const std::string text = (found.*face)(before.title, after.title);
  if (args.output.empty()) {
    print(text);
  } else {
    write_output(args.output, text);
    note(found.summary());
  }
  if (args.fail_on.empty()) return kOk;
  const std::vector<std::string> worse = found.worse();
  for (const std::string& sentence : worse) {
    std::fprintf(stderr, "ferry: worse: %s\n", sentence.c_str());
  }
  return worse.empty() ? kOk : kGate;
}

std::function<int()> setup(Options& options) {
  const auto args = std::make_shared<Args>();
  options.positional("A", args->a, "an ONNX file, or a report (.json) of ferry place");
  options.optional_positional("B", args->b, "another; without it, A on two devices");
  options.option("-a,--a-device", args->a_device, "of A, instead of -d");
  options.option("-b,--b-device", args->b_device, "of B, instead of -d");
  add_placement_options(options, args->placement);
  add_assume_option(options, args->placement);
  options.list("--dim", args->dims, "sizes of symbolic dimensions, as in batch=8,seq=128");
  options.option("--fail-on", args->fail_on, "worse: more fallback, copies, bytes or time");
  options.option("-o,--output", args->output, "write it: .txt, .json or .md");
  options.option("--format", args->format, "text, json or markdown");
  return [args] { return diff(*args); };
}

}  // namespace

const Verb kDiff{"diff", "What moved between two placements, and why",
                 "  ferry diff net.onnx -a cpu -b sim:0,cpu\n"
                 "  ferry diff main.json branch.json --fail-on worse -o comment.md",
                 setup};

}  // namespace ferry::cli
