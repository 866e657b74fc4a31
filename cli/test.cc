#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/compare_tensors.h"
#include "cli/options.h"
#include "cli/text.h"
#include "core/files.h"
#include "ferry/ferry.h"

namespace ferry::cli {
namespace {

namespace fs = std::filesystem;

struct Args {
  std::vector<std::string> paths;
  std::string device = "cpu", place, list, format = "text";
  int jobs = 1;
};

// One case: a folder with model.onnx and test_data_set_N, or one whose data.json names a model of
// the suite's folder `light`.
struct Case {
  std::string name;  // "node/test_add"
  fs::path folder;
};

std::vector<Case> find_cases(const std::vector<std::string>& paths) {
  std::vector<Case> cases;
  for (const std::string& path : paths) {
    const fs::path root(path);
    if (!fs::is_directory(root)) {
      throw Error(ErrorCode::not_found, "'" + path + "' is not a folder of test cases.");
    }
    const auto add = [&](const fs::path& folder) {
      if (fs::exists(folder / "model.onnx") || fs::exists(folder / "data.json")) {
        const fs::path relative = fs::relative(folder, root);
        cases.push_back({relative == "." ? folder.filename().string() : relative.string(), folder});
      }
    };
    add(root);
    for (const auto& entry : fs::recursive_directory_iterator(root)) {
      if (entry.is_directory() && !entry.path().filename().string().starts_with("test_data_set_")) {
        add(entry.path());
      }
    }
  }
  std::ranges::sort(cases, {}, &Case::name);
  return cases;
}

Tensor ramp(const TensorInfo& info) {
  Shape shape;
  for (const std::string& dim : info.dims) shape.push_back(std::stoll(dim));
  const int64_t count = numel_of(shape);
  std::vector<float> values(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    values[i] = static_cast<float>(static_cast<double>(i) / static_cast<double>(count));
  }
  return Tensor::from(values, shape);
}

class CaseRunner {
 public:
  explicit CaseRunner(const PlacementRequest& request) : request_(request) {
    options_.check_ledger = true;
  }

  // "" when the case passes, else what failed.
  std::string run(const Case& test) const {
    try {
      const auto [own, tolerance, url] = read_case_data(test.folder);
      return fs::exists(test.folder / "model.onnx") ? run_sets(test.folder, tolerance)
                                                    : run_light(test.folder, url, tolerance);
    } catch (const Error& error) {
      return std::string(to_string(error.code())) + ": " + error.what();
    } catch (const std::exception& error) {
      return std::string("exception: ") + error.what();
    }
  }

 private:
  Model load(const fs::path& file) const {
    LoadOptions load;
    load.threads = 1;
    Model model = Model::load(file, load);
    model.to(request_);
    return model;
  }

  std::string run_sets(const fs::path& folder, Tolerance tolerance) const {
    const Model model = load(folder / "model.onnx");
    int sets = 0;
    for (int k = 0; fs::exists(folder / fmt::format("test_data_set_{}", k)); ++k, ++sets) {
      const fs::path data = folder / fmt::format("test_data_set_{}", k);
      Inputs inputs;
      const std::vector<TensorInfo> infos = model.inputs();
      for (size_t i = 0; fs::exists(data / fmt::format("input_{}.pb", i)); ++i) {
        if (i >= infos.size()) return "has more input files than the model has inputs";
        inputs.add(infos[i].name, Tensor::load(data / fmt::format("input_{}.pb", i)));
      }
      const Outputs outputs = model.run(inputs, options_);
      if (fs::exists(data / fmt::format("output_{}.pb", outputs.size()))) {
        return "has more output files than the model has outputs";
      }
      for (size_t i = 0; i < outputs.size(); ++i) {
        const std::string text =
            compare(outputs, i, data / fmt::format("output_{}.pb", i), tolerance);
        if (!text.empty()) return fmt::format("set {}: {}", k, text);
      }
    }
    return sets == 0 ? "has no test_data_set_0" : "";
  }

  std::string run_light(const fs::path& folder, const std::string& url, Tolerance tolerance) const {
    const std::string stem = fs::path(url).stem();
    const fs::path light = folder.parent_path().parent_path() / "light";
    const Model model = load(light / (stem + ".onnx"));
    Inputs inputs;
    for (const TensorInfo& info : model.inputs()) inputs.add(info.name, ramp(info));
    const Outputs outputs = model.run(inputs, options_);
    return compare(outputs, 0, light / (stem + "_output_0.pb"), tolerance);
  }

  static std::string compare(const Outputs& outputs, size_t i, const fs::path& file,
                             Tolerance tolerance) {
    const std::string text =
        cli::compare(outputs[i].cpu(), Tensor::load(file), tolerance).difference();
    return text.empty() ? "" : fmt::format("output {} {}", i, text);
  }

  PlacementRequest request_;
  RunOptions options_;
};

struct Verdict {
  std::string name, failure;
};

// A process that runs its share of the cases in order and writes the result of each to a pipe, a
// JSON line each. When a case ends it, that case has failed, and a new process goes on behind it.
class Worker {
 public:
  Worker(const std::vector<Case>& cases, std::vector<size_t> share, const CaseRunner& runner,
         std::vector<Verdict>& verdicts)
      : cases_(cases), share_(std::move(share)), runner_(runner), verdicts_(verdicts) {
    if (!finished()) start();
  }

  bool finished() const { return done_ == share_.size() && pipe_ < 0; }
  int pipe() const { return pipe_; }

  // Takes what the process has written; blocks until there is something.
  void receive() {
    char block[4096];
    const ssize_t n = read(pipe_, block, sizeof block);
    if (n <= 0) return end();
    buffer_.append(block, static_cast<size_t>(n));
    for (size_t length; (length = buffer_.find('\n')) != std::string::npos;) {
      add_verdict(nlohmann::json::parse(buffer_.substr(0, length)).get<std::string>());
      buffer_.erase(0, length + 1);
    }
  }

 private:
  void start() {
    int ends[2];
    if (::pipe(ends) != 0) throw Error(ErrorCode::io, "cannot make a pipe.");
    child_ = fork();
    if (child_ < 0) throw Error(ErrorCode::io, "cannot start a process.");
    if (child_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);  // no process outlives the command
      close(ends[0]);
      run_rest(ends[1]);
      _exit(0);
    }
    close(ends[1]);
    pipe_ = ends[0];
  }

  // In the child.
  void run_rest(int out) const {
    for (size_t i = done_; i < share_.size(); ++i) {
      const std::string failure = runner_.run(cases_[share_[i]]);
      const std::string line =
          nlohmann::json(failure).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
          "\n";
      if (write(out, line.data(), line.size()) != static_cast<ssize_t>(line.size())) _exit(1);
    }
  }

  void end() {
    close(std::exchange(pipe_, -1));
    buffer_.clear();
    int status = 0;
    waitpid(child_, &status, 0);
    if (done_ == share_.size()) return;
    add_verdict(WIFSIGNALED(status)
                    ? fmt::format("crashed with signal {}", WTERMSIG(status))
                    : fmt::format("ended the process with code {}", WEXITSTATUS(status)));
    if (done_ < share_.size()) start();
  }

  void add_verdict(std::string failure) {
    const size_t index = share_[done_++];
    verdicts_[index] = {cases_[index].name, std::move(failure)};
  }

  const std::vector<Case>& cases_;
  std::vector<size_t> share_;
  const CaseRunner& runner_;
  std::vector<Verdict>& verdicts_;
  size_t done_ = 0;
  pid_t child_ = -1;
  int pipe_ = -1;
  std::string buffer_;
};

// Every process is forked from here, by the only thread there is: a child of a process with threads
// may wait for ever for a lock that another thread held.
std::vector<Verdict> run_cases(const std::vector<Case>& cases, size_t jobs,
                               const CaseRunner& runner) {
  std::vector<Verdict> verdicts(cases.size());
  std::vector<std::vector<size_t>> shares(jobs);
  for (size_t i = 0; i < cases.size(); ++i) shares[i % jobs].push_back(i);
  std::vector<std::unique_ptr<Worker>> workers;
  for (std::vector<size_t>& share : shares) {
    workers.push_back(std::make_unique<Worker>(cases, std::move(share), runner, verdicts));
  }
  Progress progress(cases.size());
  for (;;) {
    std::erase_if(workers, [](const auto& worker) { return worker->finished(); });
    if (workers.empty()) return verdicts;
    std::vector<pollfd> pipes;
    for (const auto& worker : workers) pipes.push_back({worker->pipe(), POLLIN, 0});
    if (poll(pipes.data(), pipes.size(), -1) < 0) continue;  // interrupted
    for (size_t i = 0; i < pipes.size(); ++i) {
      if (pipes[i].revents != 0) workers[i]->receive();
    }
    const auto count = [&](auto what) {
      return static_cast<size_t>(std::ranges::count_if(verdicts, what));
    };
    progress.show(
        count([](const Verdict& v) { return !v.name.empty(); }),
        std::to_string(count([](const Verdict& v) { return !v.failure.empty(); })) + " failed");
  }
}

std::vector<std::string> read_list(const std::string& path) {
  std::vector<std::string> names;
  const std::string text = read_file(path);
  for (size_t start = 0; start < text.size();) {
    const size_t end = std::min(text.find('\n', start), text.size());
    if (end > start && text[start] != '#') names.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  std::ranges::sort(names);
  return names;
}

// Compares with a list of the cases that pass, one name a line: a case that stopped passing is a
// difference, and so is one that passes without being listed.
std::vector<std::string> differences_from(const std::vector<std::string>& listed,
                                          const std::vector<Verdict>& verdicts) {
  std::vector<std::string> out;
  for (const Verdict& verdict : verdicts) {
    const bool is_listed = std::ranges::binary_search(listed, verdict.name);
    if (is_listed == verdict.failure.empty()) continue;
    out.push_back(is_listed
                      ? "listed as passing, but fails: " + verdict.name + ": " + verdict.failure
                      : "passes, but is not in the list: " + verdict.name);
  }
  for (const std::string& name : listed) {
    if (std::ranges::find(verdicts, name, &Verdict::name) == verdicts.end()) {
      out.push_back("in the list, but there is no such case: " + name);
    }
  }
  return out;
}

PlacementRequest request_of(const Args& args) {
  PlacementRequest request = PlacementRequest::parse(args.device);
  // What is tested is the device, where it can run a case at all.
  request.policy = PlacementPolicy::device_first;
  if (!request.device.is_cpu()) request.cpu_fallback = true;
  if (args.place.empty()) return request;
  constexpr std::string_view kRandom = "random:";
  const auto seed = args.place.starts_with(kRandom)
                        ? number<uint64_t>(std::string_view(args.place).substr(kRandom.size()))
                        : std::nullopt;
  if (!seed) {
    throw Error(ErrorCode::invalid_argument, "'" + args.place + "': expected --place random:SEED.");
  }
  request.random_seed = *seed;
  return request;
}

int test(const Args& args) {
  const bool json = wants_json(args.format);
  const PlacementRequest request = request_of(args);
  std::vector<std::string> listed;
  if (!args.list.empty()) listed = read_list(args.list);
  const std::vector<Case> cases = find_cases(args.paths);
  if (cases.empty()) throw Error(ErrorCode::not_found, "there are no test cases here.");
  const CaseRunner runner(request);
  const size_t jobs = std::min(cases.size(), static_cast<size_t>(std::max(1, args.jobs)));
  const std::vector<Verdict> verdicts = run_cases(cases, jobs, runner);

  int passed = 0;
  std::vector<std::string> differences;
  std::string text;
  nlohmann::ordered_json failures = nlohmann::ordered_json::array();
  for (const Verdict& verdict : verdicts) {
    if (verdict.failure.empty()) {
      ++passed;
      if (verbosity() > 0) text += "pass " + verdict.name + "\n";
      continue;
    }
    failures.push_back({{"name", verdict.name}, {"failure", verdict.failure}});
    if (args.list.empty()) differences.push_back("FAIL " + verdict.name + ": " + verdict.failure);
  }
  if (!args.list.empty()) differences = differences_from(listed, verdicts);
  for (const std::string& line : differences) text += line + "\n";
  text += fmt::format("{} passed, {} failed\n", passed, failures.size());
  if (json) {
    nlohmann::ordered_json out{
        {"passed", passed}, {"failed", failures.size()}, {"failures", std::move(failures)}};
    if (!args.list.empty()) out["differences_from_list"] = differences;
    text = out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  }
  print(text);
  return differences.empty() ? kOk : kFailed;
}

std::function<int()> setup(Options& options) {
  const auto args = std::make_shared<Args>();
  options.positionals("PATH", args->paths, "folders of cases, laid out as ONNX's backend tests");
  options.option("-d,--device", args->device, "cpu, sim:0, cuda:0; what it lacks runs on the CPU");
  options.option("--place", args->place, "random:SEED: each node on a random device");
  options.option("--jobs", args->jobs, "processes at once");
  options.option("--list", args->list, "the names that pass, a line each: a difference fails");
  options.format(args->format);
  return [args] { return test(*args); };
}

}  // namespace

const Verb kTest{"test", "Run conformance cases: models with inputs and expected outputs",
                 "  ferry test onnx/backend/test/data/node --jobs 2\n"
                 "  ferry test cases -d sim:0 --place random:1",
                 setup};

}  // namespace ferry::cli
