// Whether predictions hold: runs models on the emulated GPU under three placements and sets what
// was predicted beside what happened.
//
//   ferry-bench-sim MODEL.onnx...
//
// cpu and sim:0 are calibrated first. Copies and bytes must be those of the plan; of seconds, the
// order is compared: two placements whose predictions differ by more than a fifth.
#include <ferry/ferry.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace {

using ferry::Device;

constexpr int kRuns = 5;
constexpr int64_t kBatch = 1, kOther = 32;

bool is_number(const std::string& dim) {
  return !dim.empty() && std::ranges::all_of(dim, [](char c) { return c >= '0' && c <= '9'; });
}

// One row of the batch, ones everywhere: ids of tokens, masks and kinds that every model takes.
// Symbols of the first axis are the batch; a sum is the sum of its parts.
ferry::Inputs inputs_of(const ferry::Model& model, std::map<std::string, int64_t>& sizes) {
  ferry::Inputs inputs;
  for (const ferry::TensorInfo& info : model.inputs()) {
    ferry::Shape shape;
    for (const std::string& dim : info.dims) {
      int64_t size = 0;
      for (size_t at = 0; at != std::string::npos;) {
        const size_t plus = dim.find(" + ", at);
        const std::string part = dim.substr(at, plus == std::string::npos ? plus : plus - at);
        const int64_t assumed = shape.empty() ? kBatch : kOther;
        size += is_number(part) ? std::stoll(part) : sizes.emplace(part, assumed).first->second;
        at = plus == std::string::npos ? plus : plus + 3;
      }
      shape.push_back(size);
    }
    inputs.add(info.name, ferry::Tensor::full(shape, 1, info.dtype));
  }
  return inputs;
}

struct Result {
  double predicted = 0, measured = 0;
  int copies_planned = 0, copies_made = 0;
  int64_t bytes_planned = 0, bytes_made = 0;
  std::string difference;
};

Result run(ferry::Model& model, const ferry::Inputs& inputs, const ferry::Placement& placement) {
  Result result;
  const ferry::RunCopies planned = placement.run_copies();
  result.predicted = placement.prediction().seconds;
  result.copies_planned = planned.count;
  result.bytes_planned = planned.bytes();
  model.to(placement);
  (void)model.run(inputs);
  ferry::RunReport report;
  (void)model.run(inputs, {.report = &report});
  result.difference = report.ledger_difference;
  for (const ferry::RunReport::Copy& copy : report.copies) {
    result.copies_made += static_cast<int>(copy.times);
    result.bytes_made += copy.bytes * copy.times;
  }
  std::vector<double> times;
  for (int i = 0; i < kRuns; ++i) {
    const auto start = std::chrono::steady_clock::now();
    (void)model.run(inputs);
    times.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  std::ranges::sort(times);
  result.measured = times[kRuns / 2];
  return result;
}

struct Tally {
  int pairs = 0, agreeing = 0, placements = 0, equal = 0;
};

void compare(const std::string& path, const std::string& profiles, Tally& tally) {
  ferry::Model model = ferry::Model::load(path);
  ferry::PlacementRequest request = ferry::PlacementRequest::parse("sim:0,cpu");
  request.policy = ferry::PlacementPolicy::device_first;
  request.profiles = profiles;
  const ferry::Inputs inputs = inputs_of(model, request.dims);
  ferry::PlacementRequest host = request;
  host.device = Device::cpu();
  host.cpu_fallback = false;
  std::vector<Result> results{run(model, inputs, model.plan(host)),
                              run(model, inputs, model.plan(request))};
  request.policy = ferry::PlacementPolicy::fastest;
  results.push_back(run(model, inputs, model.plan(request)));
  const std::string name = std::filesystem::path(path).stem();
  constexpr const char* kNames[] = {"cpu", "greedy", "fastest"};
  for (size_t i = 0; i < results.size(); ++i) {
    const Result& r = results[i];
    const bool equal = r.copies_planned == r.copies_made && r.bytes_planned == r.bytes_made &&
                       r.difference.empty();
    ++tally.placements;
    tally.equal += equal ? 1 : 0;
    std::printf("| %s | %s | %.3g ms | %.3g ms | %d | %d | %lld | %lld | %s |\n",
                i == 0 ? name.c_str() : "", kNames[i], r.predicted * 1e3, r.measured * 1e3,
                r.copies_planned, r.copies_made, static_cast<long long>(r.bytes_planned),
                static_cast<long long>(r.bytes_made), equal ? "equal" : "DIFFERENT");
    for (size_t j = 0; j < i; ++j) {
      const double ratio = r.predicted / results[j].predicted;
      if (ratio > 1 / 1.2 && ratio < 1.2) continue;
      ++tally.pairs;
      tally.agreeing += (ratio < 1) == (r.measured < results[j].measured) ? 1 : 0;
    }
  }
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2) {
    std::fprintf(stderr, "usage: ferry-bench-sim MODEL.onnx...\n");
    return 2;
  }
  ferry::CalibrateOptions options;
  options.devices = {Device::cpu(), Device("sim:0")};
  const std::string profiles = std::filesystem::temp_directory_path() / "ferry_bench_sim.json";
  std::ofstream(profiles) << ferry::calibrate(options).json;
  std::puts(
      "| model | placement | predicted | measured | copies: planned | made | bytes: planned | made "
      "| copies |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
  Tally tally;
  for (int i = 1; i < argc; ++i) {
    try {
      compare(argv[i], profiles, tally);
    } catch (const ferry::Error& error) {
      std::fprintf(stderr, "%s\n", error.what());
    }
  }
  std::filesystem::remove(profiles);
  std::printf(
      "\ncopies and bytes as planned: %d of %d placements; order of cost as predicted: %d of %d "
      "pairs\n",
      tally.equal, tally.placements, tally.agreeing, tally.pairs);
  return tally.equal == tally.placements ? 0 : 1;
} catch (const ferry::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
