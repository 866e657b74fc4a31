#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "ferry/model.h"
#include "tests/cli/cli_fixture.h"

// `ferry place` and `ferry diff`.
namespace ferry {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

TEST_F(Cli, PlaceReports) {
  const Result text = run("place " + model("digits.onnx") + " -d sim:0 --dim batch=4");
  EXPECT_EQ(text.code, 0);
  EXPECT_THAT(text.out, HasSubstr("emulated"));
  EXPECT_THAT(text.out, HasSubstr("h2d       1.0 KiB  image"));
  const Result json =
      run("place " + model("digits.onnx") + " -d sim:0 --dim batch=4 -o " + file("report.json"));
  EXPECT_EQ(json.code, 0);
  EXPECT_THAT(json.out, IsEmpty());
  const auto report = nlohmann::json::parse(read_file(file("report.json")));
  EXPECT_EQ(report["schema"], "ferry.placement/1");
  EXPECT_EQ(report["devices"][1]["simulated"], true);
}

TEST_F(Cli, PlaceExplainsOneNode) {
  const Result result = run("place " + model("mixer.onnx") +
                            " -d sim:0 --why node_layer_norm --dim batch=1,sequence=2");
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out,
              StartsWith("node_layer_norm (LayerNormalization) is on sim:0: requested\n"));
  EXPECT_THAT(result.out, HasSubstr("  reads a copy of tokens  cpu -> sim:0  256 B"));
}

TEST_F(Cli, PlacementIsSteered) {
  const std::string mixer = "place " + model("mixer.onnx") + " --dim batch=8,sequence=16 ";
  struct Case {
    std::string arguments, text;  // in the report
  };
  const Case kCases[] = {
      {"-d sim:0 --pin op:Softmax=cpu", "op:Softmax=cpu"},
      {"-d sim:0 --fallback cpu --policy device_first", "fallback cpu"},
      {"--assign 'sim:0(op:MatMul); cpu(*)'", "op:MatMul=sim:0"},
      {"-d sim:0,cpu --policy device_first --min-island 30", "at least 30 nodes"},
      {"-d sim:0 --memory-limit 150KiB", "streamed in every run"},
      {"-d sim:0 --memory-limit sim:0=150KiB", "streamed in every run"},
      {"-d cuda:3,cpu --assume 'T4,PCIe 3' --policy device_first", "(assumed)"},
      {"-d sim:0,sim:1,cpu --policy device_first --pin op:Softmax=sim:1", "sim:1"},
  };
  for (const Case& c : kCases) {
    const Result result = run(mixer + c.arguments);
    EXPECT_EQ(result.code, 0) << c.arguments << "\n" << result.err;
    EXPECT_THAT(result.out, HasSubstr(c.text)) << c.arguments;
  }
  const Result ranges =
      run("place " + model("mixer.onnx") + " -d sim:0,cpu --dim batch=1..4096,sequence=16");
  EXPECT_THAT(ranges.out, HasSubstr("sizes: cpu below batch "));

  // A saved report is a map, of its own model.
  const std::string report = file("steered.json");
  EXPECT_EQ(run(mixer + "-d sim:0 --pin op:Softmax=cpu -o " + report).code, 0);
  const Result again = run(mixer + "-d sim:0,cpu --map " + report + " --format json");
  ASSERT_EQ(again.code, 0) << again.err;
  const auto nodes = nlohmann::json::parse(again.out)["nodes"];
  EXPECT_TRUE(std::ranges::all_of(
      nodes, [](const auto& node) { return node["op"] != "Softmax" || node["device"] == "cpu"; }));
  EXPECT_THAT(run("place " + model("digits.onnx") + " --map " + report).err, HasSubstr("--force"));

  const Case kRefused[] = {
      {"--pin op:Softmax", "PATTERN=DEVICE"},
      {"--pin op:Softmx=cpu", "Did you mean 'Softmax'?"},
      {"--pin op:Softmax=gpu", "gpu"},
      {"--pin op:Softmax=cpu --pin '*softmax*=sim:0'", "two rules disagree"},
      {"--assign 'sim:0'", "has no pattern in brackets"},
      {"--map /no/such.json", "/no/such.json"},
      {"-d sim:0 --memory-limit 1KiB", "needs at least"},
      {"-d sim:0 --memory-limit sim:0=lots", "expected DEVICE=BYTES"},
      {"-d sim:0 --memory-limit sim:1=1GiB", "none of the devices asked for"},
      {"--memory-limit 1GiB", "of which device?"},
      {"-d cuda:0 --assume H1000", "Did you mean 'H100'?"},
      {"--assume H100", "of which device?"},
      {"-d sim:0 --min-island 0", "expected 1 or more"},
      {"-d sim:0 --fallback gpu", "expected cpu or error"},
      {"-d sim:0,cpu --fallback error", "allows the CPU already"},
      {"-d sim:0 --profiles /no/such.json", "/no/such.json"},
      {"--dim batch=5..4", "is not a range"},
      {"--dim batch=1..4,sequence=1..4", "of one size"},
  };
  for (const Case& c : kRefused) {
    const Result result = run("place " + model("mixer.onnx") + " " + c.arguments);
    EXPECT_NE(result.code, 0) << c.arguments;
    EXPECT_THAT(result.err, HasSubstr(c.text)) << c.arguments;
    EXPECT_THAT(result.out, IsEmpty()) << c.arguments;
  }
}

TEST_F(Cli, PlaceKeepsLimits) {
  // Mixer: host values, and two copies of 128 * batch * sequence bytes.
  const std::string mixer =
      "place " + model("mixer.onnx") + " -d sim:0 --dim batch=1,sequence=8 --fail-on ";
  EXPECT_EQ(run(mixer + "'fallback,copies>2,bytes>2KiB'").code, 0);
  const Result many = run(mixer + "'fallback,copies>1,bytes>2047B'");
  EXPECT_EQ(many.code, 6);
  EXPECT_THAT(many.out, HasSubstr("copies per run: 2"));
  EXPECT_THAT(many.err, HasSubstr("ferry: copies>1: 2 per run: tokens cpu -> sim:0 (1.0 KiB), "));
  EXPECT_THAT(many.err, HasSubstr("ferry: bytes>2047B: 2048 per run: tokens cpu -> sim:0 "));

  write_file(file("loop.onnx"), endless_loop());
  const Result open = run("place " + file("loop.onnx") +
                          " -d sim:0,cpu --policy device_first --fail-on 'bytes>1GiB'");
  EXPECT_EQ(open.code, 6);
  EXPECT_THAT(open.err, HasSubstr("and more that only data or trips decide"));

  testing::ModelBuilder builder;
  builder.input("s", string, {2}).output("i", int64, {1, "n"});
  builder.node("NonZero", {"s"}, {"i"});
  write_file(file("strings.onnx"), builder.bytes());
  const Result fallen = run("place " + file("strings.onnx") + " -d sim:0,cpu --fail-on fallback");
  EXPECT_EQ(fallen.code, 6);
  EXPECT_EQ(fallen.err,
            "ferry: fallback: 1 string_type on the CPU: NonZero_i (NonZero, string_type)\n");
}

TEST_F(Cli, DiffComparesModelsAndReports) {
  const std::string net = model("net.onnx");
  const Result devices = run("diff " + net + " -a cpu -b sim:0");
  EXPECT_EQ(devices.code, 0) << devices.err;
  EXPECT_THAT(devices.out, HasSubstr("cpu -> sim:0"));
  EXPECT_THAT(devices.out, HasSubstr("copies of a run"));

  EXPECT_EQ(run("place " + net + " -d cpu -o " + file("a.json")).code, 0);
  EXPECT_EQ(run("place " + net + " -d sim:0 -o " + file("b.json")).code, 0);
  const std::string reports = "diff " + file("a.json") + " " + file("b.json");
  const Result worse = run(reports + " --fail-on worse -o " + file("d.md"));
  EXPECT_EQ(worse.code, 6);
  EXPECT_THAT(worse.err, HasSubstr("ferry: worse: copies of a run: 2, before 0\n"));
  EXPECT_THAT(read_file(file("d.md")), StartsWith("### Placement: "));
  EXPECT_EQ(run("diff " + file("b.json") + " " + file("a.json") + " --fail-on worse").code, 0);
  // A report stands for the plan that it was made of.
  const Result same = run("diff " + file("b.json") + " " + net + " -b sim:0 --format json");
  EXPECT_TRUE(nlohmann::json::parse(same.out)["same"]) << same.out;

  // Two exporters, whose names differ.
  const Result exporters =
      run("diff " + net + " " + model("net_torchscript.onnx") + " -d sim:0 --format json");
  const auto json = nlohmann::json::parse(exporters.out);
  EXPECT_TRUE(json["nodes"]["added"].empty());
  EXPECT_TRUE(json["nodes"]["gone"].empty());
  EXPECT_FALSE(json["nodes"]["renamed"].empty());
}

TEST_F(Cli, PlaceWritesEveryFormByEndingAndByWord) {
  struct Case {
    std::string ending, word, start;
  };
  const Case cases[] = {
      {"txt", "text", "digits.onnx  opset "},
      {"json", "json", "{\n  \"schema\": \"ferry.placement/1\""},
      {"csv", "csv", "name,op,device,reason,detail,island,"},
      {"md", "markdown", "**digits.onnx**: placed 6/6 nodes on sim:0 (simulated)"},
      {"dot", "dot", "digraph placement {"},
      {"html", "html", "<!DOCTYPE html>"},
      {"me.json", "model_explorer", "{\n  \"name\": \"Ferry"},
  };
  const std::string place = "place " + model("digits.onnx") + " -d sim:0 ";
  for (const Case& c : cases) {
    const std::string path = file("report." + c.ending);
    const Result written = run(place + "-o " + path);
    EXPECT_EQ(written.code, 0) << written.err;
    EXPECT_THAT(written.out, IsEmpty());
    EXPECT_THAT(read_file(path), StartsWith(c.start));
    EXPECT_EQ(run(place + "--format " + c.word).out, read_file(path)) << c.word;
  }
}

TEST_F(Cli, PlansTravelInTheModelFile) {
  for (const char* data : {"mixer.onnx", "mixer.onnx.data"}) {
    std::filesystem::copy_file(model(data), file(data));
  }
  const std::string place = "place " + file("mixer.onnx") + " -d sim:0 --save-annotated ";
  const Result saved = run(place + file("planned.onnx") + " -o " + file("plan.json"));
  EXPECT_EQ(saved.code, 0) << saved.err;
  EXPECT_THAT(saved.err, HasSubstr("32 nodes of " + file("planned.onnx") + " carry their device"));
  EXPECT_THAT(saved.err, HasSubstr("layer_assignment_settings = \"cpu(=cpu); gpu:0(=sim:0)\""));
  // It is the same model, with its weights where they were.
  const std::string inputs = " --inputs " + model("mixer_1.npz");
  EXPECT_EQ(run("run " + file("planned.onnx") + inputs + " --expect " + model("mixer_1.npz")).code,
            0);
  EXPECT_EQ(PlacementRule::load_map(file("planned.onnx")).size(), 32u);

  // As a map, it and a report give the plan again.
  for (const char* map : {"planned.onnx", "plan.json"}) {
    const Result again = run("place " + file("mixer.onnx") + " -d sim:0,cpu --map " + file(map) +
                             " -o " + file("again.json"));
    EXPECT_EQ(again.code, 0) << map << again.err;
    const Result same =
        run("diff " + file("plan.json") + " " + file("again.json") + " --format json");
    EXPECT_TRUE(nlohmann::json::parse(same.out)["nodes"]["moved"].empty()) << map << same.out;
    const Result compared = run("compare " + file("mixer.onnx") + " --b-map " + file(map) + inputs);
    EXPECT_EQ(compared.code, 0) << compared.err;
    EXPECT_THAT(compared.out, HasSubstr("nodes on sim:0"));
  }

  const Result elsewhere =
      run("place " + model("mixer.onnx") + " --save-annotated " + file("p.onnx"));
  EXPECT_EQ(elsewhere.code, 2);
  EXPECT_THAT(elsewhere.err, HasSubstr("external data"));
  EXPECT_FALSE(std::filesystem::exists(file("p.onnx")));
}

}  // namespace
}  // namespace ferry
