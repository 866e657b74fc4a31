// Runs mutants of valid models (mutate.h) in processes of their own, and fails where one crashes,
// hangs, takes too much memory, or breaks what run_one() checks:
//
//   model_mutants FOLDER [--seed N] [--runs N] [--jobs N] [--seconds N] [--save FOLDER]
//
// Seeds from N on; each failure is printed with its seed, which `--seed S --runs 1` replays and
// `--save` writes as model.onnx and input_N.pb. Meant for the sanitizer builds.
#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <thread>

#include "tests/fuzz/run_one.h"

// Sizes that a mutant asks for and no machine has are refused, as the system would refuse them.
extern "C" __attribute__((visibility("default"))) const char* __asan_default_options();
extern "C" const char* __asan_default_options() {
  return "max_allocation_size_mb=1024:allocator_may_return_null=1:hard_rss_limit_mb=6144";
}

namespace ferry::testing {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

struct Options {
  std::string folder, save;
  uint64_t seed = 1, runs = 20'000;
  int jobs = 2, seconds = 30;
};

// What a process tells its parent, in memory that both have.
struct Shared {
  std::atomic<uint64_t> seed{0}, next{0}, loaded{0}, ran{0};
};

class Worker {
 public:
  Worker(const Mutator& mutator, const Options& options, int index)
      : mutator_(mutator), options_(options), shared_(new_shared()), log_(std::tmpfile()) {
    shared_->next = options.seed + static_cast<uint64_t>(index);
  }

  bool done() const { return child_ < 0 && shared_->next >= options_.seed + options_.runs; }
  const Shared& shared() const { return *shared_; }

  // Starts, watches or buries the process; a sentence for a mutant that ended it.
  std::string step() {
    if (child_ < 0) {
      if (!done()) start();
      return "";
    }
    int status = 0;
    if (waitpid(child_, &status, WNOHANG) == 0) {
      if (shared_->seed != seed_) {
        seed_ = shared_->seed;
        since_ = Clock::now();
      } else if (Clock::now() - since_ > std::chrono::seconds(options_.seconds)) {
        kill(child_, SIGKILL);
        waitpid(child_, &status, 0);
        child_ = -1;
        return fmt::format("seed {}: not done after {} s", seed_, options_.seconds);
      }
      return "";
    }
    child_ = -1;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return "";
    const std::string how = WIFSIGNALED(status) ? fmt::format("signal {}", WTERMSIG(status))
                                                : fmt::format("exit {}", WEXITSTATUS(status));
    return fmt::format("seed {}: {}\n{}", shared_->seed.load(), how, log_text());
  }

 private:
  static Shared* new_shared() {
    void* memory =
        mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return new (memory) Shared;
  }

  void start() {
    std::fflush(nullptr);
    if (ftruncate(fileno(log_), 0) != 0) std::abort();
    std::rewind(log_);
    seed_ = 0;
    since_ = Clock::now();
    child_ = fork();
    if (child_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(fileno(log_), STDERR_FILENO);
    while (shared_->next < options_.seed + options_.runs) {
      const uint64_t seed = shared_->next;
      shared_->seed = seed;
      shared_->next = seed + static_cast<uint64_t>(options_.jobs);
      try {
        const Reached reached = run_one(mutator_.mutant(seed));
        if (reached != Reached::nothing) ++shared_->loaded;
        if (reached == Reached::ran) ++shared_->ran;
      } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        std::exit(1);
      }
    }
    std::exit(0);
  }

  // The lines of the report that say what and where.
  std::string log_text() const {
    std::rewind(log_);
    std::string out;
    char line[1024];
    int lines = 0;
    while (std::fgets(line, sizeof line, log_) != nullptr && lines < 60) {
      const std::string text = line;
      const bool is_frame = text.find("    #") != std::string::npos;
      if (is_frame && text.find(" /usr/") != std::string::npos) continue;
      if (is_frame || text.find("ERROR") != std::string::npos ||
          text.find("error") != std::string::npos || lines < 4) {
        out += "  " + text;
        ++lines;
      }
    }
    return out;
  }

  const Mutator& mutator_;
  const Options& options_;
  Shared* shared_;
  std::FILE* log_;
  pid_t child_ = -1;
  uint64_t seed_ = 0;
  Clock::time_point since_;
};

void save(const Specimen& specimen, const fs::path& folder) {
  fs::create_directories(folder);
  std::ofstream(folder / "model.onnx", std::ios::binary) << specimen.model.SerializeAsString();
  for (size_t i = 0; i < specimen.inputs.size(); ++i) {
    std::ofstream(folder / fmt::format("input_{}.pb", i), std::ios::binary)
        << specimen.inputs[i].SerializeAsString();
  }
  fmt::print("{}: from {}\n", folder.string(), specimen.name);
}

int main(const Options& options) {
  constexpr size_t kLargest = 1 << 20;
  const Mutator mutator(find_specimens(options.folder, kLargest));
  if (mutator.size() == 0) {
    fmt::print(stderr, "there are no models below {}\n", options.folder);
    return 2;
  }
  if (!options.save.empty()) save(mutator.mutant(options.seed), options.save);
  std::vector<Worker> workers;
  for (int i = 0; i < options.jobs; ++i) workers.emplace_back(mutator, options, i);
  int stops = 0;
  while (!std::ranges::all_of(workers, &Worker::done)) {
    bool is_quiet = true;
    for (Worker& worker : workers) {
      const std::string stop = worker.step();
      if (stop.empty()) continue;
      is_quiet = false;
      ++stops;
      fmt::print("{}\n", stop);
      std::fflush(stdout);
    }
    if (is_quiet) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  uint64_t loaded = 0, ran = 0;
  for (const Worker& worker : workers) {
    loaded += worker.shared().loaded;
    ran += worker.shared().ran;
  }
  fmt::print("{} mutants of {} models from seed {} on: {} loaded, {} ran on cpu and sim:0\n",
             options.runs, mutator.size(), options.seed, loaded, ran);
  fmt::print("{} passed, {} failed\n", options.runs - static_cast<uint64_t>(stops), stops);
  // Mutants that all fail to load would prove nothing.
  const bool is_telling = options.runs < 1000 || ran > options.runs / 20;
  return stops == 0 && is_telling ? 0 : 1;
}

}  // namespace
}  // namespace ferry::testing

int main(int argc, char** argv) {
  ferry::testing::Options options;
  CLI::App app("Runs mutants of valid models and fails where one crashes or hangs.");
  app.add_option("folder", options.folder, "models, with or without test data")->required();
  app.add_option("--seed", options.seed, "the first seed");
  app.add_option("--runs", options.runs, "how many seeds");
  app.add_option("--jobs", options.jobs, "processes at once");
  app.add_option("--seconds", options.seconds, "longest time of one mutant");
  app.add_option("--save", options.save, "writes the first seed's mutant to this folder");
  CLI11_PARSE(app, argc, argv);
  return ferry::testing::main(options);
}
