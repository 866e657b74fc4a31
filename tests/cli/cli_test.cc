#include <gmock/gmock.h>
#include <sys/wait.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/files.h"
#include "core/npy.h"
#include "ferry/model.h"
#include "tests/support/model_builder.h"

// The program as a user sees it: what it prints where, and its exit code.
namespace ferry {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

struct Result {
  int code;
  std::string out, err;
};

class Cli : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("ferry_cli_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& name) const { return folder_ / name; }
  static std::string model(const std::string& name) {
    return std::string(FERRY_SOURCE) + "/models/" + name;
  }

  Result run(const std::string& arguments) const {
    const std::string command = std::string(FERRY_CLI) + " " + arguments + " >" + file("out") +
                                " 2>" + file("err") + " </dev/null";
    const int status = std::system(command.c_str());
    EXPECT_TRUE(WIFEXITED(status)) << arguments;
    return {WEXITSTATUS(status), read_file(file("out")), read_file(file("err"))};
  }

  std::filesystem::path folder_;
};

// A Loop whose input says how often; 10^12 trips take days.
std::string endless_loop() {
  testing::ModelBuilder builder;
  builder.input("trips", int64, {}).input("start", float32, {}).output("end", float32, {});
  testing::NodeBuilder node = builder.node("Loop", {"trips", "", "start"}, {"end"});
  testing::GraphProtoBuilder body(node.graph("body"));
  body.input("i", int64, {}).input("going", boolean, {}).input("before", float32, {});
  body.node("Neg", {"before"}, {"after"});
  body.node("Identity", {"going"}, {"on"});
  body.output("on", boolean, {}).output("after", float32, {});
  return builder.bytes();
}

TEST_F(Cli, MistakesGetTheNearestNameAndExitCode2) {
  const std::string net = model("net.onnx");
  struct Case {
    std::string arguments;
    const char* text;
  };
  const Case kCases[] = {
      {"palce " + net, "Did you mean 'place'?"},
      {"run --devcie cpu " + net, "Did you mean '--device'?"},
      {"run " + net + " -i X=zeros", "Did you mean 'x'?"},
      {"run " + net + " -i x", "expected -i NAME=SPEC"},
      {"run " + net + " -i x=json:[[1,2],[3]]", "unequal length"},
      {"run " + net + " -i x=json:[1,[2]]", "unequal depth"},
      {"run " + net + " -i x=json:[[1],2]", "unequal depth"},
      {"run " + net + " -i x=json:[[1,2,", "not valid JSON"},
      {"run " + net + " -i 'x=json:[[1,2,\"three\"]]'",
       "\"three\" is not an element of type float32"},
      {"run " + net + " -i x=json:" + std::string(5000, '[') + std::string(5000, ']'),
       "nested too deeply"},
      {"run " + net + " --rtol 1", "are for --expect"},
      {"run " + net + " --expect " + model("net_1.npz") + " --rtol z=1", "Did you mean 'y'?"},
      {"run " + net + " --expect " + model("net_1.npz") + " --rtol y=-1", "expected a number"},
      {"run " + net + " --expect " + model("net_1.npz") + " --atol nan", "expected a number"},
      {"run " + net + " -i x=rand:9..0", "rand:LO..HI"},
      {"run " + net + " -i x=raw:f", "raw:FILE,DTYPE,SHAPE"},
      {"run " + net + " --dim btach=2", "Did you mean 'batch'?"},
      {"run " + net + " --dim batch", "NAME=NUMBER"},
      {"run " + net + " -d gpu", "is not a device"},
      {"place " + net + " --format yaml", "expected text, model_explorer, json"},
      {"run", "MODEL is required"},
      {"run " + net + " extra", "one argument too many"},
      {"ops Cnov", "Did you mean 'Conv'?"},
      {"ops Conv -d gpu", "is not a device"},
      {"ops StringNormalizer -d sim", "sim has no kernel for 'StringNormalizer'"},
      {"test /no/such/folder", "is not a folder"},
      {"test " FERRY_SOURCE "/models --place random:", "random:SEED"},
      {"test " FERRY_SOURCE "/models --place random:x", "random:SEED"},
      {"test " FERRY_SOURCE "/models --list /no/such/list", "/no/such/list"},
      {"run " + net + " --only z", "Did you mean 'y'?"},
      {"run " + net + " -o out.csv", ".npz or a .safetensors"},
      {"run " + net + " --top -1", "expected 1 or more"},
      {"run " + net + " --outputs-on gpu", "is not a device"},
      {"run " + net + " --dtype floot16", "Did you mean 'float16'?"},
      {"run " + net + " --dtype int8", "floating types only"},
      {"run " + net + " --labels /no/such/labels", "/no/such/labels"},
      {"run " + net + " --expect /no/such.npz", "/no/such.npz"},
      {"run " + net + " --report report.xml", "a report ends in"},
      {"place " + net + " -o report.xml", ".txt, .me.json, .json, .csv, .md, .dot or .html"},
      {"place " + net + " --why node_lineer", "Did you mean 'node_linear'?"},
      {"compare " + net, "nothing to compare with"},
      {"compare " + net + " --b gpu", "is not a device"},
      {"compare " + net + " --b " + model("net_1.npz") + " --b-map m.json", "has outputs alone"},
      {"compare " + net + " --b sim:0 --preset onxx", "Did you mean 'onnx'?"},
      {"compare " + net + " --b sim:0 --rtol z=1", "Did you mean 'y'?"},
      {"compare " + net + " --b sim:0 --top 0", "expected 1 or more"},
      {"compare " + net + " --b " + model("net_1.npz") + " --bisect", "has outputs alone"},
      {"compare " + net + " --b /no/such.npz", "/no/such.npz"},
      {"compare " + net + " --b-map /no/such.json", "/no/such.json"},
      {"diff " + net, "nothing to compare"},
      {"diff " + net + " -a cpu -b gpu", "is not a device"},
      {"diff " + net + " -a cpu --fail-on worst", "Did you mean 'worse'?"},
      {"diff " + net + " -a cpu --format markdwn", "Did you mean 'markdown'?"},
      {"diff " + net + " -a cpu -o d.html", ".txt, .json or .md"},
      {"diff " + net + " " FERRY_SOURCE "/CMakePresets.json", "a placement report"},
      {"diff /no/such.json " + net, "/no/such.json"},
      {"diff " FERRY_SOURCE "/CMakePresets.json " + net + " -a cpu", "are for models"},
      {"place " + net + " --fail-on falback", "Did you mean 'fallback'?"},
      {"place " + net + " -d sim:0,cpu --policy fatest", "Did you mean 'fastest'?"},
      {"place " + net + " --fail-on 'copies>'", "is no limit"},
      {"place " + net + " --fail-on 'copies>2MiB'", "is no limit"},
      {"place " + net + " --fail-on 'bytes>-1'", "is no limit"},
      {"place " + net + " --fail-on 'bytes>9999999999GiB'", "is no limit"},
      {"place " + net + " --fail-on 'bytes>1MB'", "is no limit"},
      {"info " + net + " --tree --format json", "--graph and --tree are text"},
      {"info " + net + " --tree --weights", "only one of"},
      {"devices -o profiles.json", "go with --calibrate"},
      {"devices --calibrate -d gpu", "is not a device"},
      {"completion bsh", "Did you mean 'bash'?"},
      {"run /no/such/model.onnx", "/no/such/model.onnx"},
      {"", "subcommand is required"},
  };
  for (const Case& c : kCases) {
    const Result result = run(c.arguments);
    EXPECT_EQ(result.code, 2) << c.arguments << "\n" << result.err;
    EXPECT_THAT(result.err, HasSubstr(c.text)) << c.arguments;
    EXPECT_THAT(result.out, IsEmpty()) << c.arguments;
  }
}

TEST_F(Cli, HelpOfEveryVerbFitsAndEndsWithExamples) {
  for (const char* verb : {"info", "check", "place", "run", "test", "ops", "devices", "doctor",
                           "demo", "completion"}) {
    const Result result = run(std::string(verb) + " --help");
    EXPECT_EQ(result.code, 0);
    EXPECT_THAT(result.out, HasSubstr(std::string("Examples:\n  ferry ") + verb)) << verb;
    std::istringstream lines(result.out);
    for (std::string line; std::getline(lines, line);) {
      EXPECT_LE(line.size(), 80u) << verb << ": " << line;
    }
  }
}

TEST_F(Cli, InfoTellsWhatAModelIs) {
  const Result text = run("info " + model("net.onnx"));
  EXPECT_EQ(text.code, 0);
  EXPECT_THAT(text.out, StartsWith("net.onnx  2 nodes  11 parameters (44 B)\n"));
  EXPECT_THAT(text.out, HasSubstr("float32[batch, 3]"));
  EXPECT_THAT(text.out, HasSubstr("\nIR 10  ai.onnx 20  pytorch 2.13.0"));
  EXPECT_THAT(run("info --weights " + model("net.onnx")).out,
              HasSubstr("fc1.weight  24 B  float32[2, 3]\n"));
  const auto json = nlohmann::json::parse(run("info --format json " + model("net.onnx")).out);
  EXPECT_EQ(json["ir_version"], 10);
  EXPECT_EQ(json["opsets"]["ai.onnx"], 20);
  EXPECT_EQ(json["parameters_by_type"]["float32"]["elements"], 11);
  EXPECT_EQ(json["inputs"][0]["name"], "x");
  EXPECT_EQ(json["operators"]["Gemm"], 2);
  EXPECT_THAT(run("info --tree " + model("net.onnx")).out,
              HasSubstr("(fc1): Linear(in_features=3, out_features=2, bias=True)"));
  EXPECT_THAT(run("info --graph " + model("net.onnx")).out, HasSubstr("= Gemm("));
}

TEST_F(Cli, CheckListsEveryProblem) {
  EXPECT_EQ(run("check " + model("mixer.onnx")).code, 0);
  EXPECT_EQ(run("check -d sim:0 " + model("mixer.onnx")).code, 0);
  testing::ModelBuilder builder;
  builder.input("x", float32, {2}).output("y", float32, {2});
  builder.node("Relo", {"x"}, {"a"});
  builder.node("Gemn", {"a"}, {"b"}).domain("my.domain");
  builder.node("Relu", {"b"}, {"y"}).attr("alpha", 1);
  write_file(file("bad.onnx"), builder.bytes());
  const Result result = run("check --format json " + file("bad.onnx"));
  EXPECT_EQ(result.code, 3);
  EXPECT_EQ(nlohmann::json::parse(result.out)["problems"].size(), 3u);
  EXPECT_EQ(run("run " + file("bad.onnx")).code, 3);
}

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

TEST_F(Cli, RunComparesWithGoldens) {
  for (const char* device : {"cpu", "sim:0"}) {
    const std::string command =
        "run " + model("mixer.onnx") + " -d " + device + " --inputs " + model("mixer_1.npz");
    const std::string close = command + " --rtol 1e-4 --atol 1e-5 --expect ";
    EXPECT_EQ(run(close + model("mixer_1.npz")).code, 0);
    EXPECT_EQ(run(command + " -o " + file("out.npz")).code, 0);
    EXPECT_EQ(load_npz(file("out.npz")).at(0).first, "mixed");
    // A tolerance of one output goes before that of all.
    const std::string half = close + model("mixer_1.npz") + " --dtype float16";
    EXPECT_EQ(run(half + " --rtol mixed=1 --atol mixed=1").code, 0);
    EXPECT_EQ(run(half + " --rtol mixed=0 --atol mixed=0").code, 5);
    // The other golden has other sizes.
    EXPECT_EQ(run(close + model("mixer_2.npz")).code, 5);
  }
}

TEST_F(Cli, CompareJudgesDevicesAndGoldens) {
  const std::string mixer = "compare " + model("mixer.onnx") + " --dim batch=1,sequence=4 ";
  const Result same = run(mixer + "--b sim:0 --per-node --bisect --top 3");
  EXPECT_EQ(same.code, 0) << same.err;
  EXPECT_THAT(same.out, HasSubstr("1 of 1 outputs agree"));
  EXPECT_THAT(same.out, HasSubstr("0 of 27 nodes differ; the worst 3 values"));
  EXPECT_THAT(same.out, HasSubstr("no node to name"));
  const Result exact = run(mixer + "--b sim:0 --per-node --bisect --preset exact --format json");
  EXPECT_EQ(exact.code, 5);
  const auto json = nlohmann::json::parse(exact.out);
  EXPECT_FALSE(json["same"]);
  EXPECT_EQ(json["nodes"].size(), 27u);
  EXPECT_EQ(json["first_difference"]["op"], "LayerNormalization");
  EXPECT_LE(json["first_difference"]["runs"], 7);
  EXPECT_EQ(run(mixer + "--b sim:0 --preset exact --atol mixed=1").code, 0);

  const std::string net = "compare " + model("net.onnx"), golden = model("net_1.npz");
  EXPECT_EQ(run(net + " --a sim:0 --b " + golden + " --inputs " + golden).code, 0);
  const Result wrong = run(net + " --b " + golden + " -i x=zeros");
  EXPECT_EQ(wrong.code, 5);
  EXPECT_THAT(wrong.out, HasSubstr("0 of 1 outputs agree"));
  EXPECT_EQ(run(net + " --b " + model("digits_1.npz") + " -i x=zeros").code, 2);
}

TEST_F(Cli, CompareHonoursTheToleranceOfACase) {
  const std::string folder = file("case/test_data_set_0");
  std::filesystem::create_directories(folder);
  testing::ModelBuilder builder;
  builder.input("x", float32, {2}).output("y", float32, {2});
  builder.node("Neg", {"x"}, {"y"});
  write_file(file("case/model.onnx"), builder.bytes());
  onnx::TensorProto x, y;
  testing::set_tensor<float>(&x, {1, 2}, {2}, float32);
  testing::set_tensor<float>(&y, {-1.1f, -2}, {2}, float32);
  write_file(folder + "/input_0.pb", x.SerializeAsString());
  write_file(folder + "/output_0.pb", y.SerializeAsString());
  const std::string compare = "compare " + file("case/model.onnx") + " --b " + folder;
  EXPECT_EQ(run(compare).code, 5);
  write_file(file("case/data.json"), R"({"rtol": 0.2})");
  EXPECT_EQ(run(compare).code, 0);
  write_file(file("case/data.json"), R"({"rtol": "much"})");
  EXPECT_EQ(run(compare).code, 2);
}

TEST_F(Cli, RunMakesInputsUpAndSaysSo) {
  const Result result = run("run " + model("net.onnx") + " --dim batch=2 --seed 7");
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.out, StartsWith("y = tensor("));
  EXPECT_THAT(result.err, HasSubstr("input 'x' is not given: random float32[2, 3], seed 7"));
  EXPECT_EQ(result.out, run("run " + model("net.onnx") + " --dim batch=2 --seed 7").out);
  const Result json = run("run " + model("net.onnx") + " -i 'x=json:[[1,2,3],[4,5,6]]'");
  EXPECT_EQ(json.code, 0);
}

TEST_F(Cli, JsonInputsAreExactAndOfTheInputsType) {
  struct Case {
    DType dtype;
    const char* json;
    const char* shown;  // nullptr: refused
  };
  const Case kCases[] = {
      {int64, "[9007199254740993, -1]", "tensor([9007199254740993,               -1])"},
      {uint64, "[18446744073709551615, 0]", "tensor([18446744073709551615,                    0]"},
      {int8, "[-128, 127]", "tensor([-128,  127]"},
      {boolean, "[true, false]", "tensor([ True, False])"},
      {float32, "[\"NaN\", \"-Infinity\"]", "tensor([nan, -inf])"},
      {string, "[\"a\", \"\"]", "a"},
      {int8, "[128, 0]", nullptr},
      {uint8, "[-1, 0]", nullptr},
      {uint64, "[-1, 0]", nullptr},
      {int64, "[9223372036854775808, 0]", nullptr},
      {int32, "[1.5, 0]", nullptr},
      {int32, "[true, 0]", nullptr},
      {boolean, "[1, 0]", nullptr},
      {float32, "[null, 0]", nullptr},
      {string, "[1, 2]", nullptr},
  };
  for (const Case& c : kCases) {
    testing::ModelBuilder builder;
    builder.input("x", c.dtype, {2}).output("y", c.dtype, {2});
    builder.node("Identity", {"x"}, {"y"});
    write_file(file("id.onnx"), builder.bytes());
    const Result result = run("run " + file("id.onnx") + " -i 'x=json:" + c.json + "'");
    EXPECT_EQ(result.code, c.shown == nullptr ? 2 : 0) << c.json << result.err;
    EXPECT_THAT(c.shown == nullptr ? result.err : result.out,
                HasSubstr(c.shown == nullptr ? "is not an element of type" : c.shown))
        << c.json;
  }
}

TEST_F(Cli, RunShowsCopiesTraceAndReport) {
  const Result result = run("run " + model("net.onnx") + " -i x=ones -d sim:0 --copies --trace " +
                            file("t.json") + " --report " + file("r.json"));
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.err, HasSubstr("copied x cpu -> sim:0  12 bytes, 1 time(s), as planned"));
  EXPECT_THAT(result.err, HasSubstr("\n2 of 2 copies as planned\n"));
  EXPECT_FALSE(nlohmann::json::parse(read_file(file("t.json")))["traceEvents"].empty());
  EXPECT_FALSE(nlohmann::json::parse(read_file(file("r.json")))["copies"].empty());

  const Result json = run("run " + model("net.onnx") + " -i x=ones -d sim:0 --format json");
  const auto shown = nlohmann::json::parse(json.out);
  EXPECT_EQ(shown["copies_as_planned"], 2);
  EXPECT_EQ(shown["copies"][0]["planned_bytes"], 12);
}

TEST_F(Cli, MissingDevicesAndFilesHaveTheirCodes) {
  EXPECT_EQ(run("run " + model("net.onnx") + " -d cuda:99").code, 4);
  EXPECT_EQ(run("run " + model("net.onnx") + " -d sim:99").code, 4);
  EXPECT_EQ(run("run " + model("net.onnx") + " -i x=ones --trace /dev/full").code, 1);
  EXPECT_EQ(run("run " + model("net.onnx") + " -i x=ones -o /no/such/folder/out.npz").code, 1);
  write_file(file("empty.onnx"), "");
  EXPECT_EQ(run("run " + file("empty.onnx")).code, 3);
  write_file(file("text.onnx"), "this is not a model, only a line of text\n");
  EXPECT_EQ(run("run " + file("text.onnx")).code, 3);
}

TEST_F(Cli, TestCountsAndNamesFailures) {
  const auto add_case = [&](const std::string& name, float expected) {
    const std::filesystem::path data = folder_ / "cases" / name / "test_data_set_0";
    std::filesystem::create_directories(data);
    testing::ModelBuilder builder;
    builder.input("x", float32, {1}).output("y", float32, {1});
    builder.node("Neg", {"x"}, {"y"});
    write_file(data.parent_path() / "model.onnx", builder.bytes());
    Tensor::from({1}).save(data / "input_0.pb");
    Tensor::from({expected}).save(data / "output_0.pb");
  };
  add_case("right", -1);
  add_case("wrong", 1);
  const Result result = run("test " + file("cases"));
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.out, HasSubstr("FAIL wrong: set 0: output 0 1 of 1 elements differ"));
  EXPECT_THAT(result.out, HasSubstr("1 passed, 1 failed\n"));
  write_file(file("list"), "# known\nright\n");
  EXPECT_EQ(run("test " + file("cases") + " --jobs 2 --list " + file("list")).code, 0);
  write_file(file("list"), "wrong\n");
  const Result listed = run("test " + file("cases") + " --list " + file("list"));
  EXPECT_EQ(listed.code, 1);
  EXPECT_THAT(listed.out, HasSubstr("listed as passing, but fails: wrong"));
  EXPECT_THAT(listed.out, HasSubstr("passes, but is not in"));
}

TEST_F(Cli, DemoIsRight) {
  const Result result = run("demo");
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.out, HasSubstr("sim:0\n  placed 6/6 nodes on sim:0 (simulated)"));
  EXPECT_THAT(result.out, HasSubstr("it is 0"));
  EXPECT_THAT(result.out, Not(HasSubstr("WRONG")));
}

TEST_F(Cli, AClosedPipeIsQuiet) {
  const std::string command = "run " + model("net.onnx") + " -i x=ones | true";
  EXPECT_THAT(run(command).err, Not(HasSubstr("ferry:")));
}

TEST_F(Cli, DevicesAndOps) {
  EXPECT_THAT(run("devices").out, HasSubstr("sim:0"));
  EXPECT_THAT(run("doctor").out, HasSubstr("ok    cpu"));
  EXPECT_THAT(run("ops Conv -d sim").out,
              StartsWith("operator  device  types of input 0\nConv      sim "));
  const auto conv = nlohmann::json::parse(run("ops Conv --format json").out);
  EXPECT_THAT(conv[0]["devices"]["cpu"].get<std::string>(), HasSubstr("float32"));
  EXPECT_TRUE(conv[0]["devices"].contains("sim"));
}

TEST_F(Cli, EveryVerbSpeaksJson) {
  const std::string net = model("net.onnx");
  for (const std::string& verb :
       {"info " + net, "check " + net, "place " + net, "run " + net, std::string("ops Conv"),
        std::string("devices"), std::string("doctor"), std::string("demo")}) {
    const Result result = run(verb + " --format json -q");
    EXPECT_EQ(result.code, 0) << verb << result.err;
    EXPECT_FALSE(nlohmann::json::parse(result.out, nullptr, false).is_discarded()) << verb;
    EXPECT_THAT(result.err, IsEmpty()) << verb;
  }
  const auto ran =
      nlohmann::json::parse(run("run " + net + " -i x=json:[[1,2,3]] -d sim:0 --format json").out);
  EXPECT_EQ(ran["simulated"], true);
  EXPECT_EQ(ran["outputs"][0]["shape"], (std::vector<int>{1, 1}));
  EXPECT_TRUE(ran["outputs"][0]["values"][0][0].is_number());
  EXPECT_EQ(ran["copies"].size(), 2u);
}

TEST_F(Cli, RunTakesSafetensorsAndConverts) {
  const std::string net = "run " + model("net.onnx");
  const std::string golden = model("net_1.npz");
  NamedValues::load(golden).save(file("net.safetensors"));
  EXPECT_EQ(run(net + " --inputs " + file("net.safetensors") + " --expect " + golden).code, 0);
  EXPECT_EQ(run(net + " -i x=" + file("net.safetensors") + ":x -o " + file("y.safetensors")).code,
            0);
  EXPECT_EQ(run(net + " --inputs " + golden + " --expect " + file("y.safetensors")).code, 0);
  EXPECT_EQ(run(net + " -i x=" + file("net.safetensors") + ":z").code, 2);
  const std::string half = net + " --inputs " + golden + " --expect " + golden + " --dtype float16";
  EXPECT_EQ(run(half + " --rtol 1e-2").code, 0);
  const Result strict = run(half + " --rtol 1e-7 --atol 0 --format json");
  EXPECT_EQ(strict.code, 5);
  EXPECT_EQ(nlohmann::json::parse(strict.out)["differing"][0], "y");
}

TEST_F(Cli, OutputsStayOnADevice) {
  const Result result = run("run " + model("net.onnx") + " -i x=ones -d sim:0 --outputs-on sim:0");
  EXPECT_THAT(result.out, HasSubstr("device='sim:0'"));
  EXPECT_THAT(result.err, HasSubstr("; 1 copy")) << "the output is not copied";
}

TEST_F(Cli, TopNamesTheLargestOfEachRow) {
  const std::string digits =
      "run " + model("digits.onnx") + " --inputs " + model("digits_1.npz") + " --labels ";
  const std::string names[] = {"zero", "one", "two",   "three", "four",
                               "five", "six", "seven", "eight", "nine"};
  std::string lines, object = "{";
  for (int i = 9; i >= 0; --i) {
    lines = names[i] + "\r\n" + lines;
    object += (i == 9 ? "\"" : ",\"") + std::to_string(i) + "\":[\"n\",\"" + names[i] + "\"]";
  }
  write_file(file("lines"), lines);
  write_file(file("list"), nlohmann::json(names).dump());
  write_file(file("object"), object + "}");
  for (const char* labels : {"lines", "list", "object"}) {
    const Result result = run(digits + file(labels) + " --top 1");
    EXPECT_THAT(result.out, StartsWith("top 1 of scores[0]\n       0  7.0268  zero\ntop 1 of "
                                       "scores[1]\n       4  6.7426  four\n"))
        << labels << result.err;
  }
  EXPECT_THAT(run(digits + file("lines")).out, StartsWith("top 5 of scores[0]\n"));
  const auto json =
      nlohmann::json::parse(run(digits + file("list") + " --top 2 --format json").out);
  EXPECT_EQ(json["outputs"][0]["top"][1][0]["label"], "four");
  for (const char* bad : {"[1]", "{\"x\":\"a\"}", "{\"1\":\"a\"}", "{\"0\":7}", "[\"a\""}) {
    write_file(file("bad"), bad);
    EXPECT_EQ(run(digits + file("bad")).code, 2) << bad;
  }
}

TEST_F(Cli, VerbosityAndVersion) {
  const std::string net = "run " + model("net.onnx") + " -i x=ones -d sim:0";
  EXPECT_THAT(run(net + " -q").err, IsEmpty());
  EXPECT_THAT(run(net).err, StartsWith("placed 2/2 nodes on sim:0"));
  EXPECT_THAT(run(net + " -v").err, HasSubstr("net.onnx: placed 2/2 nodes on sim:0"));
  EXPECT_THAT(run(net + " -v").err, Not(HasSubstr("uploaded")));
  EXPECT_THAT(run(net + " -vv").err, HasSubstr("uploaded a weight of 24 B to sim:0"));
  const Result version = run("--version");
  EXPECT_THAT(version.out, StartsWith("ferry 0.1.0\nbuilt with "));
  EXPECT_THAT(version.out, HasSubstr("operators with kernels: cpu "));
}

TEST_F(Cli, FullDisksAndClosedPipes) {
  const std::string ferry = FERRY_CLI;
  EXPECT_EQ(WEXITSTATUS(std::system((ferry + " ops >/dev/full 2>" + file("err")).c_str())), 1);
  EXPECT_THAT(read_file(file("err")), HasSubstr("cannot write to stdout: No space left"));
  // Nothing is said, and the shell sees a program that a closed pipe ended.
  const std::string piped =
      "bash -c '(" + ferry + " ops; echo $? >" + file("code") + ") 2>" + file("err") + " | true'";
  int status = 0;
  for (int i = 0; i < 20; ++i) {  // `true` may end late
    EXPECT_EQ(std::system(piped.c_str()), 0);
    status = std::stoi(read_file(file("code")));
    EXPECT_THAT(read_file(file("err")), IsEmpty());
    if (status != 0) break;
  }
  EXPECT_EQ(status, 128 + SIGPIPE);
}

TEST_F(Cli, CtrlCEndsARunWith130AndLeavesNoTemporaries) {
  std::filesystem::create_directories(folder_ / "out");
  write_file(file("loop.onnx"), endless_loop());
  for (const std::string device : {"cpu", "sim:0,cpu"}) {
    const std::string script =
        "timeout --preserve-status --foreground -s INT 0.5 " FERRY_CLI " run " + file("loop.onnx") +
        " -i trips=json:1000000000000 -i start=ones -d " + device + " -o " + file("out/y.npz") +
        " 2>" + file("err") + "; echo $? >" + file("code");
    EXPECT_EQ(std::system(script.c_str()), 0);
    EXPECT_EQ(read_file(file("code")), "130\n") << read_file(file("err"));
    EXPECT_TRUE(std::filesystem::is_empty(folder_ / "out"));
  }
}

TEST_F(Cli, CompletionScriptsAreAcceptedByTheirShells) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const Result script = run(std::string("completion ") + shell);
    EXPECT_EQ(script.code, 0);
    EXPECT_THAT(script.out, HasSubstr("outputs-on"));
    write_file(file("script"), script.out);
    const std::string there = "command -v " + std::string(shell) + " >/dev/null";
    if (std::system(there.c_str()) != 0) continue;
    EXPECT_EQ(std::system((std::string(shell) + " -n " + file("script")).c_str()), 0) << shell;
  }
  // Bash completes what the program has.
  const std::string complete = "bash -c 'source " + file("script") +
                               "; COMP_CWORD=$1; shift; COMP_WORDS=(\"$@\"); _ferry; "
                               "echo \"${COMPREPLY[*]}\"' bash ";
  write_file(file("script"), run("completion bash").out);
  const std::pair<const char*, const char*> kCases[] = {
      {"1 ferry pl", "place"},
      {"2 ferry run --top", "--top"},
      {"3 ferry run --format ''", "text json"},
      {"3 ferry run -d s", "sim:0"},
      {"2 ferry place ''", ""},
      {"3 ferry run --expect ''", ""},
  };
  for (const auto& [words, expected] : kCases) {
    EXPECT_EQ(std::system((complete + words + " >" + file("reply")).c_str()), 0);
    EXPECT_EQ(read_file(file("reply")), std::string(expected) + "\n") << words;
  }
}

}  // namespace
}  // namespace ferry
