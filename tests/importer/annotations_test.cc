#include "importer/format/annotations.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <random>

#include "core/files.h"
#include "importer/problems.h"
#include "tests/importer/import_testing.h"

namespace ferry {
namespace {

using testing::as_bytes;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::ModelBuilder;
using testing::NodeBuilder;

const Device kCpu, kSim(DeviceKind::sim, 0), kCuda(DeviceKind::cuda, 1);

NodePlacement placed(const std::string& name, Device device,
                     std::vector<std::string> sources = {}) {
  NodePlacement node;
  node.name = name;
  node.device = device;
  node.sources = sources.empty() ? std::vector<std::string>{name} : std::move(sources);
  return node;
}

std::string annotate(const ModelBuilder& model, const std::vector<NodePlacement>& placement,
                     Annotated* result = nullptr) {
  Annotated own;
  return annotated(as_bytes(model.bytes()), placement, result == nullptr ? own : *result);
}

// "path=device" of each node.
std::vector<std::string> read(const std::string& bytes) {
  std::vector<std::string> out;
  for (const AnnotatedNode& node : read_annotations(as_bytes(bytes), "m.onnx")) {
    out.push_back(node.path + (node.is_call ? "()" : "") + "=" + node.device.str());
  }
  return out;
}

ModelBuilder chain() {
  ModelBuilder model(21, 8);
  model.input("x", float32, {2, 3}).output("y", float32, {2, 3});
  model.initializer<float>("w", {1, 2, 3}, {3});
  model.node("Mul", {"x", "w"}, {"a"}).name("scale");
  model.node("Relu", {"a"}, {"b"}).name("rectify");
  model.node("Add", {"b", "w"}, {"c"});           // without a name
  model.node("Neg", {"c"}, {"y"}).name("scale");  // a second one of this name
  return model;
}

TEST(Annotations, TravelWithTheFile) {
  Annotated result;
  const std::string bytes = annotate(chain(),
                                     {placed("scale", kSim, {"scale", "rectify"}),
                                      placed("Add_c", kCpu), placed("scale_1", kCuda, {"scale"})},
                                     &result);
  EXPECT_EQ(result.nodes, 4);
  EXPECT_EQ(result.without, 0);
  EXPECT_THAT(read(bytes),
              ElementsAre("scale=sim:0", "rectify=sim:0", "Add_c=cpu", "scale_1=cuda:1"));
  EXPECT_EQ(onnxruntime_option(result.devices), "cpu(=cpu); gpu:1(=cuda:1); gpu:0(=sim:0)");
}

TEST(Annotations, TheModelIsTheSameButForThem) {
  ModelBuilder model = chain();
  const std::string bytes = annotate(model, {placed("scale", kSim), placed("Add_c", kCpu)});
  const Graph before = testing::import_bytes(model.bytes()), after = testing::import_bytes(bytes);
  EXPECT_EQ(testing::show_attributes(after), testing::show_attributes(before));
  EXPECT_EQ(after.ir_version, 11);
  // What is left when they are taken away is what was there.
  onnx::ModelProto proto;
  ASSERT_TRUE(proto.ParseFromString(bytes));
  EXPECT_EQ(proto.graph().initializer(0).raw_data(),
            model.proto().graph().initializer(0).raw_data());
}

TEST(Annotations, ReplaceThoseOfBefore) {
  const std::string once = annotate(chain(), {placed("scale", kSim), placed("Add_c", kSim)});
  Annotated result;
  const std::string twice = annotated(as_bytes(once), {placed("scale", kCpu)}, result);
  EXPECT_EQ(result.nodes, 1);
  EXPECT_EQ(result.without, 3);
  EXPECT_THAT(read(twice), ElementsAre("scale=cpu"));
  Annotated again;
  EXPECT_EQ(annotated(as_bytes(twice), {placed("scale", kCpu)}, again), twice);
}

TEST(Annotations, ReachIntoBodies) {
  ModelBuilder model;
  model.input("c", boolean, {}).input("x", float32, {2}).output("y", float32, {2});
  NodeBuilder node = model.node("If", {"c"}, {"y"}).name("choose");
  for (const char* branch : {"then_branch", "else_branch"}) {
    testing::GraphProtoBuilder body(node.graph(branch));
    body.node("Neg", {"x"}, {std::string(branch) + "_y"}).name("inner");
    body.output(std::string(branch) + "_y", float32, {2});
  }
  const std::string bytes =
      annotate(model, {placed("choose", kCpu), placed("choose/then_branch/inner", kSim, {"inner"}),
                       placed("choose/else_branch/inner", kCuda, {"inner"})});
  EXPECT_THAT(read(bytes), ElementsAre("choose/then_branch/inner=sim:0",
                                       "choose/else_branch/inner=cuda:1", "choose=cpu"));
  testing::import_bytes(bytes);
}

TEST(Annotations, CallsHaveTheDeviceThatAllTheirNodesAreOn) {
  ModelBuilder model;
  model.import("own", 1);
  model.input("x", float32, {2}).output("y", float32, {2});
  onnx::FunctionProto* function = model.function("own", "Twice", {"a"}, {"b"});
  testing::add_node(function, "Neg", {"a"}, {"m"}).name("first");
  testing::add_node(function, "Abs", {"m"}, {"b"}).name("second");
  model.node("Twice", {"x"}, {"t"}).name("one").domain("own");
  model.node("Twice", {"t"}, {"y"}).name("two").domain("own");
  Annotated result;
  const std::string bytes =
      annotate(model,
               {placed("one/first", kSim, {"first"}), placed("one/second", kSim, {"second"}),
                placed("two/first", kSim, {"first"}), placed("two/second", kCpu, {"second"})},
               &result);
  EXPECT_THAT(read(bytes), ElementsAre("one()=sim:0"));
  EXPECT_EQ(result.without, 1);
  testing::import_bytes(bytes);
}

TEST(Annotations, OfOthersAreRead) {
  // As a program with onnx's own classes writes them, with a configuration of its own.
  ModelBuilder model = chain();
  const auto add = [](std::string& node, uint32_t number, const std::string& message) {
    node += static_cast<char>(number << 3 | 2);
    node += static_cast<char>(message.size());
    node += message;
  };
  onnx::DeviceConfigurationProto configuration;
  configuration.set_name("plan");
  configuration.set_num_devices(2);
  configuration.add_device("cpu");
  configuration.add_device("cuda:0");
  onnx::NodeDeviceConfigurationProto on_node;
  on_node.set_configuration_id("plan");
  onnx::ShardingSpecProto* const spec = on_node.add_sharding_spec();
  spec->set_tensor_name("a");
  spec->add_device(1);
  onnx::StringStringEntryProto layer;
  layer.set_key("layer_ann");
  layer.set_value("cpu");
  std::string node0 = model.proto().graph().node(0).SerializeAsString();
  std::string node1 = model.proto().graph().node(1).SerializeAsString();
  add(node0, 10, on_node.SerializeAsString());
  add(node1, 9, layer.SerializeAsString());
  const auto bytes_of = [&] {
    std::string graph, bytes;
    add(graph, 1, node0);
    add(graph, 1, node1);
    add(bytes, 7, graph);
    return bytes;
  };
  const auto with_configuration = [&] {
    std::string bytes = bytes_of();
    bytes += "\xd2\x01";  // field 26
    bytes += static_cast<char>(configuration.SerializeAsString().size());
    return bytes + configuration.SerializeAsString();
  };
  EXPECT_THAT(read(with_configuration()), ElementsAre("scale=cuda:0", "rectify=cpu"));

  const auto message = [&](const std::string& bytes) {
    try {
      read(bytes);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
      return std::string(error.what());
    }
    return std::string();
  };
  configuration.set_device(1, "cuad:0");
  EXPECT_THAT(message(with_configuration()),
              HasSubstr("'m.onnx': node 'scale': device_configurations: 'cuad:0' is not a device"));
  configuration.set_device(1, "cuda:0");
  on_node.mutable_sharding_spec(0)->set_device(0, 7);
  node0 = model.proto().graph().node(0).SerializeAsString();
  add(node0, 10, on_node.SerializeAsString());
  EXPECT_THAT(message(with_configuration()), HasSubstr("device 7 of the configuration 'plan'"));
  on_node.mutable_sharding_spec(0)->set_device(0, 0);
  spec->add_device(1);
  node0 = model.proto().graph().node(0).SerializeAsString();
  add(node0, 10, on_node.SerializeAsString());
  EXPECT_THAT(message(with_configuration()),
              HasSubstr("node 'scale' is on cpu and on cuda:0; one device is expected"));
  layer.set_value("encoder");
  node1 = model.proto().graph().node(1).SerializeAsString();
  add(node1, 9, layer.SerializeAsString());
  node0 = model.proto().graph().node(0).SerializeAsString();
  EXPECT_THAT(message(with_configuration()),
              HasSubstr("node 'rectify': layer_ann: 'encoder' is not a device"));
  node1 = model.proto().graph().node(1).SerializeAsString();
  EXPECT_THAT(message(with_configuration()), HasSubstr("no node of it has a device"));
  std::string two = with_configuration();
  configuration.set_name("other");
  const std::string second = configuration.SerializeAsString();
  two += "\xd2\x01";
  two += static_cast<char>(second.size());
  EXPECT_THAT(message(two + second), HasSubstr("several device configurations"));
}

TEST(Annotations, BrokenFilesAreErrors) {
  const std::string good = annotate(chain(), {placed("scale", kSim)});
  for (size_t length = 0; length < good.size(); ++length) {
    try {
      read(good.substr(0, length));
    } catch (const Error&) {  // never anything else
    }
  }
  constexpr unsigned kSeed = 7;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  std::mt19937 random(kSeed);
  for (int i = 0; i < 5000; ++i) {
    std::string bad = good;
    for (int flips = 0; flips < 1 + i % 4; ++flips) {
      bad[random() % bad.size()] = static_cast<char>(random());
    }
    try {
      read(bad);
      Annotated result;
      (void)annotated(as_bytes(bad), {placed("scale", kCpu)}, result);
    } catch (const Error&) {
    } catch (const ProblemError&) {  // annotated() leaves naming the file to its caller
    }
  }
  // Graphs in graphs.
  std::string nested;
  for (int i = 0; i < 200; ++i) {
    const auto wrap = [](uint32_t number, const std::string& message) {
      std::string out(1, static_cast<char>(number << 3 | 2));
      for (size_t size = message.size();; size >>= 7) {
        out += static_cast<char>((size & 0x7f) | (size >= 0x80 ? 0x80 : 0));
        if (size < 0x80) break;
      }
      return out + message;
    };
    nested = wrap(1, wrap(5, wrap(6, nested)));
  }
  std::string model = "\x3a";
  for (size_t size = nested.size();; size >>= 7) {
    model += static_cast<char>((size & 0x7f) | (size >= 0x80 ? 0x80 : 0));
    if (size < 0x80) break;
  }
  try {
    read(model + nested);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("nested more than 30 deep"));
  }
}

TEST(Annotations, ExternalDataStaysBesideTheModel) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::temp_directory_path() / ("ferry_ann_" + std::to_string(getpid()));
  fs::create_directories(folder / "elsewhere");
  ModelBuilder model = chain();
  onnx::TensorProto* weight = model.graph()->mutable_initializer(0);
  weight->clear_raw_data();
  weight->set_data_location(1);
  const auto entry = [&](const char* key, const char* value) {
    onnx::StringStringEntryProto* const pair = weight->add_external_data();
    pair->set_key(key);
    pair->set_value(value);
  };
  entry("location", "w.bin");
  entry("offset", "0");
  entry("length", "12");
  const float values[] = {1, 2, 3};
  write_file(folder / "w.bin", {reinterpret_cast<const char*>(values), sizeof values});
  write_file(folder / "m.onnx", model.bytes());
  const std::vector<NodePlacement> placement = {placed("scale", kSim)};
  EXPECT_EQ(save_annotated(folder / "m.onnx", placement, folder / "out.onnx").nodes, 1);
  EXPECT_EQ(import_model(folder / "out.onnx").order().size(), 4u);
  EXPECT_THAT(read_annotations((folder / "out.onnx").string()).size(), 1u);
  try {
    save_annotated(folder / "m.onnx", placement, folder / "elsewhere/out.onnx");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    EXPECT_THAT(error.what(), HasSubstr("write the annotated copy into the model's own folder"));
  }
  EXPECT_FALSE(fs::exists(folder / "elsewhere/out.onnx"));
  fs::remove_all(folder);
}

}  // namespace
}  // namespace ferry
