// Mutated models: damaged bytes, and well-formed messages with the wrong contents. Every one is
// refused or imported; none crashes, hangs, or takes memory that its size does not explain. The
// sanitizer builds run the same mutations.
//
// A failure prints the seed; FERRY_FUZZ_SEED replays one, FERRY_FUZZ_RUNS asks for more.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "ferry/error.h"
#include "importer/onnx_wire.pb.h"
#include "tests/fuzz/import_one.h"
#include "tests/support/model_builder.h"

namespace ferry::testing {
namespace {

using Random = std::mt19937_64;

size_t below(Random& random, size_t count) { return count == 0 ? 0 : random() % count; }

std::vector<std::string> seeds_from_files() {
  std::vector<std::string> seeds;
  for (const auto& entry : std::filesystem::directory_iterator(FERRY_MODELS)) {
    if (entry.path().extension() != ".onnx") continue;
    std::ifstream file(entry.path(), std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return seeds;
}

// One model with everything in it that the importer treats apart.
std::string rich_seed() {
  ModelBuilder model(17, 10);
  model.import("local", 1);
  model.input("c", boolean).input("x", float32, {"n", 4}).output("y", float32, {"n", 4});
  model.initializer<float>("w", {1, 2, 3, 4}, {4});
  auto* typed = model.graph()->add_initializer();
  typed->set_name("t");
  typed->set_data_type(6);
  typed->add_dims(2);
  typed->add_int32_data(3);
  typed->add_int32_data(-4);
  auto* sparse = model.graph()->add_sparse_initializer();
  set_tensor<float>(sparse->mutable_values(), {1}, {1}, float32);
  sparse->mutable_values()->set_name("s");
  set_tensor<int64_t>(sparse->mutable_indices(), {2}, {1}, int64);
  sparse->add_dims(4);
  auto* function = model.function("local", "F", {"a", "b"}, {"r"}, 6);
  function->add_attribute("limit");
  add_node(function, "Clip", {"a"}, {"k"}).reference("max", "limit", onnx::AttributeProto::FLOAT);
  add_node(function, "Add", {"k", "b"}, {"r"}).attr("broadcast", 1).attr("axis", 1);
  model.node("F", {"x", "w"}, {"f"}).name("call").domain("local").attr("limit", 2.f);
  NodeBuilder choose = model.node("If", {"c"}, {"h"}).name("choose");
  for (const char* branch : {"then_branch", "else_branch"}) {
    GraphProtoBuilder body(choose.graph(branch));
    body.node("Mul", {"f", "s"}, {std::string("m_") + branch});
    body.untyped_output(std::string("m_") + branch);
  }
  NodeBuilder loop = model.node("Loop", {"", "c", "h"}, {"l", "all"}).name("loop");
  GraphProtoBuilder body(loop.graph("body"));
  body.input("i", int64).input("go", boolean).untyped_input("v");
  set_tensor<float>(body.node("Constant", {}, {"one"}).tensor("value"), {1}, {1}, float32);
  body.node("Add", {"v", "one"}, {"next"});
  body.untyped_output("go").untyped_output("next").untyped_output("next");
  model.node("Softmax", {"l"}, {"y"}).attr("axis", 1);
  return model.bytes();
}

std::string damage(std::string bytes, Random& random) {
  int changes = 1 + static_cast<int>(below(random, 4));
  for (int i = 0; i < changes && !bytes.empty(); ++i) {
    size_t at = below(random, bytes.size());
    switch (below(random, 7)) {
      case 0:
        bytes[at] = static_cast<char>(random());
        break;
      case 1:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(random, 8)));
        break;
      case 2:
        bytes.resize(at);
        break;
      case 3:
        bytes.erase(at, 1 + below(random, 8));
        break;
      case 4:
        bytes.insert(at, std::string(1 + below(random, 10), '\xff'));
        break;
      case 5:
        bytes.insert(at, bytes.substr(below(random, bytes.size()), below(random, 64)));
        break;
      default:
        bytes[at] = static_cast<char>(below(random, 2) == 0 ? 0x7f : 0x80);
    }
  }
  return bytes;
}

int64_t odd_number(Random& random) {
  constexpr int64_t kNumbers[] = {0,         1,         -1,        2,         27,
                                  INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, int64_t{1} << 40};
  return kNumbers[below(random, std::size(kNumbers))];
}

// The graphs of a model, its own and those of bodies.
void collect(onnx::GraphProto* graph, std::vector<onnx::GraphProto*>& graphs) {
  graphs.push_back(graph);
  for (onnx::NodeProto& node : *graph->mutable_node()) {
    for (onnx::AttributeProto& attribute : *node.mutable_attribute()) {
      if (attribute.has_g()) collect(attribute.mutable_g(), graphs);
    }
  }
}

std::string any_name(onnx::GraphProto& graph, Random& random) {
  if (graph.node_size() == 0) return "";
  const onnx::NodeProto& node = graph.node(static_cast<int>(below(random, graph.node_size())));
  if (node.output_size() > 0 && below(random, 2) == 0) return node.output(0);
  return node.input_size() > 0 ? node.input(0) : "x";
}

void change_attribute(onnx::AttributeProto& attribute, Random& random) {
  switch (below(random, 6)) {
    case 0:
      attribute.set_i(odd_number(random));
      break;
    case 1:
      attribute.set_type(static_cast<int>(odd_number(random)));
      break;
    case 2:
      attribute.add_ints(odd_number(random));
      break;
    case 3:
      attribute.set_name(below(random, 2) == 0 ? "axis" : "");
      break;
    case 4:
      attribute.set_ref_attr_name("limit");
      break;
    default:
      if (attribute.has_t()) attribute.mutable_t()->add_dims(odd_number(random));
  }
}

void change_tensor(onnx::TensorProto& tensor, Random& random) {
  switch (below(random, 5)) {
    case 0:
      tensor.set_data_type(static_cast<int>(below(random, 30)));
      break;
    case 1:
      tensor.add_dims(odd_number(random));
      break;
    case 2:
      tensor.set_data_location(1);
      break;
    case 3:
      tensor.add_int32_data(static_cast<int>(odd_number(random)));
      break;
    default:
      tensor.set_raw_data(std::string(below(random, 64), '\x01'));
  }
}

// A well-formed model that says something else.
std::string rewrite(const std::string& bytes, Random& random) {
  constexpr const char* kOperators[] = {
      "Add",     "If", "Loop", "Constant", "Reshape", "Split",  "Scan",    "Clip",   "Upsample",
      "Dropout", "F",  "LSTM", "Conv",     "Slice",   "Resize", "Softmax", "Concat", "Gather"};
  onnx::ModelProto model;
  if (!model.ParseFromString(bytes)) return bytes;
  std::vector<onnx::GraphProto*> graphs;
  collect(model.mutable_graph(), graphs);
  onnx::GraphProto& graph = *graphs[below(random, graphs.size())];
  if (below(random, 8) == 0 && model.opset_import_size() > 0) {
    model.mutable_opset_import(0)->set_version(1 + static_cast<int64_t>(below(random, 30)));
  }
  if (below(random, 8) == 0 && graph.initializer_size() > 0) {
    int i = static_cast<int>(below(random, graph.initializer_size()));
    change_tensor(*graph.mutable_initializer(i), random);
  }
  if (graph.node_size() == 0) return model.SerializeAsString();
  onnx::NodeProto& node = *graph.mutable_node(static_cast<int>(below(random, graph.node_size())));
  switch (below(random, 9)) {
    case 0:
      node.set_op_type(kOperators[below(random, std::size(kOperators))]);
      break;
    case 1:
      node.add_input(any_name(graph, random));
      break;
    case 2:
      if (node.input_size() > 0) {
        int i = static_cast<int>(below(random, node.input_size()));
        node.set_input(i, below(random, 4) == 0 ? "" : any_name(graph, random));
      }
      break;
    case 3:
      node.add_output(below(random, 2) == 0 ? "fresh" : any_name(graph, random));
      break;
    case 4:
      if (node.attribute_size() > 0) {
        int i = static_cast<int>(below(random, node.attribute_size()));
        change_attribute(*node.mutable_attribute(i), random);
      }
      break;
    case 5:
      if (graph.node_size() > 1) graph.mutable_node()->SwapElements(0, graph.node_size() - 1);
      break;
    case 6:
      *graph.add_node() = node;
      break;
    case 7:
      graph.mutable_node()->RemoveLast();
      break;
    default:
      if (model.functions_size() > 0) *model.mutable_functions(0)->add_node() = node;
  }
  return model.SerializeAsString();
}

uint64_t number_from_environment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

void run(const char* what, std::string (*mutate)(const std::string&, Random&)) {
  std::vector<std::string> seeds = seeds_from_files();
  ASSERT_GE(seeds.size(), 6u);
  // Half of the runs start from the model that has everything.
  while (seeds.size() < 12) seeds.push_back(rich_seed());
  uint64_t first = number_from_environment("FERRY_FUZZ_SEED", 1);
  uint64_t runs = std::getenv("FERRY_FUZZ_SEED") != nullptr
                      ? 1
                      : number_from_environment("FERRY_FUZZ_RUNS", 4000);
  for (uint64_t seed = first; seed < first + runs; ++seed) {
    Random random(seed);
    std::string bytes = seeds[below(random, seeds.size())];
    for (size_t i = below(random, 4) + 1; i > 0; --i) bytes = mutate(bytes, random);
    auto start = std::chrono::steady_clock::now();
    try {
      import_one(as_bytes(bytes));
    } catch (const std::exception& error) {
      ADD_FAILURE() << what << ", FERRY_FUZZ_SEED=" << seed << ": " << error.what();
    }
    double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    EXPECT_LT(seconds, 10) << what << ", FERRY_FUZZ_SEED=" << seed;
  }
}

TEST(ImporterMutation, DamagedBytes) {
  run("damaged bytes",
      [](const std::string& bytes, Random& random) { return damage(bytes, random); });
}

TEST(ImporterMutation, WrongContents) { run("wrong contents", rewrite); }

TEST(ImporterMutation, TheSeedItselfIsImported) { import_one(as_bytes(rich_seed())); }

}  // namespace
}  // namespace ferry::testing
