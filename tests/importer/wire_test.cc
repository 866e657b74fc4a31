#include "importer/format/wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "importer/format/wire_scan.h"
#include "importer/problems.h"
#include "tests/support/model_builder.h"

namespace ferry {
namespace {

using testing::as_bytes;
using testing::ModelBuilder;

std::string message_of(std::string_view bytes, WireMessage kind = WireMessage::model,
                       const ScanLimits& limits = {}) {
  try {
    scan(as_bytes(bytes), kind, limits);
    return "";
  } catch (const ProblemError& problem) {
    return std::string(to_string(problem.code)) + ": " + problem.message;
  }
}

TEST(WireScan, TakesTensorElementsOutInPlace) {
  ModelBuilder model;
  std::vector<float> weights(1000, 1.5f);
  model.initializer("w", weights, {1000});
  std::string bytes = model.bytes();
  WireScan parts = scan(as_bytes(bytes), WireMessage::model);
  ASSERT_EQ(parts.tensors.size(), 1u);
  EXPECT_LT(parts.skeleton.size(), 100u);
  const auto* start = reinterpret_cast<const uint8_t*>(bytes.data());
  EXPECT_GE(parts.tensors[0].data(), start);
  EXPECT_LE(parts.tensors[0].data() + parts.tensors[0].size(), start + bytes.size());

  onnx::ModelProto read;
  ASSERT_TRUE(read.ParseFromString(parts.skeleton));
  const onnx::TensorProto& tensor = read.graph().initializer(0);
  EXPECT_EQ(tensor.name(), "w");
  EXPECT_FALSE(tensor.has_raw_data());
  EXPECT_EQ(tensor.scan_index(), 0u);
  EXPECT_EQ(tensor.dims(0), 1000);
}

TEST(WireScan, FindsTensorsEverywhere) {
  ModelBuilder model;
  model.initializer<float>("a", {1}, {1});
  testing::set_tensor<float>(model.node("Constant", {}, {"b"}).tensor("value"), {2}, {1}, float32);
  onnx::GraphProto* branch = model.node("If", {"c"}, {"d"}).graph("then_branch");
  testing::set_tensor<float>(branch->add_initializer(), {3}, {1}, float32);
  onnx::FunctionProto* function = model.function("f", "f", {}, {});
  testing::set_tensor<float>(testing::add_node(function, "Constant", {}, {"x"}).tensor("value"),
                             {4}, {1}, float32);
  auto* sparse = model.graph()->add_sparse_initializer();
  testing::set_tensor<float>(sparse->mutable_values(), {5}, {1}, float32);
  testing::set_tensor<int64_t>(sparse->mutable_indices(), {0}, {1}, int64);
  EXPECT_EQ(scan(as_bytes(model.bytes()), WireMessage::model).tensors.size(), 6u);
}

// The skeleton is what protobuf makes of it again: nothing but elements and unlisted fields is
// lost.
TEST(WireScan, KeepsEverythingElse) {
  ModelBuilder model(17, 8);
  model.input("x", float32, {"n", 3}).output("y", float32, {"n", 3});
  model.node("Softmax", {"x"}, {"y"}).name("s").attr("axis", 1).attr("note", "text");
  std::string bytes = model.bytes();
  onnx::ModelProto read;
  ASSERT_TRUE(read.ParseFromString(scan(as_bytes(bytes), WireMessage::model).skeleton));
  EXPECT_EQ(read.SerializeAsString(), bytes);
}

TEST(WireScan, DropsTheFieldThatIsItsOwn) {
  ModelBuilder model;
  model.graph()->add_initializer()->set_scan_index(7);
  onnx::ModelProto read;
  ASSERT_TRUE(read.ParseFromString(scan(as_bytes(model.bytes()), WireMessage::model).skeleton));
  EXPECT_EQ(read.graph().initializer(0).scan_index(), 0u);
}

TEST(WireScan, RefusesBrokenEncodings) {
  struct Case {
    const char* what;
    std::string bytes;
    const char* message;
  };
  const Case cases[] = {
      {"zeros", std::string(64, '\0'), "field number is out of range"},
      {"text", "this is no model, it is a sentence", "the protobuf encoding is broken"},
      {"truncated tag", "\xff", "a number ends too early"},
      {"eleven byte varint", "\x08" + std::string(11, '\xff') + "\x01", "more than ten bytes"},
      {"length past the end", std::string("\x3a\x7f\x00", 3), "a length runs past the end"},
      {"length of 2^63", "\x3a" + std::string(9, '\xff') + "\x01", "a length runs past the end"},
      {"group", "\x0b\x0c", "unknown wire type"},
      {"graph as a number", std::string("\x38\x01", 2), "field 7 should be a message"},
      {"half a fixed32", std::string("\x0d\x01\x02", 3), "a length runs past the end"},
  };
  for (const Case& c : cases) {
    EXPECT_THAT(message_of(c.bytes), ::testing::HasSubstr(c.message)) << c.what;
  }
}

TEST(WireScan, EveryPrefixOfAModelIsRefusedOrRead) {
  ModelBuilder model;
  model.initializer<float>("w", {1, 2, 3}, {3}).output("w", float32, {3});
  std::string bytes = model.bytes();
  for (size_t size = 0; size < bytes.size(); ++size) message_of(bytes.substr(0, size));
}

TEST(WireScan, StopsAtItsLimits) {
  std::string deep = "";
  for (int i = 0; i < 200; ++i) {
    std::string graph = "\x32";  // AttributeProto.g
    write_varint(graph, deep.size());
    std::string attribute = "\x2a";  // NodeProto.attribute
    write_varint(attribute, graph.size() + deep.size());
    std::string node = "\x0a";  // GraphProto.node
    write_varint(node, attribute.size() + graph.size() + deep.size());
    deep = node + attribute + graph + deep;
  }
  std::string model = "\x3a";
  write_varint(model, deep.size());
  EXPECT_THAT(message_of(model + deep), ::testing::HasSubstr("limit: messages are nested"));

  ModelBuilder many;
  for (int i = 0; i < 100; ++i) many.node("Relu", {"x"}, {"y"});
  ScanLimits limits;
  limits.messages = 50;
  EXPECT_THAT(message_of(many.bytes(), WireMessage::model, limits),
              ::testing::HasSubstr("limit: the model has more than 50"));
  limits = {};
  limits.skeleton_bytes = 100;
  EXPECT_THAT(message_of(many.bytes(), WireMessage::model, limits),
              ::testing::HasSubstr("limit: names, attributes and types take more than 100"));
}

TEST(Wire, WritesWhatItReads) {
  for (uint64_t value :
       {uint64_t{0}, uint64_t{127}, uint64_t{128}, uint64_t{1} << 35, ~uint64_t{0}}) {
    std::string bytes;
    write_tag(bytes, 300, WireType::varint);
    write_varint(bytes, value);
    WireReader reader(as_bytes(bytes));
    WireField field;
    ASSERT_TRUE(reader.next(field));
    EXPECT_EQ(field.number, 300u);
    EXPECT_EQ(field.value, value);
    EXPECT_EQ(field.encoded.size(), bytes.size());
    EXPECT_FALSE(reader.next(field));
  }
}

}  // namespace
}  // namespace ferry
