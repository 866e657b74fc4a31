// Mutated models: damaged bytes, and well-formed messages with the wrong contents. Every one is
// refused or imported; none crashes, hangs, or takes memory that its size does not explain. The
// sanitizer builds run the same mutations.
//
// A failure prints the seed; FERRY_FUZZ_SEED replays one, FERRY_FUZZ_RUNS asks for more.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "ferry/error.h"
#include "importer/format/onnx_wire.pb.h"
#include "tests/fuzz/import_one.h"
#include "tests/fuzz/mutate.h"
#include "tests/support/model_builder.h"

namespace ferry::testing {
namespace {

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

uint64_t number_from_environment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// Imports what `mutant` makes of each seed.
void run(const char* what, const std::function<std::string(uint64_t)>& mutant) {
  uint64_t first = number_from_environment("FERRY_FUZZ_SEED", 1);
  uint64_t runs = std::getenv("FERRY_FUZZ_SEED") != nullptr
                      ? 1
                      : number_from_environment("FERRY_FUZZ_RUNS", 4000);
  for (uint64_t seed = first; seed < first + runs; ++seed) {
    std::string bytes = mutant(seed);
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

// The project's models, and as many times the model that has everything.
std::vector<Specimen> specimens() {
  std::vector<Specimen> all = find_specimens(FERRY_MODELS, 1 << 20);
  Specimen rich;
  rich.model.ParseFromString(rich_seed());
  all.resize(2 * all.size(), rich);
  return all;
}

TEST(ImporterMutation, DamagedBytes) {
  const std::vector<Specimen> seeds = specimens();
  ASSERT_GE(seeds.size(), 12u);
  run("damaged bytes", [&](uint64_t seed) {
    Random random(seed);
    std::string bytes = seeds[below(random, seeds.size())].model.SerializeAsString();
    for (size_t i = below(random, 4) + 1; i > 0; --i) bytes = damage(bytes, random);
    return bytes;
  });
}

TEST(ImporterMutation, WrongContents) {
  const Mutator mutator(specimens());
  run("wrong contents",
      [&](uint64_t seed) { return mutator.mutant(seed).model.SerializeAsString(); });
}

TEST(ImporterMutation, TheSeedItselfIsImported) { import_one(as_bytes(rich_seed())); }

}  // namespace
}  // namespace ferry::testing
