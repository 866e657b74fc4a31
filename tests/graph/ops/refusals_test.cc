// What rules refuse: inputs whose sizes do not belong together, scalars that hold nothing, sizes
// that overflow. A kernel may rely on all of it where the sizes are numbers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ferry/error.h"
#include "graph/infer.h"

namespace ferry {
namespace {

using ::testing::HasSubstr;
using Ints = std::vector<int64_t>;
constexpr int64_t kHuge = int64_t{1} << 62;

struct In {
  In(Dims dims, DType type = DType::float32) : shape(std::move(dims)), dtype(type) {}
  In(Tensor tensor) : constant(std::move(tensor)) {}
  std::optional<Dims> shape;
  DType dtype = DType::float32;
  Tensor constant;
};
In ints(Ints values) { return Tensor::from(values); }
In floats(std::vector<float> values) { return Tensor::from(values); }
const In kAbsent = In(Dims{}, DType::undefined);
In of(DType dtype, Dims shape) { return In(std::move(shape), dtype); }

struct Refusal {
  const char* op;
  std::vector<std::pair<std::string, Attribute>> attributes;
  std::vector<In> inputs;
  const char* message;
};

void infer_one(const Refusal& one) {
  Graph graph;
  Node node{.op = one.op, .name = "node"};
  for (const auto& [name, value] : one.attributes) node.attributes.set(name, value);
  for (size_t i = 0; i < one.inputs.size(); ++i) {
    const std::string name = "i" + std::to_string(i);
    const In& in = one.inputs[i];
    if (in.constant.defined()) {
      node.inputs.push_back(graph.add_constant(name, in.constant));
    } else if (in.dtype == DType::undefined) {
      node.inputs.push_back(kNoValue);
    } else {
      node.inputs.push_back(graph.add_input(name, {.dtype = in.dtype, .shape = in.shape}));
    }
  }
  for (const char* name : {"a", "b"}) node.outputs.push_back(graph.add_value({.name = name}));
  if (node.op != "TopK" && node.op != "LSTM" && node.op != "Attention" && node.op != "Dropout") {
    node.outputs.resize(1);
  }
  infer_node(graph, graph.add_node(std::move(node)));
}

void expect_refused(const std::vector<Refusal>& refusals) {
  for (const Refusal& one : refusals) {
    try {
      infer_one(one);
      ADD_FAILURE() << one.op << ": expected an Error with " << one.message;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_model) << one.op;
      EXPECT_THAT(error.what(), HasSubstr(one.message)) << one.op;
    }
  }
}

std::vector<std::pair<std::string, Attribute>> lstm(const char* direction) {
  return {
      {"direction", std::string(direction)}, {"hidden_size", int64_t{0}}, {"layout", int64_t{0}}};
}

std::vector<std::pair<std::string, Attribute>> resize(const char* mode = "half_pixel") {
  return {{"axes", Ints{}},
          {"coordinate_transformation_mode", std::string(mode)},
          {"keep_aspect_ratio_policy", std::string("stretch")}};
}

std::vector<std::pair<std::string, Attribute>> sample(const char* mode = "linear",
                                                      const char* padding = "zeros") {
  return {{"align_corners", int64_t{0}},
          {"mode", std::string(mode)},
          {"padding_mode", std::string(padding)}};
}

std::vector<std::pair<std::string, Attribute>> window(Ints kernel, const char* auto_pad = "NOTSET",
                                                      Ints strides = {}) {
  return {{"auto_pad", std::string(auto_pad)},
          {"ceil_mode", int64_t{0}},
          {"dilations", Ints{}},
          {"group", int64_t{1}},
          {"kernel_shape", kernel},
          {"pads", Ints{}},
          {"output_padding", Ints{}},
          {"output_shape", Ints{}},
          {"strides", strides}};
}

TEST(RefusalsTest, SidesThatDoNotBelongToTheirInput) {
  const In x = In({1, 64}), lstm_x = In({5, 3, 4});
  const In w = In({1, 32, 4}), r = In({1, 32, 8});
  const std::vector<std::pair<std::string, Attribute>> norm{{"axis", int64_t{-1}},
                                                            {"stash_type", int64_t{1}}};
  const std::vector<std::pair<std::string, Attribute>> gemm{{"transA", int64_t{0}},
                                                            {"transB", int64_t{0}}};
  const std::vector<std::pair<std::string, Attribute>> quantize{
      {"axis", int64_t{1}}, {"block_size", int64_t{0}}, {"output_dtype", int64_t{0}}};
  const std::vector<std::pair<std::string, Attribute>> rotary{{"num_heads", int64_t{0}},
                                                              {"rotary_embedding_dim", int64_t{0}}};
  expect_refused({
      {"LayerNormalization", norm, {x, In({64}), In({0, 64})}, "does not broadcast to [1, 64]"},
      {"LayerNormalization", norm, {x, In({64}), In({5, 64})}, "does not broadcast to [1, 64]"},
      {"LayerNormalization", norm, {x, In({0})}, "input 1 has the shape [0]"},
      {"RMSNormalization", norm, {x, In({5, 64})}, "does not broadcast to [1, 64]"},
      {"PRelu", {}, {x, In({2, 64})}, "does not broadcast to [1, 64]"},
      {"InstanceNormalization", {}, {In({1, 3, 8}), In({3}), In({2})}, "3 and 2"},
      {"InstanceNormalization", {}, {In({1, Dim(), 8}), In({3}), In({2})}, "3 and 2"},
      {"GroupNormalization",
       {{"num_groups", int64_t{1}}},
       {In({1, 4, 8}), In({4}), In({2})},
       "4 and 2"},
      {"Gemm", gemm, {In({2, 3}), In({3, 4}), In({5, 4})}, "does not broadcast to [2, 4]"},
      {"Gemm", gemm, {In({2, 3}), In({3, 4}), In({0})}, "does not broadcast to [2, 4]"},
      {"LSTM", lstm("forward"), {lstm_x, w, r, In({0, 64})}, "expected [1, 64]: B"},
      {"LSTM", lstm("forward"), {lstm_x, In({1, 32, 5}), r}, "expected [1, 32, 4]: W"},
      {"LSTM", lstm("forward"), {lstm_x, w, In({1, 31, 8})}, "expected [1, 32, 8]: R"},
      {"LSTM", lstm("bidirectional"), {lstm_x, w, In({2, 32, 8})}, "expected [2, 32, 4]: W"},
      {"LSTM",
       lstm("forward"),
       {lstm_x, w, r, kAbsent, of(int32, {2})},
       "expected [3]: sequence_lens"},
      {"LSTM",
       lstm("forward"),
       {lstm_x, w, r, kAbsent, kAbsent, In({1, 2, 8})},
       "expected [1, 3, 8]: the state"},
      {"LSTM",
       lstm("forward"),
       {lstm_x, w, r, kAbsent, kAbsent, kAbsent, kAbsent, In({1, 23})},
       "expected [1, 24]: P"},
      {"Attention",
       {},
       {In({1, 2, 3, 8}), In({1, 2, 3, 8}), In({1, 2, 3, 8}), kAbsent, In({1, 2, 60, 8}),
        In({1, 2, 1, 8})},
       "input 5 has the shape [1, 2, 1, 8], expected [1, 2, 60, ?]"},
      {"RotaryEmbedding",
       rotary,
       {In({1, 2, 3, 8}), In({50, 4}), In({40, 4}), of(int64, {1, 3})},
       "expected [50, 4]"},
      {"Unique", {{"axis", int64_t{2}}}, {In({2, 3})}, "axis 2 is outside"},
      {"GridSample", sample(), {In({1, 2, 4}), In({1, 3, 2})}, "grid do not agree: 1 and 2"},
      {"GridSample", sample(), {In({2, 2, 4, 4}), In({1, 3, 3, 2})}, "batches of X and grid"},
      {"GridSample",
       sample(),
       {In({1, 2, 4, 4}), In({1, 3, 2})},
       "input 1 has the shape [1, 3, 2]"},
      {"GridSample", sample(), {In({2, 4}), In({1, 3, 1})}, "at least 3 axes"},
      {"GridSample", sample(), {In({1, 2, 4}), of(int32, {1, 3, 1})}, "input 1 is int32"},
      {"GridSample", sample("bilinear"), {In({1, 2, 4}), In({1, 3, 1})}, "'mode' is \"bilinear\""},
      {"GridSample", sample("linear", "edge"), {In({1, 2, 4}), In({1, 3, 1})}, "\"reflection\""},
      {"Resize",
       resize("tf_crop_and_resize"),
       {In({1, 1, 4, 4}), In({3}), kAbsent, ints({1, 1, 2, 2})},
       "expected [8]"},
      {"Resize", resize(), {In({1, 1, 4, 4}), kAbsent, In({3})}, "expected [4]: a scale"},
      {"Resize",
       resize(),
       {In({1, 1, 4, 4}), kAbsent, kAbsent, of(int64, {3})},
       "expected [4]: a size"},
      {"QuantizeLinear", quantize, {In({2, 3}), In({2})}, "3 and 2"},
      {"DequantizeLinear",
       quantize,
       {of(int8, {2, 3}), In({3}), of(int8, {2})},
       "have different shapes"},
      {"QLinearMatMul",
       {},
       {of(uint8, {2, 3}), In({0}), of(uint8, {1}), of(uint8, {3, 4}), In({1}), of(uint8, {1}),
        In({1}), of(uint8, {1})},
       "input 1 has 0 elements"},
      {"QLinearMatMul",
       {},
       {of(uint8, {2, 3}), In({1}), of(uint8, {1}), of(uint8, {3, 4}), In({1}), of(uint8, {1}),
        In({0}), of(uint8, {1})},
       "input 6 has the shape [0], expected one element"},
      {"ConvInteger",
       window({2}),
       {of(uint8, {1, 1, 8}), of(uint8, {2, 1, 2}), of(uint8, {5})},
       "input 2 has the shape [5], expected one element"},
      {"Compress",
       {{"axis", int64_t{0}}},
       {In({3, 2}), of(boolean, {4})},
       "4 elements for an axis of 3"},
  });
}

TEST(RefusalsTest, ScalarsHaveOneElement) {
  const In none = of(int64, {0});
  expect_refused({
      {"TopK",
       {{"axis", int64_t{-1}}},
       {In({4}), ints({})},
       "input 1 has the shape [0], expected one element"},
      {"TopK", {{"axis", int64_t{-1}}}, {In({4}), of(int64, {12})}, "shape [12]"},
      {"OneHot", {{"axis", int64_t{-1}}}, {In({4}), none, In({2})}, "input 1 has the shape [0]"},
      {"Dropout", {}, {In({4}), In({0})}, "input 1 has the shape [0]"},
      {"Dropout", {}, {In({4}), kAbsent, of(boolean, {0})}, "input 2 has the shape [0]"},
      {"Trilu", {}, {In({4, 4}), none}, "input 1 has the shape [0]"},
      {"CumSum", {}, {In({4, 4}), none}, "input 1 has the shape [0]"},
      {"Clip", {}, {In({4}), In({0})}, "input 1 has the shape [0]"},
      {"Range", {}, {ints({}), ints({4}), ints({1})}, "input 0 has the shape [0]"},
      {"If", {}, {of(boolean, {0})}, "input 0 has the shape [0]"},
  });
}

TEST(RefusalsTest, SizesThatOverflowOrAreNegative) {
  expect_refused({
      {"Tile", {}, {In({4, 4}), ints({kHuge, 1})}, "4 * 4611686018427387904"},
      {"Tile", {}, {In({4, 4}), ints({kHuge / 4, 1})}, "more than 2^55 elements"},
      {"Pad",
       {{"mode", std::string("constant")}},
       {In({4}), ints({kHuge, kHuge})},
       "4611686018427387908 + 4611686018427387904"},
      {"Expand", {}, {In({4}), ints({kHuge, 4})}, "more than 2^55 elements"},
      {"Expand", {}, {In({4}), of(int64, {1 << 27})}, "134217728 axes, expected at most 1024"},
      {"Reshape", {{"allowzero", int64_t{0}}}, {In({4}), of(int64, {1 << 27})}, "at most 1024"},
      {"Unsqueeze", {}, {In({4}), of(int64, {INT64_MAX})}, "9223372036854775807"},
      {"ConstantOfShape",
       {{"value", Tensor::from({0})}},
       {of(int64, {20000})},
       "20000 axes, expected at most 1024"},
      {"ConstantOfShape", {{"value", Tensor::from({0})}}, {ints({kHuge, 2})}, "2^55 elements"},
      {"DepthToSpace", {{"blocksize", int64_t{1} << 32}}, {In({1, 4, 1, 1})}, "below 2^31"},
      {"SpaceToDepth", {{"blocksize", int64_t{1} << 33}}, {In({1, 4, 8, 8})}, "below 2^31"},
      {"SpaceToDepth", {{"blocksize", INT32_MAX}}, {In({1, kHuge, 0, 0})}, "does not fit"},
      {"DepthToSpace", {{"blocksize", int64_t{0}}}, {In({1, 4, 1, 1})}, "at least 1"},
      {"Resize", resize(), {In({4}), kAbsent, floats({1e30f})}, "cannot grow by the scale"},
      {"Resize", resize(), {In({4}), kAbsent, kAbsent, ints({-3})}, "a negative size: [-3]"},
      {"Resize", resize(), {In({4, 4}), kAbsent, kAbsent, ints({kHuge, kHuge})}, "2^55 elements"},
      {"Split",
       {{"axis", int64_t{0}}, {"num_outputs", int64_t{1}}},
       {ints({1, 2, 3, 4}), ints({1000})},
       "1000 and 4"},
      {"AveragePool", window({kHuge}, "SAME_UPPER"), {In({1, 1, 4})}, "below 2^31"},
      {"ConvTranspose",
       window({2}, "NOTSET", {INT32_MAX}),
       {In({1, 1, kHuge}), In({1, 1, 2})},
       "does not fit into 64 bits"},
      {"Range", {}, {floats({0}), floats({1}), floats({1e-30f})}, "too many elements"},
      {"Range", {}, {ints({INT64_MIN}), ints({INT64_MAX}), ints({1})}, "too many elements"},
      {"EyeLike", {{"dtype", int64_t{77}}, {"k", int64_t{0}}}, {In({4, 4})}, "'dtype' is 77"},
      {"QuantizeLinear",
       {{"axis", int64_t{1}}, {"block_size", int64_t{0}}, {"output_dtype", int64_t{1000}}},
       {In({4}), In({1})},
       "'output_dtype' is 1000"},
      {"Flatten", {{"axis", int64_t{2}}}, {In({kHuge, 4})}, "4611686018427387904 * 4"},
      {"ReverseSequence",
       {{"batch_axis", INT64_MAX}, {"time_axis", int64_t{2}}},
       {In({4, 4}), of(int64, {4})},
       "expected 0 and 1 or 1 and 0"},
  });
}

TEST(RefusalsTest, EmptyTensorsMayHaveAnySizes) {
  Graph graph;
  Node node{.op = "Tile", .name = "node"};
  node.inputs = {graph.add_input("x", {.dtype = float32, .shape = Dims{0, kHuge}}),
                 graph.add_constant("n", Tensor::from(Ints{kHuge, 1}))};
  node.outputs = {graph.add_value({.name = "y"})};
  const auto types = infer_node(graph, graph.add_node(std::move(node)));
  EXPECT_EQ(types[0].str(), "float32[0, 4611686018427387904]");
}

}  // namespace
}  // namespace ferry
