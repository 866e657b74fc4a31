#include <gmock/gmock.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "core/support.h"
#include "ferry/error.h"
#include "placement/report/facts.h"
#include "tests/report/synthetic_placement.h"

namespace ferry {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

const Device kSim(DeviceKind::sim, 0);

constexpr ReportFormat kFormats[] = {
    ReportFormat::text, ReportFormat::json,           ReportFormat::markdown, ReportFormat::csv,
    ReportFormat::dot,  ReportFormat::model_explorer, ReportFormat::html};

size_t count_of(std::string_view text, std::string_view what) {
  size_t count = 0;
  for (size_t at = text.find(what); at != text.npos; at = text.find(what, at + 1)) ++count;
  return count;
}

TEST(Faces, AreTheSameForTheSamePlacement) {
  const Placement placement(synthetic_placement(64));
  const Placement again(synthetic_placement(64));
  const MeasuredRun run = synthetic_run(*placement.data());
  for (const ReportFormat format : kFormats) {
    EXPECT_EQ(placement.report(format), again.report(format)) << static_cast<int>(format);
    EXPECT_EQ(placement.report(format, &run), again.report(format, &run))
        << static_cast<int>(format);
  }
}

TEST(Faces, SayWhatIsSimulatedOrAssumed) {
  const auto data = synthetic_placement(64);
  for (const bool assumed : {false, true}) {
    data->devices[1].simulated = !assumed;
    data->devices[1].assumed = assumed;
    const Placement placement(data);
    const std::string word = assumed ? "assumed" : "simulated";
    for (const ReportFormat format : kFormats) {
      const std::string expected = format == ReportFormat::json   ? "\"" + word + "\": true"
                                   : format == ReportFormat::html ? "\"" + word + "\":true"
                                                                  : word;
      EXPECT_THAT(placement.report(format), HasSubstr(expected));
    }
    EXPECT_THAT(placement.summary(), HasSubstr("(" + word + ")"));
    EXPECT_THAT(placement.why("/encoder/layer.0/norm1"), HasSubstr("sim:0 (" + word + ")"));
  }
}

TEST(Faces, EveryReasonHasItsSentences) {
  for (int code = 0; code <= static_cast<int>(ReasonCode::device_missing); ++code) {
    const std::string_view word = to_string(static_cast<ReasonCode>(code));
    EXPECT_EQ(reason_texts()[code].code, word);
    EXPECT_THAT(std::string(reason_text(word).meaning), ::testing::EndsWith(".")) << word;
    EXPECT_THAT(std::string(reason_text(word).advice), ::testing::EndsWith(".")) << word;
  }
}

TEST(Text, ShowsEveryPart) {
  const auto data = synthetic_placement(64);
  const Placement placement(data);
  const MeasuredRun run = synthetic_run(*data);
  const std::string text = placement.report(ReportFormat::text, &run);
  for (const char* part : {
           "transformer_64.onnx  opset 20  64 nodes  weights",
           "\nasked: sim:0, fallback cpu, fastest\n",
           "device  nodes   weights  activations  workspace      peak     limit    work",
           "sim:0: emulated sm_90 (simulated)",
           "why on cpu (11)",
           "host_value      Concat x4, Shape x4",
           "no_kernel       Unique",
           "no kernel is written for Unique",
           "h2d       3.0 MiB  input_ids   input -> /encoder/layer.0/norm1   (393216*batch bytes)",
           "once, at load: 27 copies",
           "islands: ",
           "predicted: ",
           "greedy: every node on sim:0 that it can run",
           "every node on cpu",
           "lower bound: no placement that keeps the memory limits takes less",
           "spilled: 1 weight, 2.2 MiB",
           "op:Unique=cpu -> cpu",
           "sizes: cpu below batch 3, sim:0 (53 of 64 nodes) from there",
           "measured: ",
           "peak on sim:0: ",
           "(44 more)",
       }) {
    EXPECT_THAT(text, HasSubstr(part));
  }
}

TEST(Text, NamesTheSizesForWhichAPlanHolds) {
  const auto data = synthetic_placement(16);
  const Device cpu, other(DeviceKind::sim, 1);
  const auto sentence = [&](std::vector<PlacedRange> ranges) {
    data->size_ranges = std::move(ranges);
    return size_ranges_sentence(*data);
  };
  EXPECT_EQ(sentence({}), "");
  EXPECT_EQ(sentence({{1, 8, 0, 0, {{kSim, 16}}}}), "sim:0 for batch 1 to 8");
  EXPECT_EQ(sentence({{1, 2, 0, 0, {{cpu, 16}, {kSim, 0}}}, {3, 8, 0, 0, {{kSim, 16}}}}),
            "cpu below batch 3, sim:0 from there");
  EXPECT_EQ(sentence({{1, 2, 0, 0, {{cpu, 16}}},
                      {3, 6, 0, 0, {{cpu, 4}, {kSim, 12}}},
                      {7, 8, 0, 0, {{kSim, 8}, {other, 8}}}}),
            "cpu below batch 3, sim:0 (12 of 16 nodes) from there, sim:0 and sim:1 from 7");
}

TEST(Text, CountsSeveralDevicesThatWereAskedFor) {
  const auto data = synthetic_placement(64);
  const Device other(DeviceKind::sim, 1);
  data->request.more_devices = {other};
  data->devices.push_back(
      {.device = other, .name = "emulated sm_90", .simulated = true, .nodes = 3});
  data->devices[1].nodes -= 3;
  for (int i = 0; i < 3; ++i) data->nodes[i].device = other;
  const Placement placement(data);
  EXPECT_THAT(
      placement.summary(),
      StartsWith(
          "placed 53/64 nodes on sim:0 (50, simulated) and sim:1 (3, simulated); 11 on cpu"));
  EXPECT_THAT(placement.text(), HasSubstr("asked: sim:0,sim:1, fallback cpu"));
  EXPECT_THAT(placement.text(), HasSubstr("why on cpu (11)"));
}

TEST(Text, WritesNoControlCharactersOfNames) {
  const auto data = synthetic_placement(16);
  data->nodes[10].name = data->nodes[10].detail = "red\x1b[31m\nnext";
  data->copies[1].value = data->copies[1].producer = "bell\x07";
  const Placement placement(data);
  for (const std::string& text :
       {placement.text(), placement.why("red\x1b[31m\nnext"),
        placement.report(ReportFormat::markdown), placement.report(ReportFormat::dot)}) {
    EXPECT_THAT(text, Not(HasSubstr("\x1b")));
    EXPECT_THAT(text, Not(HasSubstr("\x07")));
    EXPECT_THAT(text, HasSubstr("red\\"));
  }
}

TEST(Why, TellsTheStoryOfANode) {
  const Placement placement(synthetic_placement(16));
  const std::string unique = placement.why("/encoder/layer.0/attention/mask/Unique");
  for (const char* part :
       {"(Unique) is on cpu: no_kernel, no kernel is written for Unique", "'ferry ops OP'",
        "sim:0 (simulated)  cannot run it: no_kernel, ", "500 ns a run, here", "work: 1e+04 FLOP",
        "writes ", "from the ONNX ", "reads a copy of /encoder/layer.0/attention/context/MatMul",
        "copied from it: /encoder/layer.0/attention/mask/Unique_output_0  cpu -> sim:0"}) {
    EXPECT_THAT(unique, HasSubstr(part));
  }
  EXPECT_THAT(placement.why("/encoder/layer.0/norm1"),
              HasSubstr("moving it there makes a run 96.6 us longer, copies included"));
}

TEST(Why, TellsTheStoryOfAValue) {
  const Placement placement(synthetic_placement(16));
  EXPECT_THAT(placement.why("input_ids"),
              StartsWith("copies of input_ids\n  cpu -> sim:0  3.0 MiB (393216*batch bytes)"));
  EXPECT_THAT(placement.why("/encoder/layer.0/attention/query.weight"),
              HasSubstr("a weight of 2.2 MiB\n  lives on sim:0"));
  EXPECT_THAT(placement.why("/encoder/layer.0/norm1_output_0"),
              HasSubstr("written by /encoder/layer.0/norm1 on sim:0"));
  try {
    (void)placement.why("input_id");
    FAIL() << "expected an Error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::not_found);
    EXPECT_THAT(error.what(), HasSubstr("Did you mean 'input_ids'?"));
  }
}

TEST(Json, HasEveryFieldThatIsKnown) {
  const auto data = synthetic_placement(64);
  const MeasuredRun run = synthetic_run(*data);
  const auto json = nlohmann::json::parse(Placement(data).report(ReportFormat::json, &run));
  EXPECT_EQ(json["model"]["fingerprint"], "5f2c9ad1e07b");
  EXPECT_EQ(json["request"]["size_range"]["last"], 32);
  EXPECT_EQ(json["request"]["memory_limits"]["sim:0"], *data->devices[1].memory.limit);
  EXPECT_EQ(json["devices"][1]["memory"]["steps"].size(), 64u);
  EXPECT_EQ(json["devices"][1]["memory"]["peak"], data->devices[1].memory.peak());
  EXPECT_EQ(json["nodes"][0]["move_seconds"]["cpu"], data->nodes[0].moves[0].seconds);
  EXPECT_EQ(json["nodes"][0]["flops"], 2e6);
  EXPECT_EQ(json["copies"][0]["times"], 1);
  EXPECT_EQ(json["run_copies"]["count"], run_copies(*data).count);
  EXPECT_EQ(json["prediction"]["cpu_seconds"], *data->prediction.cpu_seconds);
  EXPECT_EQ(json["rules"][0]["nodes"], 2);
  EXPECT_EQ(json["spilled"][0]["streamed"], false);
  EXPECT_EQ(json["size_ranges"][1]["nodes"]["sim:0"], data->devices[1].nodes);
  EXPECT_NEAR(json["copies"][0]["measured"]["error"], 0.3, 1e-9);
  EXPECT_NEAR(json["nodes"][0]["measured"]["error"], -0.15, 1e-9);
  EXPECT_EQ(json["measured"]["peak_bytes"]["cpu"], run.peak_bytes.at(Device::cpu()));
  // Without a run there is nothing measured.
  EXPECT_THAT(Placement(data).json(), Not(HasSubstr("\"measured\"")));
}

TEST(Json, OfTenThousandNodesHasThemAll) {
  const Placement placement(synthetic_placement(10000));
  EXPECT_EQ(nlohmann::json::parse(placement.json())["nodes"].size(), placement.nodes().size());
}

TEST(Csv, HasALineForEachNodeAndQuotesWhatItMust) {
  const auto data = synthetic_placement(16);
  data->nodes[0].name = "a,\"b\"";
  data->nodes[1].name = "=1+2";
  const std::string csv = Placement(data).report(ReportFormat::csv);
  EXPECT_EQ(count_of(csv, "\r\n"), 17u);
  EXPECT_THAT(csv, StartsWith("name,op,device,reason,detail,island,"));
  EXPECT_THAT(csv, HasSubstr("\n\"a,\"\"b\"\"\",LayerNormalization,sim:0,requested,,1,simulated,"));
  EXPECT_THAT(csv, HasSubstr("\n'=1+2,MatMul,"));
}

TEST(Markdown, KeepsTablesWholeWhateverNamesContain) {
  const auto data = synthetic_placement(64);
  data->copies[0].value = "pipe|tick`<img src=x>";
  data->nodes[10].detail = "<script>|";
  const MeasuredRun run = synthetic_run(*data);
  const std::string markdown = Placement(data).report(ReportFormat::markdown, &run);
  EXPECT_THAT(markdown, HasSubstr("| `` pipe\\|tick`<img src=x> `` | cpu → sim:0 | 3.0 MiB"));
  EXPECT_THAT(markdown, HasSubstr("\\<script>\\|"));
  EXPECT_THAT(markdown, HasSubstr("| measured ("));
  EXPECT_THAT(markdown, HasSubstr("<details><summary>8 nodes: host_value</summary>"));
  // Every line of a table has as many cells as its head.
  std::istringstream lines(markdown);
  size_t cells = 0;
  for (std::string line; std::getline(lines, line);) {
    const size_t bars = count_of(line, "|") - count_of(line, "\\|");
    if (!line.starts_with('|')) {
      cells = 0;
    } else if (cells == 0) {
      cells = bars;
    } else {
      EXPECT_EQ(bars, cells) << line;
    }
  }
}

// Lines of a graph: each opening brace of a cluster is closed, each edge joins declared names.
void expect_sound_dot(const std::string& dot) {
  std::set<std::string> declared;
  std::istringstream lines(dot);
  int depth = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with('{')) ++depth;
    if (line.ends_with('}')) --depth;
    std::istringstream words(line);
    std::string first, arrow, second;
    words >> first >> arrow >> second;
    if (arrow == "->") {
      if (second.ends_with(';')) second.pop_back();
      EXPECT_TRUE(declared.contains(first)) << line;
      EXPECT_TRUE(declared.contains(second)) << line;
    } else if (arrow.starts_with("[label=")) {
      EXPECT_TRUE(declared.insert(first).second) << line;
    }
    bool within = false;
    for (size_t i = 0; i < line.size(); ++i) {
      if (line[i] == '"') within = !within;
      if (line[i] == '\\') ++i;
    }
    EXPECT_FALSE(within) << line;
  }
  EXPECT_EQ(depth, 0);
}

TEST(Dot, HasAClusterForEachIslandAndAnEdgeForEachCopy) {
  const auto data = synthetic_placement(64);
  data->nodes[0].name = "quote\" and \\";
  const std::string dot = Placement(data).report(ReportFormat::dot);
  expect_sound_dot(dot);
  EXPECT_EQ(count_of(dot, "subgraph cluster_"), islands_of(*data).size());
  EXPECT_EQ(count_of(dot, "label=\"h2d ") + count_of(dot, "label=\"d2h "),
            static_cast<size_t>(run_copies(*data).count));
  EXPECT_THAT(dot, HasSubstr("3.0 MiB"));
}

TEST(Dot, OfManyNodesShowsIslandsAlone) {
  const auto data = synthetic_placement(1501);
  const std::string dot = Placement(data).report(ReportFormat::dot);
  expect_sound_dot(dot);
  EXPECT_THAT(dot, HasSubstr("islands alone: more than 1500 nodes"));
  EXPECT_THAT(dot, Not(HasSubstr("norm1")));
  EXPECT_EQ(count_of(dot, " copy\\n") + count_of(dot, " copies\\n"), islands_of(*data).size() - 1);
}

TEST(ModelExplorer, HasAValueForEachNodeOfTheFile) {
  const auto data = synthetic_placement(16);
  data->nodes[1].sources = {"query", "scale"};  // of two nodes one was made
  data->nodes[2].sources.clear();
  const auto json = nlohmann::json::parse(Placement(data).report(ReportFormat::model_explorer));
  const auto& results = json["results"];
  EXPECT_EQ(results.size(), 17u);
  EXPECT_EQ(results["query"], results["scale"]);
  EXPECT_EQ(results["query"]["value"], "sim:0 (simulated), 5.5 us, 3.1 MiB");
  EXPECT_TRUE(results.contains(data->nodes[2].name));
  EXPECT_EQ(results["/encoder/layer.0/attention/Shape"]["value"], "cpu, 102 ns, 32 B, host_value");
  EXPECT_NE(results["query"]["bgColor"], results["/encoder/layer.0/attention/Shape"]["bgColor"]);
}

TEST(Html, StandsAloneAndKeepsNamesInTheirPlace) {
  const auto data = synthetic_placement(16);
  data->nodes[0].name = "</script><script>alert(1)</script>\u2028";
  const std::string html = Placement(data).report(ReportFormat::html);
  EXPECT_THAT(html, StartsWith("<!DOCTYPE html>"));
  EXPECT_THAT(html, HasSubstr("\\u003c/script>\\u003cscript>alert(1)\\u003c/script>\\u2028"));
  EXPECT_EQ(count_of(html, "</script>"), 2u);
  EXPECT_THAT(html, Not(HasSubstr("alert(1)</script>")));
  // Nothing is fetched: no address of another place, no imported style, script or picture.
  for (const char* outside : {"http://", "https://", "@import", " src=", "url("}) {
    EXPECT_THAT(html, Not(HasSubstr(outside)));
  }
  for (const char* mark : {"/*style*/", "/*data*/", "/*scripts*/"}) {
    EXPECT_THAT(html, Not(HasSubstr(mark)));
  }
  const size_t start = html.find('>', html.find("id=\"data\"")) + 1;
  const auto json = nlohmann::json::parse(html.substr(start, html.find("</script>") - start));
  EXPECT_EQ(json["report"]["nodes"].size(), 16u);
  EXPECT_EQ(json["reasons"].size(), 16u);
}

}  // namespace
}  // namespace ferry
