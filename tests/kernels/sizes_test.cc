// What kernels refuse by themselves: inputs that do not fit together, scalars that are none, sizes
// and positions beyond what they count.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/support/kernel_harness.h"

namespace ferry::test {
namespace {

using Ints = std::vector<int64_t>;

constexpr int64_t kHuge = int64_t{1} << 62;

Tensor zeros(Shape shape, DType dtype = float32) { return Tensor::zeros(std::move(shape), dtype); }
GivenPort of(Shape shape, DType dtype = float32) { return {dtype, std::move(shape)}; }
Tensor ints(Ints values) { return Tensor::from(values); }

TEST(SizesTest, RefusesNormalizationsOfOtherChannels) {
  const Attributes batch =
      attributes({{"epsilon", 1e-5f}, {"momentum", 0.9f}, {"training_mode", int64_t{0}}});
  const Attributes layer =
      attributes({{"axis", int64_t{1}}, {"epsilon", 1e-5f}, {"stash_type", int64_t{1}}});
  const Attributes group = attributes({{"epsilon", 1e-5f}, {"num_groups", int64_t{2}}});
  const Attributes thirds = attributes({{"epsilon", 1e-5f}, {"num_groups", int64_t{3}}});
  const Tensor x = zeros({1, 4, 3}), four = zeros({4}), none = zeros({0}), row = zeros({1, 64});
  check_refused({
      {"scale",
       {"BatchNormalization", batch, {x, none, four, four, four}, {of({1, 4, 3})}},
       "input 1 (scale) has the shape [0], expected [4]"},
      {"bias",
       {"BatchNormalization", batch, {x, four, zeros({3}), four, four}, {of({1, 4, 3})}},
       "bias"},
      {"mean",
       {"BatchNormalization", batch, {x, four, four, zeros({4, 1}), four}, {of({1, 4, 3})}},
       "mean"},
      {"variance",
       {"BatchNormalization", batch, {x, four, four, four, none}, {of({1, 4, 3})}},
       "variance"},
      {"bias of no rows",
       {"LayerNormalization", layer, {row, zeros({64}), zeros({0, 64})}, {of({1, 64})}},
       "input 2 (bias) has the shape [0, 64]"},
      {"scale", {"LayerNormalization", layer, {row, zeros({63})}, {of({1, 64})}}, "scale"},
      {"scale", {"RMSNormalization", layer, {row, zeros({0})}, {of({1, 64})}}, "scale"},
      {"scale", {"InstanceNormalization", group, {x, none, four}, {of({1, 4, 3})}}, "scale"},
      {"bias", {"GroupNormalization", group, {x, four, none}, {of({1, 4, 3})}}, "bias"},
      {"groups",
       {"GroupNormalization", thirds, {x, four, four}, {of({1, 4, 3})}},
       "3 groups do not divide 4 channels"},
  });
}

Attributes conv_form(int64_t group, Ints dilations = {}, Ints pads = {}) {
  return attributes({{"auto_pad", std::string("NOTSET")},
                     {"dilations", dilations},
                     {"group", group},
                     {"kernel_shape", Ints()},
                     {"output_padding", Ints()},
                     {"output_shape", Ints()},
                     {"pads", pads},
                     {"strides", Ints()}});
}

TEST(SizesTest, RefusesConvolutionsThatDoNotFit) {
  const Tensor x = zeros({1, 2, 5}), w = zeros({4, 2, 3}), wt = zeros({2, 4, 3});
  const GivenPort y = of({1, 4, 3}), yt = of({1, 4, 7});
  check_refused({
      {"bias",
       {"Conv", conv_form(1), {x, w, zeros({0})}, {y}},
       "input 2 (bias) has the shape [0], expected [4]"},
      {"channels", {"Conv", conv_form(1), {zeros({1, 3, 5}), w}, {y}}, "channels"},
      {"groups", {"Conv", conv_form(3), {x, w}, {y}}, "3 groups do not divide 4"},
      {"no group", {"Conv", conv_form(0), {x, w}, {y}}, "groups"},
      {"rank", {"Conv", conv_form(1), {x, zeros({4, 2, 3, 1})}, {y}}, "axes"},
      {"bias", {"ConvTranspose", conv_form(1), {x, wt, zeros({3})}, {yt}}, "bias"},
      {"channels", {"ConvTranspose", conv_form(1), {x, w}, {yt}}, "channels"},
      {"dilation",
       {"Conv", conv_form(1, {kHuge}), {x, w}, {y}},
       "dilation",
       ErrorCode::unsupported},
      {"padding",
       {"Conv", conv_form(1, {}, {kHuge, kHuge}), {x, w}, {y}},
       "padding",
       ErrorCode::unsupported},
      {"pads", {"Conv", conv_form(1, {}, {1}), {x, w}, {y}}, "numbers"},
      {"zero points",
       {"ConvInteger",
        conv_form(1),
        {zeros({1, 2, 5}, uint8), zeros({4, 2, 3}, uint8), zeros({0}, uint8)},
        {of({1, 4, 3}, int32)}},
       "zero point of X"},
      {"zero points",
       {"ConvInteger",
        conv_form(1),
        {zeros({1, 2, 5}, uint8), zeros({4, 2, 3}, uint8), {}, zeros({3}, uint8)},
        {of({1, 4, 3}, int32)}},
       "zero point of W"},
  });
}

TEST(SizesTest, RefusesWindowsThatLeaveTheRange) {
  const auto pool = [](Ints kernel, Ints pads) {
    return attributes({{"auto_pad", std::string("NOTSET")},
                       {"ceil_mode", int64_t{0}},
                       {"count_include_pad", int64_t{0}},
                       {"dilations", Ints()},
                       {"kernel_shape", kernel},
                       {"p", int64_t{2}},
                       {"pads", pads},
                       {"storage_order", int64_t{0}},
                       {"strides", Ints()}});
  };
  const Tensor x = zeros({1, 1, 2, 2});
  for (const char* op : {"LpPool", "MaxPool", "AveragePool"}) {
    check_refused({
        {"kernel",
         {op, pool({kHuge, 1}, {}), {x}, {of({1, 1, 1, 1})}},
         "kernel",
         ErrorCode::unsupported},
        {"area",
         {op, pool({kHuge / 4, kHuge / 4}, {}), {x}, {of({1, 1, 1, 1})}},
         "2^63",
         ErrorCode::unsupported},
        {"rank", {op, pool({}, {}), {zeros({2})}, {of({2})}}, "axes"},
    });
  }
}

TEST(SizesTest, PoolsWindowsFarLargerThanTheInput) {
  const int64_t kernel = int64_t{1} << 31, pad = kernel - 2;
  const auto pool = attributes({{"auto_pad", std::string("NOTSET")},
                                {"ceil_mode", int64_t{0}},
                                {"count_include_pad", int64_t{0}},
                                {"dilations", Ints()},
                                {"kernel_shape", Ints{kernel - 1}},
                                {"p", int64_t{2}},
                                {"pads", Ints{pad, pad}},
                                {"storage_order", int64_t{0}},
                                {"strides", Ints{kernel - 1}}});
  const Tensor x = Tensor::from<float>({3, 4}, {1, 1, 2});
  check({
      {"max", "MaxPool", pool, {x}, {Tensor::from<float>({3, 4}, {1, 1, 2})}},
      {"average", "AveragePool", pool, {x}, {Tensor::from<float>({3, 4}, {1, 1, 2})}},
      {"lp", "LpPool", pool, {x}, {Tensor::from<float>({3, 4}, {1, 1, 2})}},
  });
}

TEST(SizesTest, RefusesProductsThatDoNotFit) {
  const auto gemm =
      attributes({{"alpha", 1.0f}, {"beta", 1.0f}, {"transA", int64_t{0}}, {"transB", int64_t{0}}});
  const Tensor a = zeros({2, 3}), b = zeros({3, 4});
  const Tensor qa = zeros({2, 3}, uint8), qb = zeros({3, 4}, uint8), one = zeros({}),
               zero = zeros({}, uint8), none = zeros({0}), no_zero = zeros({0}, uint8);
  const GivenPort q = of({2, 4}, uint8);
  check_refused({
      {"depth", {"Gemm", gemm, {a, zeros({2, 4})}, {of({2, 4})}}, "input 1 (B)"},
      {"C", {"Gemm", gemm, {a, b, zeros({3})}, {of({2, 4})}}, "broadcasts to [2, 4]"},
      {"no C", {"Gemm", gemm, {a, b, zeros({0})}, {of({2, 4})}}, "broadcasts to [2, 4]"},
      {"depth", {"MatMul", {}, {a, zeros({4, 4})}, {of({2, 4})}}, "rows"},
      {"stacks", {"MatMul", {}, {zeros({2, 2, 3}), zeros({3, 3, 4})}, {of({2, 2, 4})}}, "stack"},
      {"bias", {"MatMul", {}, {a, b, zeros({1})}, {of({2, 4})}}, "bias"},
      {"a zero", {"MatMulInteger", {}, {qa, qb, no_zero}, {of({2, 4}, int32)}}, "zero point of A"},
      {"b zero",
       {"MatMulInteger", {}, {qa, qb, zero, zeros({3}, uint8)}, {of({2, 4}, int32)}},
       "zero point of B"},
      {"a scale",
       {"QLinearMatMul", {}, {qa, none, zero, qb, one, zero, one, zero}, {q}},
       "scale of A"},
      {"b scale",
       {"QLinearMatMul", {}, {qa, one, zero, qb, zeros({3}), zero, one, zero}, {q}},
       "scale of B"},
      {"y scale",
       {"QLinearMatMul", {}, {qa, one, zero, qb, one, zero, none, zero}, {q}},
       "scale of Y"},
      {"y zero",
       {"QLinearMatMul", {}, {qa, one, zero, qb, one, zero, one, no_zero}, {q}},
       "zero point of Y"},
  });
}

TEST(SizesTest, AddsAScalarToEveryElementOfAGemm) {
  const auto gemm =
      attributes({{"alpha", 1.0f}, {"beta", 1.0f}, {"transA", int64_t{0}}, {"transB", int64_t{0}}});
  const Tensor a = Tensor::from<float>({1, 2, 3, 4}, {2, 2}),
               b = Tensor::from<float>({1, 1}, {2, 1});
  check({
      {"one column",
       "Gemm",
       gemm,
       {a, b, Tensor::from<float>({10}, {})},
       {Tensor::from<float>({13, 17}, {2, 1})}},
      {"two columns",
       "Gemm",
       gemm,
       {a, a, Tensor::from<float>({10}, {})},
       {Tensor::from<float>({17, 20, 25, 32}, {2, 2})}},
  });
}

TEST(SizesTest, RefusesAttentionThatDoesNotFit) {
  const auto form = attributes(
      {{"is_causal", int64_t{0}}, {"qk_matmul_output_mode", int64_t{0}}, {"softcap", 0.0f}});
  const Tensor q = zeros({1, 1, 2, 4}), past = zeros({1, 1, 3, 4});
  const GivenPort y = of({1, 1, 2, 4});
  check_refused({
      {"past values",
       {"Attention", form, {q, q, q, {}, past, zeros({1, 1, 1, 4})}, {y}},
       "input 5 (past_value) has the shape [1, 1, 1, 4], expected [1, 1, 3, 4]"},
      {"past alone", {"Attention", form, {q, q, q, {}, past}, {y}}, "together"},
      {"past heads",
       {"Attention", form, {q, q, q, {}, zeros({1, 2, 3, 4}), past}, {y}},
       "past_key"},
      {"past overflows",
       {"Attention",
        form,
        {of({0, 1, 2, 4}),
         of({0, 1, 2, 4}),
         of({0, 1, 2, 4}),
         {},
         of({0, 1, std::numeric_limits<int64_t>::max(), 4}),
         of({0, 1, std::numeric_limits<int64_t>::max(), 4})},
        {of({0, 1, 2, 4})}},
       "2^63"},
      {"values", {"Attention", form, {q, q, zeros({1, 1, 1, 4})}, {y}}, "input 2 (V)"},
      {"batch",
       {"Attention", form, {q, zeros({2, 1, 2, 4}), zeros({2, 1, 2, 4})}, {y}},
       "input 1 (K)"},
      {"heads",
       {"Attention", form, {q, zeros({1, 2, 2, 4}), zeros({1, 2, 2, 4})}, {y}},
       "heads of K"},
      {"mask", {"Attention", form, {q, q, q, zeros({3, 2})}, {y}}, "attn_mask"},
      {"long mask", {"Attention", form, {q, q, q, zeros({2, 3})}, {y}}, "at most 2 keys"},
      {"lengths",
       {"Attention", form, {q, q, q, {}, {}, {}, zeros({0}, int64)}, {y}},
       "nonpad_kv_seqlen"},
      {"length",
       {"Attention", form, {q, q, q, {}, {}, {}, ints({std::numeric_limits<int64_t>::min()})}, {y}},
       "expected 0 to 2"},
      {"long length",
       {"Attention", form, {q, q, q, {}, {}, {}, ints({3})}, {y}},
       "expected 0 to 2"},
  });
  const auto rotary =
      attributes({{"interleaved", int64_t{0}}, {"rotary_embedding_dim", int64_t{0}}});
  const Tensor cache = zeros({5, 2}), positions = zeros({1, 2}, int64);
  check_refused({
      {"cosines",
       {"RotaryEmbedding", rotary, {q, zeros({5, 1}), cache, positions}, {y}},
       "cos_cache"},
      {"sines",
       {"RotaryEmbedding", rotary, {q, cache, zeros({1, 2}), positions}, {y}},
       "sin_cache"},
      {"positions",
       {"RotaryEmbedding", rotary, {q, cache, cache, zeros({1, 1}, int64)}, {y}},
       "position_ids"},
      {"no positions",
       {"RotaryEmbedding", rotary, {q, zeros({1, 1, 2}), zeros({1, 1, 2})}, {y}},
       "cos_cache"},
  });
}

TEST(SizesTest, RefusesRecurrentLayersThatDoNotFit) {
  const auto form = [](const char* direction) {
    return attributes({{"activation_alpha", std::vector<float>()},
                       {"activation_beta", std::vector<float>()},
                       {"activations", std::vector<std::string>{"Sigmoid", "Tanh", "Tanh",
                                                                "Sigmoid", "Tanh", "Tanh"}},
                       {"clip", std::numeric_limits<float>::infinity()},
                       {"direction", std::string(direction)},
                       {"hidden_size", int64_t{0}},
                       {"input_forget", int64_t{0}},
                       {"layout", int64_t{0}}});
  };
  const Attributes one = form("forward"), two = form("bidirectional");
  const Tensor x = zeros({3, 1, 2}), w = zeros({1, 8, 2}), r = zeros({1, 8, 2});
  const Tensor state = zeros({1, 1, 2});
  const GivenPort y = of({3, 1, 1, 2});
  check_refused({
      {"W", {"LSTM", one, {x, zeros({1, 7, 2}), r}, {y}}, "input 1 (W)"},
      {"R", {"LSTM", one, {x, w, zeros({1, 4, 2})}, {y}}, "input 2 (R)"},
      {"directions", {"LSTM", two, {x, w, r}, {of({3, 2, 1, 2})}}, "expected [2, 8, 2]"},
      {"rows of B",
       {"LSTM", one, {x, w, r, zeros({0, 16})}, {y}},
       "input 3 (B) has the shape [0, 16], expected [1, 16]"},
      {"lengths", {"LSTM", one, {x, w, r, {}, zeros({0}, int32)}, {y}}, "sequence_lens"},
      {"initial_h", {"LSTM", one, {x, w, r, {}, {}, zeros({1, 1, 1})}, {y}}, "initial_h"},
      {"initial_c", {"LSTM", one, {x, w, r, {}, {}, state, zeros({0, 1, 2})}, {y}}, "initial_c"},
      {"P", {"LSTM", one, {x, w, r, {}, {}, state, state, zeros({1, 5})}, {y}}, "input 7 (P)"},
  });
}

TEST(SizesTest, RefusesScalesThatDoNotFit) {
  const auto form =
      attributes({{"axis", int64_t{1}}, {"block_size", int64_t{0}}, {"saturate", int64_t{1}}});
  const auto blocks =
      attributes({{"axis", int64_t{0}}, {"block_size", int64_t{2}}, {"saturate", int64_t{1}}});
  const Tensor x = zeros({2, 3}), q = zeros({2, 3}, uint8);
  check_refused({
      {"no scale",
       {"QuantizeLinear", form, {x, zeros({0}), zeros({0}, uint8)}, {of({2, 3}, uint8)}},
       "scale"},
      {"scales", {"QuantizeLinear", form, {x, zeros({2})}, {of({2, 3}, uint8)}}, "expected [3]"},
      {"zero points",
       {"QuantizeLinear", form, {x, zeros({3}), zeros({0}, uint8)}, {of({2, 3}, uint8)}},
       "zero point"},
      {"zero point",
       {"DequantizeLinear", form, {q, zeros({}), zeros({0}, uint8)}, {of({2, 3})}},
       "zero point"},
      {"scales", {"DequantizeLinear", form, {q, zeros({4})}, {of({2, 3})}}, "expected [3]"},
      {"blocks", {"DequantizeLinear", blocks, {q, zeros({2, 3})}, {of({2, 3})}}, "expected [1, 3]"},
  });
}

TEST(SizesTest, RefusesIndicesOfOtherRanks) {
  const auto axis = attributes(
      {{"axis", int64_t{1}}, {"batch_dims", int64_t{1}}, {"reduction", std::string("none")}});
  const Tensor data = zeros({2, 3});
  check_refused({
      {"rows", {"GatherElements", axis, {data, zeros({3, 1}, int64)}, {of({3, 1})}}, "indices"},
      {"rank", {"GatherElements", axis, {data, zeros({2}, int64)}, {of({2})}}, "2 axes"},
      {"batch", {"GatherND", axis, {data, zeros({3, 1}, int64)}, {of({3})}}, "first sizes"},
      {"depth", {"GatherND", axis, {data, zeros({2, 2}, int64)}, {of({2})}}, "at most 1 indices"},
      {"no axis", {"Gather", axis, {zeros({}), zeros({1}, int64)}, {of({1})}}, "data"},
      {"updates",
       {"ScatterElements", axis, {data, zeros({2, 1}, int64), zeros({1, 1})}, {of({2, 3})}},
       "updates"},
      {"indices",
       {"ScatterElements", axis, {data, zeros({3, 1}, int64), zeros({3, 1})}, {of({2, 3})}},
       "indices"},
      {"updates",
       {"ScatterND", axis, {data, zeros({1, 1}, int64), zeros({1, 2})}, {of({2, 3})}},
       "expected [1, 3]"},
      {"depth",
       {"ScatterND", axis, {data, zeros({1, 3}, int64), zeros({1})}, {of({2, 3})}},
       "indices"},
      {"values", {"OneHot", axis, {zeros({1}), ints({3}), zeros({1})}, {of({1, 3})}}, "values"},
      {"depth", {"OneHot", axis, {zeros({1}), ints({4}), zeros({2})}, {of({1, 3})}}, "depth is 4"},
      {"no depth",
       {"OneHot", axis, {zeros({1}), zeros({0}, int64), zeros({2})}, {of({1, 3})}},
       "exactly one element"},
  });
}

TEST(SizesTest, RefusesScalarsThatAreNone) {
  const auto top_k =
      attributes({{"axis", int64_t{0}}, {"largest", int64_t{1}}, {"sorted", int64_t{1}}});
  const auto scan = attributes({{"exclusive", int64_t{0}}, {"reverse", int64_t{0}}});
  const auto upper = attributes({{"upper", int64_t{1}}});
  const Tensor x = zeros({4}), matrix = zeros({2, 2}), none = zeros({0}),
               no_int = zeros({0}, int64);
  const Tensor one = Tensor::from<float>({1}, {}), two = zeros({2});
  check_refused({
      {"k",
       {"TopK", top_k, {x, no_int}, {of({3}), of({3}, int64)}},
       "input 1 (k) has the shape [0], expected exactly one element"},
      {"large k",
       {"TopK", top_k, {x, ints({12})}, {of({12}), of({12}, int64)}},
       "k is 12, expected 0 to 4"},
      {"other k",
       {"TopK", top_k, {x, ints({2})}, {of({4}), of({4}, int64)}},
       "as many elements of the output"},
      {"negative k", {"TopK", top_k, {x, ints({-1})}, {of({1}), of({1}, int64)}}, "k is -1"},
      {"axis", {"CumSum", scan, {x, no_int}, {of({4})}}, "axis"},
      {"axis", {"CumProd", scan, {x, ints({0, 0})}, {of({4})}}, "axis"},
      {"k", {"Trilu", upper, {matrix, no_int}, {of({2, 2})}}, "(k)"},
      {"low", {"Clip", {}, {x, none}, {of({4})}}, "min"},
      {"high", {"Clip", {}, {x, one, two}, {of({4})}}, "max"},
      {"low, half", {"Clip", {}, {x.half(), none.half()}, {of({4}, float16)}}, "min"},
      {"ratio", {"Dropout", {}, {x, none}, {of({4})}}, "ratio"},
      {"training",
       {"Dropout", attributes({{"seed", int64_t{1}}}), {x, one, zeros({0}, boolean)}, {of({4})}},
       "training_mode"},
      {"start", {"Range", {}, {none, one, one}, {of({-1})}}, "start"},
      {"limit", {"Range", {}, {one, none, one}, {of({-1})}}, "limit"},
      {"delta", {"Range", {}, {one, one, two}, {of({-1})}}, "delta"},
      {"declared",
       {"Range", {}, {zeros({}), Tensor::from<float>({9}, {}), one}, {of({2})}},
       "the model declares 2"},
      {"value",
       {"ConstantOfShape", attributes({{"value", none}}), {ints({2})}, {of({2})}},
       "'value'"},
  });
}

TEST(SizesTest, RefusesMovesThatLeaveTheInput) {
  const auto axis = attributes({{"axis", int64_t{0}}});
  const auto pad = attributes({{"mode", std::string("constant")}});
  const Tensor x = zeros({2, 3});
  const auto block = [](int64_t size) {
    return attributes({{"blocksize", size}, {"mode", std::string("DCR")}});
  };
  const auto reverse = attributes({{"batch_axis", int64_t{1}}, {"time_axis", int64_t{0}}});
  check_refused({
      {"part", {"Concat", axis, {x, zeros({2, 2})}, {of({4, 3})}}, "part"},
      {"sum", {"Concat", axis, {x, x}, {of({5, 3})}}, "a line"},
      {"sum", {"Split", axis, {x}, {of({2, 3}), of({1, 3})}}, "a line"},
      {"expand", {"Expand", {}, {x, ints({2, 4})}, {of({2, 4})}}, "does not broadcast"},
      {"expand nothing",
       {"Expand", {}, {zeros({0, 3}), ints({2, 3})}, {of({2, 3})}},
       "does not broadcast"},
      {"tile", {"Tile", {}, {x, ints({1, 1})}, {of({2, 4})}}, "does not repeat"},
      {"slice",
       {"Slice", {}, {x, ints({0}), ints({5}), ints({0})}, {of({5, 3})}},
       "outside its size 2"},
      {"other axis",
       {"Slice", {}, {x, ints({0}), ints({1}), ints({0})}, {of({1, 4})}},
       "not sliced"},
      {"twice",
       {"Slice", {}, {x, ints({1, 1}), ints({2, 2}), ints({0, 0})}, {of({1, 3})}},
       "sliced twice"},
      {"steps",
       {"Slice", {}, {x, ints({0, 0}), ints({1, 1}), ints({0, 1}), ints({1})}, {of({1, 1})}},
       "input 4 has 1 elements"},
      {"far",
       {"Slice", {}, {x, ints({0}), ints({1}), ints({0}), ints({kHuge})}, {of({5, 3})}},
       "outside"},
      {"pads", {"Pad", pad, {x, ints({1, 1})}, {of({3, 4})}}, "2 pads"},
      {"padded", {"Pad", pad, {x, ints({0, 0, 0, 1})}, {of({2, 5})}}, "expected 5"},
      {"far pads", {"Pad", pad, {x, ints({0, kHuge, 0, 4 - kHuge})}, {of({2, 7})}}, "padded"},
      {"value", {"Pad", pad, {x, ints({0, 0, 0, 1}), zeros({0})}, {of({2, 4})}}, "constant_value"},
      {"block",
       {"DepthToSpace", block(int64_t{1} << 32), {zeros({1, 4, 1, 1})}, {of({1, 1, 2, 2})}},
       "2^63"},
      {"channels",
       {"DepthToSpace", block(2), {zeros({1, 3, 1, 1})}, {of({1, 1, 2, 2})}},
       "channels"},
      {"block",
       {"SpaceToDepth", block(int64_t{1} << 33), {zeros({1, 1, 2, 2})}, {of({1, 4, 1, 1})}},
       "rows"},
      {"no block",
       {"SpaceToDepth", block(0), {zeros({1, 1, 2, 2})}, {of({1, 4, 1, 1})}},
       "blocksize"},
      {"lengths",
       {"ReverseSequence", reverse, {x, zeros({2}, int64)}, {of({2, 3})}},
       "sequence_lens"},
      {"elements", {"Reshape", {}, {x, ints({100})}, {of({100})}}, "elements"},
      {"elements", {"Flatten", {}, {x}, {of({2, 2})}}, "elements"},
      {"broadcast", {"Where", {}, {zeros({0}, boolean), x, x}, {of({2, 3})}}, "does not broadcast"},
      {"broadcast", {"Add", {}, {x, zeros({2})}, {of({2, 3})}}, "does not broadcast"},
      {"slope", {"PRelu", {}, {x, zeros({2})}, {of({2, 3})}}, "does not broadcast"},
      {"targets",
       {"SoftmaxCrossEntropyLoss",
        attributes({{"reduction", std::string("none")}}),
        {x, zeros({1}, int64)},
        {of({1})}},
       "target"},
      {"weight",
       {"NegativeLogLikelihoodLoss",
        attributes({{"reduction", std::string("none")}}),
        {x, zeros({2}, int64), zeros({2})},
        {of({2})}},
       "weight"},
  });
}

Attributes resize_form(const char* mode, const char* transform = "half_pixel") {
  return attributes({{"antialias", int64_t{0}},
                     {"axes", Ints()},
                     {"coordinate_transformation_mode", std::string(transform)},
                     {"cubic_coeff_a", -0.75f},
                     {"exclude_outside", int64_t{0}},
                     {"extrapolation_value", 0.0f},
                     {"keep_aspect_ratio_policy", std::string("stretch")},
                     {"mode", std::string(mode)},
                     {"nearest_mode", std::string("floor")}});
}

TEST(SizesTest, RefusesToResizeBeyondItsTables) {
  const Tensor x = zeros({1, 4});
  const auto scales = [](float rows, float columns) {
    return Tensor::from<float>({rows, columns});
  };
  Attributes antialias = resize_form("linear");
  antialias.set("antialias", int64_t{1});
  check_refused({
      {"roi",
       {"Resize",
        resize_form("linear", "tf_crop_and_resize"),
        {x, zeros({2}), scales(1, 2)},
        {of({1, 8})}},
       "roi"},
      {"scales", {"Resize", resize_form("linear"), {x, {}, zeros({1})}, {of({1, 8})}}, "scales"},
      {"sizes", {"Resize", resize_form("linear"), {x, {}, {}, ints({8})}, {of({1, 8})}}, "sizes"},
      {"no scale",
       {"Resize", resize_form("linear"), {x, {}, scales(1, 0)}, {of({1, 8})}},
       "positive"},
      {"nan",
       {"Resize", resize_form("nearest"), {x, {}, scales(1, NAN)}, {of({1, 8})}},
       "positive"},
      {"wide filter",
       {"Resize", antialias, {x, {}, scales(1, 1e-30f)}, {of({1, 1})}},
       "table",
       ErrorCode::unsupported},
      {"nothing",
       {"Resize", resize_form("linear"), {zeros({0, 4}), {}, {}, ints({1, 4})}, {of({1, 4})}},
       "without elements"},
  });
  for (const Device device : kernel_devices()) {
    const GivenNode node{
        "Resize", resize_form("linear"), {x, {}, {}, ints({1, kHuge})}, {of({1, kHuge})}};
    EXPECT_EQ(to_string(support_of(device, node).reason), "size_limit") << device.str();
  }
}

// A coordinate far outside reads the edge, whatever the scale.
TEST(SizesTest, ResizesFromFarOutside) {
  const Tensor x = Tensor::from<float>({1, 2}, {2}), tiny = Tensor::from<float>({1e-30f});
  for (const char* mode : {"nearest", "linear", "cubic"}) {
    const GivenNode node{"Resize", resize_form(mode, "asymmetric"), {x, {}, tiny}, {of({3})}};
    const Tensor expected = Tensor::from<float>({1, 2, 2});
    EXPECT_EQ(difference(run_given(Device::cpu(), node)[0], expected, {1e-6}), "") << mode;
  }
}

TEST(SizesTest, SaysItsLimitsBeforeItIsPlaced) {
  const int64_t many = int64_t{1} << 31;
  const auto axis = attributes(
      {{"axis", int64_t{0}}, {"keepdims", int64_t{0}}, {"noop_with_empty_axes", int64_t{0}}});
  // Every other axis is broadcast, so that no two merge.
  const auto comb = [](int64_t rank, int64_t first) {
    Shape shape;
    for (int64_t i = 0; i < rank; ++i) shape.push_back(i % 2 == first ? 2 : 1);
    return shape;
  };
  for (const Device device : kernel_devices()) {
    SCOPED_TRACE(device.str());
    const bool gpu = !device.is_cpu();
    const auto reason = [&](const GivenNode& node) {
      const Support support = support_of(device, node);
      return support.ok ? "" : std::string(to_string(support.reason));
    };
    const std::string large = gpu ? "size_limit" : "";
    EXPECT_EQ(reason({"Relu", {}, {of({many})}, {of({many})}}), large);
    EXPECT_EQ(reason({"Add", {}, {of({many}), of({1})}, {of({many})}}), large);
    EXPECT_EQ(reason({"Gather", axis, {of({kHuge, kHuge, 4}), of({1}, int64)}, {of({1, 4})}}),
              large);
    EXPECT_EQ(reason({"Transpose", attributes({{"perm", Ints{0}}}), {of({many})}, {of({many})}}),
              large);
    EXPECT_EQ(reason({"ReduceSum", axis, {of({many})}, {of({})}}), large);
    EXPECT_EQ(reason({"Cast", {}, {of({many})}, {of({many}, int32)}}), large);
    EXPECT_EQ(reason({"Softmax", axis, {of({many})}, {of({many})}}), large);
    EXPECT_EQ(reason({"Relu", {}, {of({-1})}, {of({-1})}}), "");
    for (const int64_t rank : gpu ? Ints{8, 10} : Ints{8, 10, 40}) {
      const Shape whole(static_cast<size_t>(rank), 2);
      const std::string deep = rank > (gpu ? 8 : 33) ? "rank_or_layout" : "";
      EXPECT_EQ(reason({"Add", {}, {of(comb(rank, 0)), of(comb(rank, 1))}, {of(whole)}}), deep)
          << rank;
      EXPECT_EQ(reason({"Less", {}, {of(comb(rank, 0)), of(comb(rank, 1))}, {of(whole, boolean)}}),
                deep)
          << rank;
      EXPECT_EQ(reason({"Where",
                        {},
                        {of(comb(rank, 0), boolean), of(comb(rank, 1)), of(comb(rank, 1))},
                        {of(whole)}}),
                deep)
          << rank;
    }
  }
}

TEST(SizesTest, RefusesQuantizedConvolutionsOfTooManyAxes) {
  const Shape x(11, 1);
  const Tensor byte = zeros({}, uint8), one = zeros({});
  const GivenNode integer{
      "ConvInteger", conv_form(1), {of(x, uint8), of(x, uint8)}, {of(x, int32)}};
  const GivenNode linear{"QLinearConv",
                         conv_form(1),
                         {of(x, uint8), one, byte, of(x, uint8), one, byte, one, byte},
                         {of(x, uint8)}};
  for (const GivenNode& node : {integer, linear}) {
    const Support support = support_of(Device::cpu(), node);
    EXPECT_EQ(to_string(support.reason), "rank_or_layout") << node.op;
    EXPECT_NE(support.detail.find("9 spatial axes"), std::string::npos) << support.detail;
  }
}

// A workspace that does not fit is refused before anything asks for it.
TEST(SizesTest, RefusesWorkspacesThatOverflow) {
  const int64_t side = int64_t{1} << 31;
  const auto form = attributes(
      {{"is_causal", int64_t{0}}, {"qk_matmul_output_mode", int64_t{0}}, {"softcap", 0.0f}});
  check_refused({
      {"scores",
       {"Attention",
        form,
        {of({1, 1, side, 1}), of({1, 1, 2 * side, 1}), of({1, 1, 2 * side, 1})},
        {of({1, 1, side, 1})}},
       ""},
      {"columns",
       {"ConvTranspose",
        conv_form(1),
        {of({1, 1, side}), of({1, side, side})},
        {of({1, side, 2 * side - 1})}},
       ""},
  });
}

}  // namespace
}  // namespace ferry::test
