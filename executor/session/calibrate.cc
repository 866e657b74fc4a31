#include "ferry/calibrate.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>
#include <utility>

#include "devices/copy.h"
#include "executor/plan/facts.h"
#include "executor/session/model_impl.h"
#include "ferry/error.h"
#include "graph/infer.h"
#include "placement/profiles.h"

namespace ferry {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct Sample {
  double median = 0, spread = 0;
};

Sample summarize(std::vector<double> values) {
  std::ranges::sort(values);
  const size_t last = values.size() - 1;
  Sample sample{values[values.size() / 2]};
  if (sample.median > 0) {
    sample.spread = (values[last - last / 4] - values[last / 4]) / 2 / sample.median;
  }
  return sample;
}

// Numbers around 1, none of which is 0 or rounds to it: the time of a product must not depend on
// them, and on some GPUs its power does.
Tensor operand(Shape shape, DType dtype) {
  Tensor out = Tensor::empty(std::move(shape));
  auto* elements = static_cast<float*>(out.mutable_data());
  uint32_t state = 1;
  for (int64_t i = 0; i < out.numel(); ++i) {
    state = state * 1664525u + 1013904223u;
    elements[i] = 1.0f + static_cast<float>(state >> 9) * 0x1p-23f;
  }
  return out.to(dtype);
}

// What the nodes of a probe are.
struct Question {
  std::string op;
  DType dtype = DType::float32;
  Shape shape;              // of the input that every node reads
  bool has_weight = false;  // a second input like the first
  bool chained = false;     // each node reads the one before it
};

Graph graph_of(const Question& question, int count, const Tensor& weight) {
  Graph graph;
  graph.name = "calibration";
  const Dims dims(question.shape.begin(), question.shape.end());
  const ValueId x = graph.add_input("x", {.dtype = question.dtype, .shape = dims});
  const ValueId w = question.has_weight ? graph.add_constant("w", weight) : kNoValue;
  ValueId last = x;
  for (int i = 0; i < count; ++i) {
    Node node;
    node.op = question.op;
    node.name = fmt::format("/{}_{}", question.op, i);
    node.inputs = {question.chained ? last : x};
    if (question.has_weight) node.inputs.push_back(w);
    last = graph.add_value({.name = fmt::format("y{}", i)});
    node.outputs = {last};
    graph.add_node(std::move(node));
  }
  graph.set_outputs({last});
  infer(graph);
  return graph;
}

// A model of `count` such nodes on `device`, as the executor runs every model.
class Probe {
 public:
  Probe(const Question& question, const Tensor& weight, int count, Device device, int threads)
      : model_(graph_of(question, count, weight), {.threads = threads}), inputs_{{"x", weight}} {
    PlacementRequest request;
    request.device = device;
    model_.apply(place(model_.graph, request, KernelCapability()));
    (void)seconds();  // plans, and packs the weight
  }

  double seconds() {
    const auto start = Clock::now();
    (void)model_.run(inputs_, {});
    return seconds_since(start);
  }

 private:
  Model::Impl model_;
  Inputs inputs_;
};

class Calibrator {
 public:
  Calibrator(Device device, const CalibrateOptions& options) : device_(device), options_(options) {}

  bool can_run(const Question& question) const {
    const Graph graph = graph_of(question, 1, Tensor::full(question.shape, 1, question.dtype));
    const Node& node = graph.node(graph.order()[0]);
    return KernelCapability().ask(graph, node, device_).support.ok;
  }

  // Of products of two square matrices, as large as takes node_seconds.
  Sample flops(Question product) const {
    constexpr int64_t kSmallest = 64, kLargest = 8192;
    int64_t size = kSmallest;
    product.shape = {size, size};
    while (size < kLargest && quick_seconds(product) < options_.node_seconds) {
      size *= 2;
      product.shape = {size, size};
    }
    const double operations = 2.0 * static_cast<double>(size * size * size);
    return rate(operations, seconds_per_node(product, 1, 5));
  }

  // Of an elementwise node that is far too large for any cache.
  Sample bytes_per_second() const {
    constexpr int64_t kSmallest = int64_t{1} << 20, kLargest = int64_t{1} << 26;  // elements
    Question question{.op = "Neg", .shape = {kSmallest}};
    while (question.shape[0] < kLargest && quick_seconds(question) < options_.node_seconds) {
      question.shape[0] *= 2;
    }
    const double bytes = 2 * 4.0 * static_cast<double>(question.shape[0]);
    return rate(bytes, seconds_per_node(question, 1, 5));
  }

  // Of a node of a chain that has next to nothing to do.
  Sample launch_seconds() const {
    const Question question{.op = "Neg", .shape = {16}, .chained = true};
    return summarize(seconds_per_node(question, 100, 2100));
  }

  // A copy of 4 bytes of pageable memory, waited for, over both directions.
  Sample latency_seconds() const {
    constexpr int kTimes = 100;
    std::vector<double> times;
    Tensor host = Tensor::full({1}, 1);
    for (int i = 0; i < options_.repetitions; ++i) {
      const auto start = Clock::now();
      for (int j = 0; j < kTimes; ++j) copy_both_ways(host.mutable_data(), 4);
      times.push_back(seconds_since(start) / (2 * kTimes));
    }
    return summarize(std::move(times));
  }

  Sample link_bytes_per_second(bool pinned, double latency) const {
    constexpr size_t kLargest = size_t{1} << 27;
    for (size_t bytes = size_t{1} << 20;; bytes *= 2) {
      const std::shared_ptr<Storage> host =
          pinned ? allocate_pinned_for(device_, bytes) : allocate_on(Device::cpu(), bytes);
      std::fill_n(static_cast<std::byte*>(host->data()), bytes, std::byte{1});
      const auto both_ways = [&] {
        const auto start = Clock::now();
        copy_both_ways(host->data(), bytes);
        return seconds_since(start) / 2;
      };
      if (both_ways() < options_.node_seconds && bytes < kLargest) continue;
      std::vector<double> times;
      for (int i = 0; i < options_.repetitions; ++i) {
        times.push_back(std::max(both_ways() - latency, 1e-9));
      }
      return rate(static_cast<double>(bytes), std::move(times));
    }
  }

 private:
  double quick_seconds(const Question& question) const {
    const Tensor weight = operand(question.shape, question.dtype);
    return Probe(question, weight, 1, device_, options_.threads).seconds();
  }

  // The time that one node more takes, once per repetition: what a run costs beside its nodes, the
  // copies of its input and output included, falls out.
  std::vector<double> seconds_per_node(const Question& question, int few, int many) const {
    constexpr int kTries = 5;
    const Tensor weight = operand(question.shape, question.dtype);
    Probe less(question, weight, few, device_, options_.threads);
    for (int i = 0; i < kTries; ++i, many *= 2) {
      Probe more(question, weight, many, device_, options_.threads);
      std::vector<double> times;
      for (int j = 0; j < options_.repetitions; ++j) {
        const double without = less.seconds();
        times.push_back((more.seconds() - without) / (many - few));
      }
      if (summarize(times).median > 0) return times;
    }
    throw Error(ErrorCode::runtime,
                "'" + question.op + "' cannot be measured on " + device_.str() +
                    ": runs differ by more than what its nodes take. Try again when nothing else "
                    "runs on this machine.");
  }

  static Sample rate(double work, std::vector<double> times) {
    for (double& time : times) time = work / std::max(time, 1e-12);
    return summarize(std::move(times));
  }

  void copy_both_ways(void* host, size_t bytes) const {
    if (there_ == nullptr || there_->bytes() < bytes) there_ = allocate_on(device_, bytes);
    if (stream_ == nullptr) stream_ = backend(device_).create_stream();
    stream_->copy(there_->data(), host, bytes, CopyDirection::host_to_device);
    stream_->synchronize();
    stream_->copy(host, there_->data(), bytes, CopyDirection::device_to_host);
    stream_->synchronize();
  }

  Device device_;
  const CalibrateOptions& options_;
  mutable std::shared_ptr<Storage> there_;
  mutable std::unique_ptr<Stream> stream_;
};

// "2026-11-24"
std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[16];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d", &parts)};
}

// Four digits say more than the spread allows.
double rounded(double value) { return std::stod(fmt::format("{:.3e}", value)); }

// One device, and the link to it, with what they are to become in the file.
class DeviceCalibration {
 public:
  DeviceCalibration(Device device, const CalibrateOptions& options, Calibration& out)
      : device_(device),
        name_(KernelCapability().device_name(device)),
        simulated_(KernelCapability().simulated(device)),
        options_(options),
        calibrator_(device, options),
        out_(out) {
    const Profiles known = Profiles::load();
    assumed_ = known.device(name_, device.is_cpu());
    if (!device.is_cpu()) assumed_link_ = known.link(name_);
    for (const DType dtype : {float32, float64, float16, bfloat16, int8}) {
      Question product{.op = dtype == int8 ? "MatMulInteger" : "MatMul",
                       .dtype = dtype,
                       .shape = {64, 64},
                       .has_weight = true};
      if (calibrator_.can_run(product)) products_.push_back(product);
    }
  }

  const std::string& name() const { return name_; }
  int steps() const { return static_cast<int>(products_.size()) + (device_.is_cpu() ? 2 : 5); }

  // `step` is called before each measurement, with what it is of.
  void run(Json& devices, Json& links, const std::function<void(const std::string&)>& step) {
    Json flops = Json::object();
    for (const Question& product : products_) {
      const std::string dtype(to_string(product.dtype));
      step(dtype + " products on " + device_.str());
      const auto known = assumed_.flops.find(product.dtype);
      flops[dtype] =
          record("flops." + dtype, calibrator_.flops(product),
                 known == assumed_.flops.end() ? assumed_.flops.at(float32) : known->second);
    }
    step("memory of " + device_.str());
    const Json bytes =
        record("bytes_per_second", calibrator_.bytes_per_second(), assumed_.bytes_per_second);
    step("launches on " + device_.str());
    const Json launch =
        record("launch_seconds", calibrator_.launch_seconds(), assumed_.launch_seconds);
    Json entry = head(name_);
    entry["kind"] = device_.is_cpu() ? "cpu" : "gpu";
    if (!device_.is_cpu()) {
      entry["match"] = {name_};
      entry["link"] = link_name();
    }
    entry["flops"] = std::move(flops);
    entry["bytes_per_second"] = bytes;
    entry["launch_seconds"] = launch;
    if (!device_.is_cpu()) {
      entry["memory_bytes"] = backend(device_).properties().memory_bytes;
      links.push_back(run_link(step));
    }
    devices.push_back(std::move(entry));
  }

 private:
  Json run_link(const std::function<void(const std::string&)>& step) {
    Json entry = head(link_name());
    step("latency of " + link_name());
    const Sample latency = calibrator_.latency_seconds();
    step("pinned copies, " + link_name());
    entry["pinned_bytes_per_second"] = record(
        "link.pinned_bytes_per_second", calibrator_.link_bytes_per_second(true, latency.median),
        assumed_link_.pinned_bytes_per_second);
    step("pageable copies, " + link_name());
    entry["pageable_bytes_per_second"] = record(
        "link.pageable_bytes_per_second", calibrator_.link_bytes_per_second(false, latency.median),
        assumed_link_.bytes_per_second);
    entry["latency_seconds"] =
        record("link.latency_seconds", latency, assumed_link_.latency_seconds);
    return entry;
  }

  std::string link_name() const { return "link to " + name_; }

  Json head(const std::string& name) const {
    Json entry{{"name", name}, {"source", "measured " + today() + " by ferry devices --calibrate"}};
    if (simulated_) entry["simulated"] = true;
    return entry;
  }

  Json record(const std::string& key, const Sample& sample, double assumed) {
    out_.measurements.push_back({device_, key, rounded(sample.median), sample.spread, assumed});
    return {{"value", rounded(sample.median)},
            {"source", fmt::format("median of {}, spread {:.1f} %", options_.repetitions,
                                   100 * sample.spread)}};
  }

  Device device_;
  std::string name_;
  bool simulated_;
  const CalibrateOptions& options_;
  Calibrator calibrator_;
  Calibration& out_;
  DeviceProfile assumed_;
  LinkProfile assumed_link_;
  std::vector<Question> products_;
};

std::vector<Device> devices_of(const CalibrateOptions& options) {
  if (!options.devices.empty()) return options.devices;
  std::vector<Device> devices{Device::cpu()};
  for (int i = 0; i < device_count(DeviceKind::cuda); ++i) {
    devices.emplace_back(DeviceKind::cuda, i);
  }
  return devices;
}

}  // namespace

Calibration calibrate(const CalibrateOptions& options) {
  if (options.repetitions < 1 || !(options.node_seconds > 0 && options.node_seconds <= 1)) {
    throw Error(
        ErrorCode::invalid_argument,
        fmt::format("a calibration needs at least 1 repetition and nodes of up to 1 second; "
                    "{} and {} were asked for.",
                    options.repetitions, options.node_seconds));
  }
  Calibration out;
  std::vector<DeviceCalibration> devices;
  std::set<std::string> names;
  int total = 0;
  for (const Device device : devices_of(options)) {
    DeviceCalibration calibration(device, options, out);
    if (!names.insert(calibration.name()).second) continue;
    total += calibration.steps();
    devices.push_back(std::move(calibration));
  }
  int done = 0;
  const auto step = [&](const std::string& what) {
    if (options.progress) options.progress(done, total, what);
    ++done;
  };
  Json json{{"schema", "ferry.profiles/1"}, {"devices", Json::array()}, {"links", Json::array()}};
  for (DeviceCalibration& device : devices) device.run(json["devices"], json["links"], step);
  out.json = json.dump(2) + "\n";
  return out;
}

}  // namespace ferry
