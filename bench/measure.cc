// One measurement in a fresh process, as a line of JSON: bench/peers.py alternates these with the
// peer.
//
//   ferry-bench MODEL.onnx ROWS THREADS RUNS
//
// The model has one float32 input of shape [ROWS, n] or [n].
#include <ferry/ferry.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

namespace {

using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// VmHWM: ru_maxrss would count what the parent had before exec.
long peak_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::atol(line.c_str() + 6);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 5) return 2;
  const auto start = Clock::now();
  const ferry::Model model = ferry::Model::load(argv[1], {.threads = std::atoi(argv[3])});
  const double load = ms_since(start);

  const ferry::TensorInfo input = model.inputs()[0];
  ferry::Shape shape;
  for (const std::string& dim : input.dims) {
    shape.push_back(std::isdigit(static_cast<unsigned char>(dim[0])) ? std::stoll(dim)
                                                                     : std::atoll(argv[2]));
  }
  const ferry::Inputs inputs{{input.name, ferry::Tensor::full(shape, 0.5)}};
  const auto first = Clock::now();
  (void)model.run(inputs);
  const double first_run = ms_since(first);

  const int runs = std::atoi(argv[4]);
  double best = 1e300;
  for (int block = 0; block < 5; ++block) {
    const auto begin = Clock::now();
    for (int i = 0; i < runs; ++i) (void)model.run(inputs);
    best = std::min(best, ms_since(begin) / runs);
  }
  std::printf("{\"open_ms\": %.4f, \"first_ms\": %.4f, \"run_ms\": %.6f, \"peak_kib\": %ld}\n",
              load, first_run, best, peak_kib());
  return 0;
} catch (const ferry::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
