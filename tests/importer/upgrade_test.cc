// Old forms of operators and what they become.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "importer/ops/rows.h"
#include "tests/importer/import_testing.h"

namespace ferry {
namespace {

using testing::ModelBuilder;
using testing::NodeBuilder;
using testing::show;
using testing::show_attributes;

struct Case {
  const char* what;
  int64_t opset;
  std::function<void(ModelBuilder&)> build;
  std::string graph;
};

// One node from x (float32, known or unknown shape) to y.
std::function<void(ModelBuilder&)> node(const std::string& op,
                                        const std::function<void(NodeBuilder)>& attributes,
                                        std::vector<std::string> inputs = {"x"}) {
  return [=](ModelBuilder& model) { attributes(model.node(op, inputs, {"y"}).name("n")); };
}

void run(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    ModelBuilder model(c.opset, 8);
    model.input("x", float32, {"n", 3, 4, 5}).input("s", float32, {3}).output("y", float32);
    c.build(model);
    // The rank of an unused output type must not count.
    model.graph()->mutable_output(0)->mutable_type()->mutable_tensor_type()->clear_shape();
    EXPECT_EQ(show(testing::import_bytes(model.bytes())), c.graph) << c.what;
  }
}

TEST(Upgrade, AttributesThatBecameInputs) {
  run({
      {"Clip 6", 6, node("Clip", [](NodeBuilder n) { n.attr("min", 0.f).attr("max", 6.f); }),
       "y = Clip(x, 0.0, 6.0)\n"},
      {"Clip 6 without limits", 6, node("Clip", [](NodeBuilder) {}), "y = Clip(x)\n"},
      {"Clip 10, upper limit", 10, node("Clip", [](NodeBuilder n) { n.attr("max", 1.f); }),
       "y = Clip(x, -, 1.0)\n"},
      {"Slice 1", 9,
       node("Slice",
            [](NodeBuilder n) {
              n.attr("starts", std::vector<int64_t>{1}).attr("ends", std::vector<int64_t>{-1});
              n.attr("axes", std::vector<int64_t>{2});
            }),
       "y = Slice(x, [1], [-1], [2])\n"},
      {"Slice 1 without axes", 9,
       node("Slice",
            [](NodeBuilder n) {
              n.attr("starts", std::vector<int64_t>{1}).attr("ends", std::vector<int64_t>{2});
            }),
       "y = Slice(x, [1], [2])\n"},
      {"Squeeze 1", 11,
       node("Squeeze",
            [](NodeBuilder n) {
              n.attr("axes", std::vector<int64_t>{0, 2});
            }),
       "y = Squeeze(x, [0, 2])\n"},
      {"Squeeze of all", 11, node("Squeeze", [](NodeBuilder) {}), "y = Squeeze(x)\n"},
      {"Unsqueeze 11", 11,
       node("Unsqueeze", [](NodeBuilder n) { n.attr("axes", std::vector<int64_t>{0}); }),
       "y = Unsqueeze(x, [0])\n"},
      {"ReduceMean 13", 13,
       node("ReduceMean", [](NodeBuilder n) { n.attr("axes", std::vector<int64_t>{1}); }),
       "y = ReduceMean(x, [1])\n"},
      {"ReduceMean of all", 13, node("ReduceMean", [](NodeBuilder) {}), "y = ReduceMean(x)\n"},
      {"ReduceSum 11", 11,
       node("ReduceSum", [](NodeBuilder n) { n.attr("axes", std::vector<int64_t>{-1}); }),
       "y = ReduceSum(x, [-1])\n"},
      {"Pad 2", 2,
       node("Pad",
            [](NodeBuilder n) {
              n.attr("pads", std::vector<int64_t>{0, 1}).attr("value", 2.f);
            }),
       "y = Pad(x, [0, 1], 2.0)\n"},
      {"Pad 1, zero", 1,
       node("Pad",
            [](NodeBuilder n) {
              n.attr("paddings", std::vector<int64_t>{0, 1});
            }),
       "y = Pad(x, [0, 1])\n"},
      {"Reshape 1", 4,
       node("Reshape",
            [](NodeBuilder n) {
              n.attr("shape", std::vector<int64_t>{0, -1});
            }),
       "y = Reshape(x, [0, -1])\n"},
      {"Dropout 7", 7, node("Dropout", [](NodeBuilder n) { n.attr("ratio", 0.25f); }),
       "y = Dropout(x, 0.25)\n"},
      {"Dropout 6 trains by default", 6, node("Dropout", [](NodeBuilder) {}),
       "y = Dropout(x, 0.5, true)\n"},
      {"Dropout 6 in test", 6, node("Dropout", [](NodeBuilder n) { n.attr("is_test", 1); }),
       "y = Dropout(x, 0.5)\n"},
      {"TopK 1", 9,
       [](ModelBuilder& m) {
         m.node("TopK", {"x"}, {"y", "i"}).name("n").attr("k", 2);
       },
       "y, i = TopK(x, [2])\n"},
      {"DFT 17", 17, node("DFT", [](NodeBuilder n) { n.attr("axis", 2); }), "y = DFT(x, -, 2)\n"},
  });
}

TEST(Upgrade, UnknownTypesAskTheirData) {
  // The type of r is not known: the limit gets it when the graph runs or is folded.
  ModelBuilder model(6, 8);
  model.input("x", float32, {2}).output("y", float32);
  model.node("Relu", {"x"}, {"r"}).name("r");
  model.node("Clip", {"r"}, {"y"}).name("c").attr("min", 1.f);
  EXPECT_EQ(show(testing::import_bytes(model.bytes())),
            "r = Relu(x)\n$0 = CastLike(1.0, r)\ny = Clip(r, $0)\n");
}

TEST(Upgrade, OldBroadcasting) {
  auto add = [](int broadcast, std::optional<int> axis, const char* left = "x") {
    return [=](ModelBuilder& model) {
      NodeBuilder n = model.node("Add", {left, "s"}, {"y"}).name("n").attr("broadcast", broadcast);
      if (axis) n.attr("axis", *axis);
    };
  };
  run({
      {"from the channels on", 6, add(1, 1), "$0 = Unsqueeze(s, [1, 2])\ny = Add(x, $0)\n"},
      {"negative", 6, add(1, -3), "$0 = Unsqueeze(s, [1, 2])\ny = Add(x, $0)\n"},
      {"at the end", 6, add(1, 3), "y = Add(x, s)\n"},
      {"suffix", 6, add(1, {}), "y = Add(x, s)\n"},
      {"none", 6, add(0, {}), "y = Add(x, s)\n"},
      {"unknown rank", 6,
       [&](ModelBuilder& m) {
         m.node("Mul", {"x", "x"}, {"r"}).name("r");
         add(1, 1, "r")(m);
       },
       "r = Mul(x, x)\n$0 = Shape(s)\n$1 = Shape($0)\n$2 = Shape(r)\n$3 = Shape($2)\n"
       "$4 = Sub($3, $1)\n$5 = Sub($4, [1])\n$6 = ConstantOfShape($5)\n$7 = Concat($0, $6)\n"
       "$8 = Reshape(s, $7)\ny = Add(r, $8)\n"},
      {"rank behind a convolution", 6,
       [&](ModelBuilder& m) {
         m.node("Conv", {"x", "x"}, {"r"}).name("r");
         add(1, 1, "r")(m);
       },
       "r = Conv(x, x)\n$0 = Unsqueeze(s, [1, 2])\ny = Add(r, $0)\n"},
      {"PRelu 6", 6,
       [](ModelBuilder& m) {
         m.node("PRelu", {"x", "s"}, {"y"}).name("n");
       },
       "$0 = Unsqueeze(s, [1, 2])\ny = PRelu(x, $0)\n"},
  });
}

TEST(Upgrade, SoftmaxOfMatrices) {
  auto softmax = [](std::optional<int> axis) {
    return node("Softmax", [=](NodeBuilder n) {
      if (axis) n.attr("axis", *axis);
    });
  };
  std::string flattened = "$0 = Shape(x)\n$1 = Flatten(x)\n$2 = Softmax($1)\ny = Reshape($2, $0)\n";
  run({
      {"default", 12, softmax({}), flattened},
      {"axis 2", 12, softmax(2), flattened},
      {"the last axis", 12, softmax(3), "y = Softmax(x)\n"},
      {"the last axis from behind", 11, softmax(-1), "y = Softmax(x)\n"},
      {"opset 13", 13, softmax(1), "y = Softmax(x)\n"},
  });
}

TEST(Upgrade, Resizing) {
  run({
      {"Upsample 7", 7,
       node("Upsample",
            [](NodeBuilder n) {
              n.attr("scales", std::vector<float>{1, 1, 2, 2});
            }),
       "y = Resize(x, -, [1.0, 1.0, 2.0, 2.0])\n"},
      {"Upsample 1", 1,
       node("Upsample",
            [](NodeBuilder n) { n.attr("height_scale", 2.f).attr("width_scale", 3.f); }),
       "y = Resize(x, -, [1.0, 1.0, 2.0, 3.0])\n"},
      {"Resize 10", 10, node("Resize", [](NodeBuilder) {}, {"x", "s"}), "y = Resize(x, -, s)\n"},
      {"Resize 11 with sizes", 11,
       [](ModelBuilder& m) {
         m.initializer<float>("none", {}, {0}).initializer<int64_t>("z", {1, 3, 8, 8}, {4});
         m.node("Resize", {"x", "", "none", "z"}, {"y"}).name("n");
       },
       "y = Resize(x, -, -, [1, 3, 8, 8])\n"},
  });
  ModelBuilder model(7, 8);
  model.input("x", float32, {1, 1, 2, 2}).output("y", float32);
  model.node("Upsample", {"x"}, {"y"})
      .attr("scales", std::vector<float>{1, 1, 2, 2})
      .attr("mode", "linear");
  EXPECT_THAT(
      show_attributes(testing::import_bytes(model.bytes())),
      ::testing::AllOf(::testing::HasSubstr("coordinate_transformation_mode=\"asymmetric\""),
                       ::testing::HasSubstr("mode=\"linear\""),
                       ::testing::HasSubstr("nearest_mode=\"floor\"")));
}

TEST(Upgrade, Normalizing) {
  ModelBuilder model(6, 3);
  for (const char* name : {"x", "scale", "b", "mean", "var"}) model.input(name, float32, {3});
  model.output("y", float32);
  model.node("BatchNormalization", {"x", "scale", "b", "mean", "var"}, {"y"})
      .name("n")
      .attr("is_test", 1)
      .attr("spatial", 0);
  EXPECT_EQ(show(testing::import_bytes(model.bytes())),
            "$0 = Sub(x, mean)\n$1 = Add(var, 0.00001)\n$2 = Sqrt($1)\n$3 = Div($0, $2)\n"
            "$4 = Mul($3, scale)\ny = Add($4, b)\n");

  model.proto().mutable_graph()->mutable_node(0)->mutable_attribute(1)->set_i(1);
  EXPECT_THAT(show_attributes(testing::import_bytes(model.bytes())),
              ::testing::HasSubstr("y = BatchNormalization(x, scale, b, mean, var) epsilon="));
}

TEST(Upgrade, GroupNormalizationScalesChannels) {
  ModelBuilder model(18, 8);
  model.input("x", float32, {1, 4, 2}).input("scale", float32, {2}).input("bias", float32, {2});
  model.output("y", float32);
  model.node("GroupNormalization", {"x", "scale", "bias"}, {"y"}).name("n").attr("num_groups", 2);
  EXPECT_EQ(show(testing::import_bytes(model.bytes())),
            "$0 = Shape(x)\n$1 = Div($0, [2])\n$2 = Concat([2], $1)\n"
            "$3 = Unsqueeze(scale, [1])\n$4 = Expand($3, $2)\n$5 = Reshape($4, [-1])\n"
            "$6 = Unsqueeze(bias, [1])\n$7 = Expand($6, $2)\n$8 = Reshape($7, [-1])\n"
            "y = GroupNormalization(x, $5, $8)\n");
}

TEST(Upgrade, Others) {
  run({
      {"Scatter", 9,
       [](ModelBuilder& m) {
         m.node("Scatter", {"x", "s", "x"}, {"y"}).attr("axis", 1);
       },
       "y = ScatterElements(x, s, x)\n"},
      {"Tile 1", 1,
       [](ModelBuilder& m) {
         m.node("Tile", {"x", "s", "s"}, {"y"}).name("n");
       },
       "$0 = Shape(x)\n$1 = Shape($0)\n$2 = ConstantOfShape($1)\n$3 = Cast(s)\n"
       "$4 = Reshape($3, [1])\n$5 = Cast(s)\n$6 = Reshape($5, [1])\n"
       "$7 = ScatterElements($2, $4, $6)\ny = Tile(x, $7)\n"},
      {"SimplifiedLayerNormalization", 14,
       [](ModelBuilder& m) {
         m.node("SimplifiedLayerNormalization", {"x", "s"}, {"y"});
       },
       "y = RMSNormalization(x, s)\n"},
      {"Dropout's mask", 7,
       [](ModelBuilder& m) {
         m.node("Dropout", {"x"}, {"y", "mask"}).name("n");
       },
       "y, $0 = Dropout(x, 0.5)\nmask = CastLike($0, x)\n"},
      {"Split 2", 2,
       [](ModelBuilder& m) {
         m.node("Split", {"x"}, {"y", "z"}).name("n").attr("split", std::vector<int64_t>{1, 2});
       },
       "y, z = Split(x, [1, 2])\n"},
  });
}

TEST(Upgrade, ScanOfBatches) {
  ModelBuilder model(8, 3);
  model.input("s", float32, {1, 2}).input("x", float32, {1, 3, 2}).input("k", float32, {2});
  model.output("y", float32, {1, 2}).output("z", float32, {1, 3, 2});
  NodeBuilder scan = model.node("Scan", {"", "s", "x"}, {"y", "z"}).name("scan");
  scan.attr("num_scan_inputs", 1).attr("directions", std::vector<int64_t>{1});
  testing::GraphProtoBuilder body(scan.graph("body"));
  body.untyped_input("a").untyped_input("b");
  body.node("Add", {"a", "b"}, {"c"}).name("add");
  body.node("Mul", {"c", "k"}, {"d"}).name("mul");
  body.untyped_output("c").untyped_output("d");
  Graph graph = testing::import_bytes(model.bytes());
  EXPECT_THAT(show_attributes(graph),
              ::testing::HasSubstr("y, z = Scan(s, x) captures(k) num_scan_inputs=2"));
  const Graph& batch = *graph.node(graph.order()[0]).bodies[0];
  EXPECT_EQ(show_attributes(batch),
            "output_0, output_1 = Scan(input_0, input_1) captures(capture_0) num_scan_inputs=1 "
            "scan_input_axes=[0] scan_input_directions=[1] scan_output_axes=[0] "
            "scan_output_directions=[0]\n");
  EXPECT_EQ(show(*batch.node(batch.order()[0]).bodies[0]), "c = Add(a, b)\nd = Mul(c, k)\n");
}

TEST(Upgrade, Constants) {
  ModelBuilder model(21);
  testing::set_tensor<float>(model.node("Constant", {}, {"a"}).tensor("value"), {1, 2}, {2},
                             float32);
  model.node("Constant", {}, {"b"}).attr("value_float", 1.5f);
  model.node("Constant", {}, {"c"}).attr("value_ints", std::vector<int64_t>{3, 4});
  model.node("Constant", {}, {"d"}).attr("value_string", "text");
  model.node("Constant", {}, {"e"}).texts("value_strings", {"u", "v"});
  model.output("a", float32);
  Graph graph = testing::import_bytes(model.bytes());
  EXPECT_TRUE(graph.order().empty());
  auto constant = [&](const char* name) { return graph.value(graph.find_value(name)).constant; };
  EXPECT_EQ(testing::show_constant(constant("a")), "[1.0, 2.0]");
  EXPECT_EQ(testing::show_constant(constant("b")), "1.5");
  EXPECT_EQ(testing::show_constant(constant("c")), "[3, 4]");
  EXPECT_EQ(constant("d").span<std::string>()[0], "text");
  EXPECT_EQ(constant("e").span<std::string>()[1], "v");
}

// Every attribute that the newest form has is there, whatever the file's opset.
TEST(Upgrade, WritesEveryDefault) {
  struct DefaultCase {
    const char* op;
    int64_t opset;
    const char* attributes;
  };
  const DefaultCase cases[] = {
      {"Conv", 1, "auto_pad=\"NOTSET\" dilations=[] group=1 kernel_shape=[] pads=[] strides=[]"},
      {"LeakyRelu", 6, "alpha=0.01"},
      {"Cast", 9, "round_mode=\"up\" saturate=1 to=1"},
      {"LSTM", 7,
       "activation_alpha=[] activation_beta=[] activations=[\"Sigmoid\", \"Tanh\", \"Tanh\"] "
       "clip=inf direction=\"forward\" hidden_size=0 input_forget=0 layout=0"},
      {"Shape", 13, "end=9223372036854775807 start=0"},
  };
  for (const DefaultCase& c : cases) {
    ModelBuilder model(c.opset, 8);
    model.input("x", float32, {2}).output("y", float32);
    int inputs = find_row("", c.op)->inputs.least;
    NodeBuilder n =
        model.node(c.op, std::vector<std::string>(static_cast<size_t>(inputs), "x"), {"y"});
    if (std::string(c.op) == "Cast") n.attr("to", 1);
    EXPECT_THAT(show_attributes(testing::import_bytes(model.bytes())),
                ::testing::HasSubstr(c.attributes))
        << c.op;
  }
}

}  // namespace
}  // namespace ferry
