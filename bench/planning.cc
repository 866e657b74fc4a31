// How long it takes to load, place and report models, on one thread:
//
//   ferry-bench-planning RUNS MODEL.onnx...
//
// Prints the table of bench/results.md: medians of RUNS, of whole calls.
#include <ferry/ferry.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace {

template <typename Call>
double median_ms(int runs, Call call) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> times;
  for (int i = 0; i < runs; ++i) {
    const auto start = Clock::now();
    call();
    times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
  }
  std::ranges::sort(times);
  return times[times.size() / 2];
}

void measure(const std::string& path, int runs) {
  using ferry::Model;
  const ferry::LoadOptions options{.threads = 1};
  const double load = median_ms(runs, [&] { (void)Model::load(path, options); });
  const Model model = Model::load(path, options);
  ferry::PlacementRequest request = ferry::PlacementRequest::parse("sim:0,cpu");
  request.policy = ferry::PlacementPolicy::device_first;
  const double greedy = median_ms(runs, [&] { (void)model.plan(request); });
  request.policy = ferry::PlacementPolicy::fastest;
  const double fastest = median_ms(runs, [&] { (void)model.plan(request); });
  const ferry::Placement placement = model.plan(request);
  ferry::PlacementRequest random = request;
  random.random_seed = 1;
  const double scattered = median_ms(runs, [&] { (void)model.plan(random); });
  size_t bytes = 0;
  const double json = median_ms(runs, [&] { bytes = placement.json().size(); });
  const double text = median_ms(runs, [&] { (void)placement.text(); });
  std::printf("| %s | %zu | %.1f | %.1f | %.1f | %.1f | %.1f (%.1f MB) | %.1f |\n",
              std::filesystem::path(path).stem().c_str(), placement.nodes().size(), load, greedy,
              fastest, scattered, json, static_cast<double>(bytes) / 1e6, text);
}

}  // namespace

int main(int argc, char** argv) try {
  const int runs = argc > 2 ? std::atoi(argv[1]) : 0;
  if (runs < 1) {
    std::fprintf(stderr, "usage: ferry-bench-planning RUNS MODEL.onnx...\n");
    return 2;
  }
  std::printf(
      "| model | nodes | load, ms | device_first, ms | fastest, ms | at random, ms | JSON, ms | "
      "text, "
      "ms |\n"
      "| --- | --- | --- | --- | --- | --- | --- | --- |\n");
  for (int i = 2; i < argc; ++i) measure(argv[i], runs);
  return 0;
} catch (const ferry::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
