// What the fastest placement is worth against the greedy one, by prediction:
//
//   ferry-bench-placement OUT.csv MODEL_OR_FOLDER...
//
// Every model is placed for every card, batch and number of operators that are declared unsupported
// on the GPU (seeded); the table goes to OUT.csv, its summary, as bench/results.md keeps it, to
// stdout. A placement that is dearer than the greedy one is a failure.
#include "placement/placement.h"

#include <ferry/ferry.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "executor/plan/facts.h"

namespace fs = std::filesystem;

namespace ferry {
namespace {

constexpr Device kGpu{DeviceKind::cuda, 0};
constexpr int kSeeds = 3;
constexpr int64_t kOtherSize = 128;  // of symbols that are no batch
constexpr const char* kHost = "8 cores";

constexpr const char* kCards[] = {"T4", "RTX 4090", "H100"};
constexpr const char* kLinks[] = {"PCIe 3", "PCIe 4"};
constexpr int64_t kBatches[] = {1, 32};
constexpr int kUnsupported[] = {0, 1, 5, 10};

// A host of 8 cores and one GPU with the kernels that Ferry has for GPUs, without those of some
// operators.
class OneGpu : public Capability {
 public:
  OneGpu(std::string card, std::set<std::string, std::less<>> unsupported)
      : card_(std::move(card)), unsupported_(std::move(unsupported)) {}

  NodeCapability ask(const Graph& graph, const Node& node, Device device) const override {
    if (device.is_cpu()) return tables_.ask(graph, node, device);
    if (!unsupported_.contains(node.op)) return tables_.ask(graph, node, Device("sim:0"));
    NodeCapability none;
    none.support = Support::no(ReasonCode::no_kernel, "declared unsupported");
    return none;
  }
  std::string device_name(Device device) const override { return device.is_cpu() ? kHost : card_; }
  bool simulated(Device) const override { return false; }

 private:
  KernelCapability tables_;
  std::string card_;
  std::set<std::string, std::less<>> unsupported_;
};

struct Outcome {
  double seconds = 0;
  int copies = 0, islands = 0;
  int64_t bytes = 0;
};

struct Row {
  std::string model;
  size_t nodes = 0;
  std::string card, link;
  int64_t batch = 1;
  int unsupported = 0;
  int seed = 0;
  std::string operators;
  Outcome fastest, greedy;
  double cpu_seconds = 0;

  double gain() const { return greedy.seconds / fastest.seconds; }
};

// Sizes for every symbol of the inputs: the first axis is the batch. A model that is given what
// came before ("past") is given one token.
std::map<std::string, int64_t> sizes_of(const Graph& graph, int64_t batch) {
  std::map<std::string, int64_t> sizes;
  bool has_past = false;
  for (const ValueId id : graph.inputs()) {
    const auto& shape = graph.value(id).type.shape;
    for (size_t axis = 0; shape && axis < shape->size(); ++axis) {
      std::vector<std::string> symbols;
      (*shape)[axis].collect_symbols(symbols);
      for (const std::string& symbol : symbols) {
        has_past = has_past || symbol.find("past") != symbol.npos;
        sizes.emplace(symbol, axis == 0 ? batch : kOtherSize);
      }
    }
  }
  for (auto& [symbol, size] : sizes) {
    if (has_past && size == kOtherSize && symbol.find("past") == symbol.npos) size = 1;
  }
  return sizes;
}

// Operators with a node that the GPU can run.
void collect_operators(const Graph& graph, const Capability& gpu, std::set<std::string>& out) {
  for (const NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    if (gpu.ask(graph, node, kGpu).support.ok) out.insert(node.op);
    for (const auto& body : node.bodies) collect_operators(*body, gpu, out);
  }
}

// FNV-1a, so that each model has its own choice whatever the others are.
uint32_t hash(std::string_view text) {
  uint32_t h = 2166136261u;
  for (const char c : text) h = (h ^ static_cast<uint8_t>(c)) * 16777619u;
  return h;
}

std::vector<std::string> choose(const std::set<std::string>& operators, int count,
                                const std::string& model, int seed) {
  std::vector<std::string> chosen(operators.begin(), operators.end());
  std::mt19937 random(hash(model) + static_cast<uint32_t>(seed));
  for (size_t i = chosen.size(); i > 1; --i) std::swap(chosen[i - 1], chosen[random() % i]);
  chosen.resize(static_cast<size_t>(count));
  std::ranges::sort(chosen);
  return chosen;
}

Outcome outcome_of(const Placement& placement, double seconds) {
  const RunCopies copies = placement.run_copies();
  Outcome out{.seconds = seconds, .copies = copies.count, .bytes = copies.bytes()};
  for (const NodePlacement& node : placement.nodes())
    out.islands = std::max(out.islands, node.island);
  return out;
}

class Bench {
 public:
  void run(const std::string& name, const std::string& path) {
    const Model model = Model::load(path, {.threads = 1});
    const Graph& graph = model.placement().data()->graph;
    std::set<std::string> operators;
    collect_operators(graph, OneGpu("", {}), operators);
    Row row;
    row.model = name;
    row.nodes = model.placement().nodes().size();
    for (const int count : kUnsupported) {
      if (count > static_cast<int>(operators.size())) break;
      row.unsupported = count;
      for (row.seed = 0; row.seed < (count == 0 ? 1 : kSeeds); ++row.seed) {
        const std::vector<std::string> chosen = choose(operators, count, name, row.seed);
        row.operators = fmt::format("{}", fmt::join(chosen, " "));
        for (const char* card : kCards) {
          for (const char* link : kLinks) place_both(graph, card, link, chosen, row);
        }
      }
    }
  }

  const std::vector<Row>& rows() const { return rows_; }

 private:
  void place_both(const Graph& graph, const std::string& card, const std::string& link,
                  const std::vector<std::string>& chosen, Row row) {
    const OneGpu machine(card, {chosen.begin(), chosen.end()});
    PlacementRequest request;
    request.device = kGpu;
    request.cpu_fallback = true;
    request.assumed_devices[kGpu] = AssumedDevice::parse(card + "," + link);
    row.card = card;
    row.link = link;
    for (const int64_t batch : kBatches) {
      row.batch = batch;
      request.dims = sizes_of(graph, batch);
      request.policy = PlacementPolicy::fastest;
      const Placement fastest = place(graph, request, machine);
      const Prediction& prediction = fastest.prediction();
      request.policy = PlacementPolicy::device_first;
      row.fastest = outcome_of(fastest, prediction.seconds);
      row.greedy = outcome_of(place(graph, request, machine), *prediction.device_first_seconds);
      row.cpu_seconds = prediction.cpu_seconds.value_or(0);
      rows_.push_back(row);
    }
  }

  std::vector<Row> rows_;
};

// ---- the tables ---------------------------------------------------------------------------------

double geometric_mean(const std::vector<const Row*>& rows) {
  double sum = 0;
  for (const Row* row : rows) sum += std::log(row->gain());
  return rows.empty() ? 1 : std::exp(sum / static_cast<double>(rows.size()));
}

template <typename Key>
std::map<Key, std::vector<const Row*>> grouped(const std::vector<Row>& rows,
                                               Key (*key)(const Row&)) {
  std::map<Key, std::vector<const Row*>> groups;
  for (const Row& row : rows) groups[key(row)].push_back(&row);
  return groups;
}

std::vector<const Row*> with_unsupported(const std::vector<const Row*>& rows, int count) {
  std::vector<const Row*> out;
  for (const Row* row : rows) {
    if (row->unsupported == count) out.push_back(row);
  }
  return out;
}

size_t index_of(std::span<const char* const> names, const std::string& name) {
  return static_cast<size_t>(std::ranges::find(names, name) - names.begin());
}

void print_summary(const std::vector<Row>& rows) {
  std::puts(
      "| card, link, batch | greedy / fastest: geometric mean | worst | fastest is cheaper in, % | "
      "greedy is dearer than the CPU alone in, % |\n"
      "| --- | --- | --- | --- | --- |");
  using Key = std::tuple<size_t, size_t, int64_t>;
  for (const auto& [key, group] : grouped<Key>(rows, [](const Row& row) {
         return Key(index_of(kCards, row.card), index_of(kLinks, row.link), row.batch);
       })) {
    std::vector<std::string> means, cheaper, dearer;
    for (const int count : kUnsupported) {
      const std::vector<const Row*> own = with_unsupported(group, count);
      const auto share = [&](bool (*holds)(const Row*)) {
        return fmt::format("{:.0f}", 100.0 *
                                         static_cast<double>(std::ranges::count_if(own, holds)) /
                                         static_cast<double>(std::max<size_t>(1, own.size())));
      };
      means.push_back(fmt::format("{:.2f}", geometric_mean(own)));
      cheaper.push_back(share([](const Row* row) { return row->gain() > 1.001; }));
      dearer.push_back(share([](const Row* row) {
        return row->cpu_seconds > 0 && row->greedy.seconds > row->cpu_seconds * 1.001;
      }));
    }
    const Row& worst = **std::ranges::max_element(group, {}, &Row::gain);
    fmt::print("| {}, {}, {} | {} | {:.1f} ({}, {}) | {} | {} |\n", worst.card, worst.link,
               worst.batch, fmt::join(means, " / "), worst.gain(), worst.model, worst.unsupported,
               fmt::join(cheaper, " / "), fmt::join(dearer, " / "));
  }
}

// greedy / fastest by model and batch: one column a card, one number for each count of unsupported
// operators.
void print_models(const std::vector<Row>& rows, const std::string& link) {
  fmt::print("\ngreedy / fastest with {} unsupported operators, {}:\n\n",
             fmt::join(kUnsupported, " / "), link);
  fmt::print("| model, batch | nodes | {} |\n| --- | --- |{}\n", fmt::join(kCards, " | "),
             " --- | --- | --- |");
  using Key = std::tuple<std::string, int64_t>;
  for (const auto& [key, group] :
       grouped<Key>(rows, [](const Row& row) { return Key(row.model, row.batch); })) {
    std::string line =
        fmt::format("| {}, {} | {} |", std::get<0>(key), std::get<1>(key), group[0]->nodes);
    for (const char* card : kCards) {
      std::vector<const Row*> own;
      for (const Row* row : group) {
        if (row->card == card && row->link == link) own.push_back(row);
      }
      std::vector<std::string> cells;
      for (const int count : kUnsupported) {
        const std::vector<const Row*> counted = with_unsupported(own, count);
        if (!counted.empty()) cells.push_back(fmt::format("{:.2f}", geometric_mean(counted)));
      }
      line += fmt::format(" {} |", fmt::join(cells, " / "));
    }
    std::puts(line.c_str());
  }
}

// What is behind one case of each model.
void print_case(const std::vector<Row>& rows, const std::string& card, const std::string& link,
                int count) {
  fmt::print("\n{}, {}, batch 1, {} unsupported operators (seed 0):\n\n", card, link, count);
  std::puts(
      "| model | seconds: greedy | fastest | the CPU alone | copies: greedy | fastest | MiB: "
      "greedy "
      "| fastest | islands: greedy | fastest | unsupported |\n"
      "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
  for (const Row& row : rows) {
    if (row.card != card || row.link != link || row.batch != 1 || row.unsupported != count ||
        row.seed != 0) {
      continue;
    }
    fmt::print("| {} | {:.3g} | {:.3g} | {} | {} | {} | {:.2f} | {:.2f} | {} | {} | {} |\n",
               row.model, row.greedy.seconds, row.fastest.seconds,
               row.cpu_seconds > 0 ? fmt::format("{:.3g}", row.cpu_seconds) : "-",
               row.greedy.copies, row.fastest.copies,
               static_cast<double>(row.greedy.bytes) / (1 << 20),
               static_cast<double>(row.fastest.bytes) / (1 << 20), row.greedy.islands,
               row.fastest.islands, row.operators);
  }
}

void write_csv(const std::string& path, const std::vector<Row>& rows) {
  std::ofstream out(path);
  out << "model,nodes,card,link,batch,unsupported,seed,operators,greedy_seconds,fastest_seconds,"
         "cpu_seconds,greedy_copies,fastest_copies,greedy_bytes,fastest_bytes,greedy_islands,"
         "fastest_islands\n";
  for (const Row& row : rows) {
    out << fmt::format("{},{},{},{},{},{},{},{},{:.9g},{:.9g},{:.9g},{},{},{},{},{},{}\n",
                       row.model, row.nodes, row.card, row.link, row.batch, row.unsupported,
                       row.seed, row.operators, row.greedy.seconds, row.fastest.seconds,
                       row.cpu_seconds, row.greedy.copies, row.fastest.copies, row.greedy.bytes,
                       row.fastest.bytes, row.greedy.islands, row.fastest.islands);
  }
  if (!out.flush()) throw Error(ErrorCode::io, path + " could not be written.");
}

// ---- the models ---------------------------------------------------------------------------------

// Names and paths: NAME.onnx, or NAME/model.onnx.
std::map<std::string, std::string> models_in(const std::vector<std::string>& arguments) {
  std::map<std::string, std::string> models;
  const auto add = [&](const fs::path& path) {
    const fs::path name = path.stem() == "model" ? path.parent_path().filename() : path.stem();
    models.emplace(name, path);
  };
  for (const std::string& argument : arguments) {
    if (!fs::is_directory(argument)) {
      add(argument);
      continue;
    }
    for (const auto& entry : fs::recursive_directory_iterator(argument)) {
      if (entry.path().extension() == ".onnx") add(entry.path());
    }
  }
  return models;
}

int run(const std::string& csv, const std::vector<std::string>& arguments) {
  Bench bench;
  int loaded = 0;
  for (const auto& [name, path] : models_in(arguments)) {
    try {
      bench.run(name, path);
      ++loaded;
    } catch (const Error& error) {
      const std::string& message = error.message();
      fmt::print(stderr, "{}: {}\n", name, message.substr(0, message.find('\n')));
    }
  }
  const std::vector<Row>& rows = bench.rows();
  write_csv(csv, rows);
  fmt::print("{} models, {} placements of each kind, host: {}; {} unsupported operators:\n\n",
             loaded, rows.size(), kHost, fmt::join(kUnsupported, " / "));
  print_summary(rows);
  if (loaded <= 16) {
    print_models(rows, "PCIe 4");
    print_case(rows, "T4", "PCIe 3", 0);
    print_case(rows, "T4", "PCIe 3", 5);
  }
  const auto dearer =
      std::ranges::find_if(rows, [](const Row& row) { return row.gain() < 1 - 1e-9; });
  if (dearer == rows.end()) return 0;
  fmt::print(stderr, "the fastest placement of {} on {} is dearer than the greedy one\n",
             dearer->model, dearer->card);
  return 1;
}

}  // namespace
}  // namespace ferry

int main(int argc, char** argv) try {
  if (argc < 3) {
    std::fprintf(stderr, "usage: ferry-bench-placement OUT.csv MODEL_OR_FOLDER...\n");
    return 2;
  }
  return ferry::run(argv[1], {argv + 2, argv + argc});
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
