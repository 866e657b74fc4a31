#include <gmock/gmock.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/files.h"
#include "core/npy.h"
#include "ferry/model.h"
#include "tests/cli/cli_fixture.h"

namespace ferry {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

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

TEST_F(Cli, MistakesOfTheSystemAreSentences) {
  const std::string ferry = FERRY_CLI;
  EXPECT_EQ(WEXITSTATUS(std::system((ferry + " --help >/dev/full 2>" + file("err")).c_str())), 1);
  EXPECT_THAT(read_file(file("err")), HasSubstr("cannot write to stdout"));
  const std::string net = "run " + model("net.onnx");
  const Result name = run(net + " --inputs " + std::string(5000, 'd'));
  EXPECT_EQ(name.code, 1) << name.err;
  EXPECT_THAT(name.err, HasSubstr("File name too long"));
  const Result threads = run(net + " --threads 100000");
  EXPECT_EQ(threads.code, 2) << threads.err;
}

TEST_F(Cli, NumbersAreReadWhole) {
  const std::string net = "run " + model("net.onnx");
  for (const char* arguments :
       {" --dim batch=99999999999999999999", " --dim batch=", " --dim batch=1x",
        " -i x=raw:/dev/null,float32,99999999999999999999x3", " -i x=raw:/dev/null,float32,",
        " -i x=raw:/dev/null,float32,-1x3", " -i x=rand:1..", " -i x=rand:..1e999",
        " -i x=raw:/dev/null,string,0", " -i x=img:/dev/null,size=99999999999999999999"}) {
    const Result result = run(net + arguments);
    EXPECT_EQ(result.code, 2) << arguments << "\n" << result.err;
  }
  const Result gate =
      run("place " + model("net.onnx") + " --fail-on 'copies>99999999999999999999'");
  EXPECT_EQ(gate.code, 2) << gate.err;
}

TEST_F(Cli, TextOfAModelMovesNoCursor) {
  testing::ModelBuilder builder;
  builder.input("x\x1b[2J", float32, {2}).output("y\x1b[2J", float32, {2});
  builder.node("Relu", {"x\x1b[2J"}, {"y\x1b[2J"}).name("node\x1b[2J");
  builder.proto().set_producer_name("evil\x1b]0;owned\x07");
  write_file(file("evil.onnx"), builder.bytes());
  for (const char* verb :
       {"info", "info --graph", "info --tree", "check", "place", "run -i 'x\x1b[2J=rand'"}) {
    const Result result = run(std::string(verb) + " " + file("evil.onnx"));
    EXPECT_THAT(result.out + result.err, ::testing::Not(HasSubstr("\x1b"))) << verb;
  }
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
