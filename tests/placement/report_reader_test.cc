#include "placement/report/report_reader.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/files.h"
#include "ferry/error.h"
#include "placement/report/map.h"
#include "tests/support/fake_capability.h"
#include "tests/support/graph_builder.h"
#include "tests/support/requests.h"

// Reports and maps read back, and what is refused of them.
namespace ferry {
namespace {

using Json = nlohmann::ordered_json;
using ::testing::HasSubstr;

Placement placed() {
  GraphBuilder build;
  build.input("x", {Dim::symbol("batch"), 3});
  build.constant("w", Tensor::from({10, 20, 30}));
  build.node("Relu", {"x"}, {"a"}).sources = {"relu"};
  build.node("Neg", {"a"}, {"b"});
  build.node("Add", {"b", "w"}, {"y"});
  Graph& graph = build.outputs({"y"});
  graph.name = "net.onnx";
  graph.opsets = {{"", 21}, {"com.microsoft", 1}};
  FakeCapability capability;
  capability.missing["Neg"] = Support::no(ReasonCode::dtype, "input 0 is float32");
  PlacementRequest request = testing::device_first("sim:0,cpu");
  request.dims["batch"] = 8;
  return place(graph, request, capability);
}

std::string message_of(const std::string& text) {
  try {
    read_report(text, "r.json");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    return error.what();
  }
  return "";
}

TEST(ReportReader, ReadsWhatIsWritten) {
  const Placement placement = placed();
  const auto report = read_report(placement.json(), "r.json");
  const PlacementData& data = *placement.data();
  EXPECT_EQ(report->model, "net.onnx");
  EXPECT_EQ(report->graph.opsets, data.graph.opsets);
  EXPECT_EQ(report->request.device, data.request.device);
  EXPECT_TRUE(report->request.cpu_fallback);
  EXPECT_EQ(report->request.dims, data.request.dims);
  // Everything that the report has, in the same place: written again it is the same text.
  report->prediction = data.prediction;
  EXPECT_EQ(Placement(report).json(), placement.json());
  EXPECT_EQ(Placement(report).summary(), placement.summary());
}

TEST(ReportReader, TakesReportsOfOtherVersionsOfTheSchema) {
  Json json = Json::parse(placed().json());
  json["new_in_a_later_version"] = {{"deep", Json::array({1, 2})}};
  json["nodes"][0]["new"] = 1;
  EXPECT_EQ(message_of(json.dump()), "");
  json["nodes"][0]["flops"] = 12.5;
  json["copies"][0]["times"] = 7;
  json["devices"][1]["memory"] = {{"weights", 12}, {"limit", 99}};
  json["model"]["fingerprint"] = "abc";
  const auto report = read_report(json.dump(), "r.json");
  EXPECT_EQ(report->nodes[0].flops, 12.5);
  EXPECT_EQ(report->copies[0].times, 7);
  EXPECT_EQ(report->devices[1].memory.limit, 99);
  EXPECT_EQ(report->fingerprint, "abc");
  for (const char* optional : {"assumed_symbols", "prediction", "run_copies"}) json.erase(optional);
  json["request"].erase("policy");
  EXPECT_EQ(message_of(json.dump()), "");
}

TEST(ReportReader, RefusesWithPlaceExpectedAndGot) {
  struct Case {
    const char* pointer;  // what is replaced, or removed where `value` is null
    Json value;
    const char* text;
  };
  const Case kCases[] = {
      {"/schema", "ferry.placement/2", R"($.schema: expected "ferry.placement/1", got)"},
      {"/schema", 1, "$.schema: expected a text"},
      {"/schema", nullptr, R"($: expected a placement report, with "schema")"},
      {"/model", nullptr, "$.model: expected a value, got none"},
      {"/model/opset", 21, "$.model.opset: expected an object, got 21"},
      {"/model/opset/com.microsoft", -1, R"($.model.opset["com.microsoft"]: expected an integer)"},
      {"/request/device", "gpu", R"($.request.device: expected a device, such as cpu, cuda:0)"},
      {"/request/device", "sin:0", "Did you mean 'sim'?"},
      {"/request/fallback", "gpu", "$.request.fallback: expected cpu or error"},
      {"/request/policy", "best", "$.request.policy: expected device_first or fastest"},
      {"/request/dims/batch", 1.5, "$.request.dims.batch: expected an integer"},
      {"/devices", Json::object(), "$.devices: expected a list, got an object"},
      {"/devices/0/nodes", 1e99, "$.devices[0].nodes: expected an integer"},
      {"/devices/0/simulated", "yes", "$.devices[0].simulated: expected true or false"},
      {"/nodes/1/name", "/a", "$.nodes[1].name: expected a name that no other node has"},
      {"/nodes/1/name", "", "$.nodes[1].name: expected a text that is not empty"},
      {"/nodes/1/device", "cpu:3", "$.nodes[1].device: expected a device"},
      {"/nodes/1/reason", "dtype", "$.nodes[1].reason: expected an object"},
      {"/nodes/1/reason/code", nullptr, "$.nodes[1].reason.code: expected a value, got none"},
      {"/nodes/1/rejected/0/device", 7, "$.nodes[1].rejected[0].device: expected a device"},
      {"/nodes/2/sources", Json::array({1}), "$.nodes[2].sources[0]: expected a text, got 1"},
      {"/nodes/0/predicted_seconds", Json{{"gpu", 1}}, "expected members named after devices"},
      {"/nodes/0/flops", -1, "$.nodes[0].flops: expected a number from 0"},
      {"/weights/0/bytes", -4, "$.weights[0].bytes: expected an integer from 0"},
      {"/weights/0/bytes", 18446744073709551615u, "$.weights[0].bytes: expected an integer"},
      {"/weights/0/dtype", "float33", "$.weights[0].dtype: expected an element type"},
      {"/weights/0/homes", Json::array({"cpu", "tpu"}), "$.weights[0].homes[1]: expected a device"},
      {"/copies/0/to", "cpu", "$.copies[0].to: expected another device than 'from'"},
      {"/copies/0/bytes", 12, "$.copies[0].bytes: expected an object, got 12"},
      {"/copies/0/when", "never", "$.copies[0].when: expected load, run or trip"},
      {"/copies/0/consumers", "/a", "$.copies[0].consumers: expected a list"},
      {"/prediction", Json::object(), "$.prediction.seconds: expected a value, got none"},
  };
  const Json good = Json::parse(placed().json());
  ASSERT_EQ(message_of(good.dump()), "");
  for (const Case& c : kCases) {
    Json bad = good;
    const Json::json_pointer at(c.pointer);
    if (c.value.is_null()) {
      bad[at.parent_pointer()].erase(at.back());
    } else {
      bad[at] = c.value;
    }
    EXPECT_THAT(message_of(bad.dump()), HasSubstr("r.json: ")) << c.pointer;
    EXPECT_THAT(message_of(bad.dump()), HasSubstr(c.text)) << c.pointer;
  }
}

TEST(ReportReader, RefusesWhatIsNoReportAtAll) {
  const std::string good = placed().json();
  for (const std::string& bad :
       {std::string(), std::string("{"), std::string("[]"), std::string("null"), std::string("{}"),
        good.substr(0, good.size() / 2), good + good, std::string("{\"schema\":1e999}"),
        std::string(100'000, '['), std::string("\xff\xfe\x00", 3)}) {
    EXPECT_THAT(message_of(bad), HasSubstr("r.json: ")) << bad.substr(0, 40);
  }
}

// ---- maps ---------------------------------------------------------------------------------------

std::string map_message(const std::string& text, std::string_view fingerprint = {}) {
  try {
    read_map(text, "m.json", fingerprint);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    return error.what();
  }
  return "";
}

TEST(Map, IsAListOfNodes) {
  const auto rules = read_map(R"({"nodes": {"/b*?\\": "sim:1", "/a": "cpu"}})", "m.json", "any");
  ASSERT_EQ(rules.size(), 2u);
  EXPECT_EQ(rules[0].pattern, "/a");
  EXPECT_EQ(rules[0].device, Device::cpu());
  EXPECT_EQ(rules[1].pattern, R"(/b\*\?\\)");
  EXPECT_EQ(rules[1].device, Device("sim:1"));
  EXPECT_EQ(rules[1].target, PlacementRule::Target::node);
  EXPECT_EQ(rules[0].text, "m.json: /a=cpu");
}

TEST(Map, IsAReportOfTheSameModel) {
  Json json = Json::parse(placed().json());
  json["model"]["fingerprint"] = "one";
  const auto rules = read_map(json.dump(), "m.json", "one");
  ASSERT_EQ(rules.size(), 3u);
  EXPECT_EQ(rules[1].pattern, "/b");
  EXPECT_EQ(rules[1].device, Device::cpu());
  EXPECT_EQ(map_message(json.dump()), "");
  EXPECT_THAT(map_message(json.dump(), "two"),
              HasSubstr("a report of another model, 'net.onnx' with fingerprint one; this one has "
                        "two."));
}

TEST(Map, RefusesOtherThings) {
  struct Case {
    const char* json;
    const char* text;
  };
  const Case kCases[] = {
      {R"({"node": {"/a": "cpu"}})", "Did you mean 'nodes'?"},
      {R"({"nodes": {"/a": "cpu"}, "default": "cpu"})", "$.default: expected one of nodes"},
      {R"({"nodes": ["/a"]})", "$.nodes: expected an object, got a list"},
      {R"({"nodes": {}})", "$.nodes: expected at least one node"},
      {R"({"nodes": {"/a": "cud:0"}})", R"($.nodes["/a"]: expected a device)"},
      {R"({"nodes": {"/a": "cud:0"}})", "Did you mean 'cuda'?"},
      {R"({"nodes": {"/a": null}})", R"($.nodes["/a"]: expected a device)"},
      {R"({"nodes": {"/a": "cpu", "/a": "sim:0"}})", "stands twice"},
      {R"({"schema": "ferry.profiles/1"})", "$.schema: expected \"ferry.placement/1\""},
      {"", "not JSON"},
  };
  for (const Case& c : kCases) EXPECT_THAT(map_message(c.json), HasSubstr(c.text)) << c.json;
}

TEST(Map, IsReadFromAFileByItsEnding) {
  const std::string path =
      std::filesystem::temp_directory_path() / ("ferry_map_" + std::to_string(getpid()) + ".json");
  write_file(path, R"({"nodes": {"/a": "cpu"}})");
  EXPECT_EQ(PlacementRule::load_map(path).size(), 1u);
  std::filesystem::remove(path);
  for (const std::string& wrong : {path, std::string("map.yaml")}) {
    try {
      PlacementRule::load_map(wrong);
      ADD_FAILURE() << wrong;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), wrong == path ? ErrorCode::not_found : ErrorCode::invalid_argument);
    }
  }
}

}  // namespace
}  // namespace ferry
