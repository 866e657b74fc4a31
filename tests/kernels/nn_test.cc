#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/kernel_harness.h"

namespace ferry::test {
namespace {

using Ints = std::vector<int64_t>;

struct WindowForm {
  Ints kernel, strides, pads, dilations;
  std::string auto_pad = "NOTSET";
};

Attributes conv_form(int64_t group, const WindowForm& window) {
  return attributes({{"auto_pad", window.auto_pad},
                     {"dilations", window.dilations},
                     {"group", group},
                     {"kernel_shape", window.kernel},
                     {"pads", window.pads},
                     {"strides", window.strides}});
}

// Convolution by its definition, two spatial axes, in double.
Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, int64_t group,
              const WindowForm& window) {
  const auto at = [](const Ints& values, size_t i, int64_t otherwise) {
    return values.empty() ? otherwise : values[i];
  };
  const Shape& xs = x.shape();
  const Shape& ws = w.shape();
  int64_t out[2];
  for (int i = 0; i < 2; ++i) {
    const int64_t reach = (ws[i + 2] - 1) * at(window.dilations, i, 1) + 1;
    out[i] = (xs[i + 2] + at(window.pads, i, 0) + at(window.pads, i + 2, 0) - reach) /
                 at(window.strides, i, 1) +
             1;
  }
  Tensor y = Tensor::empty({xs[0], ws[0], out[0], out[1]});
  float* to = y.mutable_span<float>().data();
  for (int64_t n = 0; n < xs[0]; ++n) {
    for (int64_t m = 0; m < ws[0]; ++m) {
      const int64_t g = m / (ws[0] / group);
      for (int64_t oy = 0; oy < out[0]; ++oy) {
        for (int64_t ox = 0; ox < out[1]; ++ox) {
          double sum = bias.defined() ? bias.span<float>()[m] : 0;
          for (int64_t c = 0; c < ws[1]; ++c) {
            for (int64_t ky = 0; ky < ws[2]; ++ky) {
              for (int64_t kx = 0; kx < ws[3]; ++kx) {
                const int64_t iy = oy * at(window.strides, 0, 1) - at(window.pads, 0, 0) +
                                   ky * at(window.dilations, 0, 1);
                const int64_t ix = ox * at(window.strides, 1, 1) - at(window.pads, 1, 0) +
                                   kx * at(window.dilations, 1, 1);
                if (iy < 0 || iy >= xs[2] || ix < 0 || ix >= xs[3]) continue;
                sum +=
                    double{
                        x.span<float>()[((n * xs[1] + g * ws[1] + c) * xs[2] + iy) * xs[3] + ix]} *
                    w.span<float>()[((m * ws[1] + c) * ws[2] + ky) * ws[3] + kx];
              }
            }
          }
          *to++ = static_cast<float>(sum);
        }
      }
    }
  }
  return y;
}

TEST(NnTest, ConvAgreesWithTheDefinition) {
  Random random;
  SCOPED_TRACE("seed " + std::to_string(random.seed()));
  struct Form {
    const char* name;
    Shape x, w;
    int64_t group;
    WindowForm window;
  };
  const Form forms[] = {
      {"pointwise", {2, 8, 5, 7}, {16, 8, 1, 1}, 1, {{1, 1}, {}, {}, {}}},
      {"3x3", {1, 3, 9, 11}, {4, 3, 3, 3}, 1, {{3, 3}, {}, {1, 1, 1, 1}, {}}},
      {"strides and pads", {1, 3, 20, 21}, {40, 3, 7, 5}, 1, {{}, {2, 3}, {3, 0, 1, 2}, {}}},
      {"dilations", {1, 2, 13, 12}, {3, 2, 3, 3}, 1, {{3, 3}, {1, 2}, {2, 2, 2, 2}, {2, 3}}},
      {"groups", {2, 6, 8, 8}, {9, 2, 3, 3}, 3, {{3, 3}, {}, {1, 1, 1, 1}, {}}},
      {"depthwise", {1, 5, 10, 9}, {5, 1, 3, 3}, 5, {{3, 3}, {2, 2}, {1, 1, 1, 1}, {}}},
      {"two to one", {1, 6, 6, 6}, {6, 1, 3, 3}, 6, {{3, 3}, {}, {0, 1, 2, 0}, {}}},
      {"deep", {1, 64, 6, 6}, {33, 64, 3, 3}, 1, {{3, 3}, {}, {1, 1, 1, 1}, {}}},
      {"pads wider than the kernel", {1, 1, 3, 3}, {1, 1, 2, 2}, 1, {{2, 2}, {}, {4, 3, 5, 3}, {}}},
  };
  std::vector<KernelCase> cases;
  for (const Form& form : forms) {
    const Tensor x = random.tensor(form.x, float32, -1, 1);
    const Tensor w = random.tensor(form.w, float32, -1, 1);
    const Tensor bias = random.tensor({form.w[0]}, float32, -1, 1);
    const Attributes attributes = conv_form(form.group, form.window);
    cases.push_back({form.name,
                     "Conv",
                     attributes,
                     {x, w},
                     {conv2d(x, w, {}, form.group, form.window)},
                     {1e-5, 1e-5}});
    cases.push_back({std::string(form.name) + ", bias",
                     "Conv",
                     attributes,
                     {x, w, bias},
                     {conv2d(x, w, bias, form.group, form.window)},
                     {1e-5, 1e-5}});
  }
  check(cases);
}

TEST(NnTest, ConvRanksTypesAndAutoPad) {
  const auto f = [](std::vector<float> values, Shape shape) { return Tensor::from(values, shape); };
  const Tensor line = f({1, 2, 3, 4}, {1, 1, 4});
  const Tensor pair = f({1, 10}, {1, 1, 2});
  const auto form = [](const std::string& auto_pad) {
    return conv_form(1, {{2}, {}, {}, {}, auto_pad});
  };
  check({
      {"1-d", "Conv", form("VALID"), {line, pair}, {f({21, 32, 43}, {1, 1, 3})}},
      {"upper", "Conv", form("SAME_UPPER"), {line, pair}, {f({21, 32, 43, 4}, {1, 1, 4})}},
      {"lower", "Conv", form("SAME_LOWER"), {line, pair}, {f({10, 21, 32, 43}, {1, 1, 4})}},
      {"float64",
       "Conv",
       form("VALID"),
       {line.float64(), pair.float64()},
       {f({21, 32, 43}, {1, 1, 3}).float64()}},
      {"half",
       "Conv",
       form("VALID"),
       {line.half(), pair.half()},
       {f({21, 32, 43}, {1, 1, 3}).half()}},
      {"3-d",
       "Conv",
       conv_form(1, {{2, 2, 2}, {}, {}, {}}),
       {f({1, 2, 3, 4, 5, 6, 7, 8}, {1, 1, 2, 2, 2}), f({1, 1, 1, 1, 1, 1, 1, 2}, {1, 1, 2, 2, 2})},
       {f({44}, {1, 1, 1, 1, 1})}},
  });
  check({
      RefusalCase{"channels",
                  "Conv",
                  form("VALID"),
                  {line, f({1, 1, 1, 1}, {1, 2, 2})},
                  1,
                  ErrorCode::invalid_model,
                  "channels"},
      RefusalCase{"groups",
                  "Conv",
                  conv_form(0, {{2}, {}, {}, {}}),
                  {line, pair},
                  1,
                  ErrorCode::invalid_model,
                  "group"},
      RefusalCase{"window",
                  "Conv",
                  conv_form(1, {{5}, {}, {}, {}}),
                  {line, f({1, 1, 1, 1, 1}, {1, 1, 5})},
                  1,
                  ErrorCode::invalid_model,
                  "does not fit"},
      RefusalCase{"kernel_shape",
                  "Conv",
                  conv_form(1, {{3}, {}, {}, {}}),
                  {line, pair},
                  1,
                  ErrorCode::invalid_model,
                  "kernel_shape"},
      RefusalCase{"stride",
                  "Conv",
                  conv_form(1, {{2}, {0}, {}, {}}),
                  {line, pair},
                  1,
                  ErrorCode::invalid_model,
                  "strides"},
      RefusalCase{"pads",
                  "Conv",
                  conv_form(1, {{2}, {}, {1}, {}}),
                  {line, pair},
                  1,
                  ErrorCode::invalid_model,
                  "pads"},
  });
}

Attributes pool_form(const WindowForm& window, std::vector<std::pair<std::string, Attribute>> more,
                     int64_t ceil_mode = 0) {
  Attributes result = attributes({{"auto_pad", window.auto_pad},
                                  {"ceil_mode", ceil_mode},
                                  {"dilations", window.dilations},
                                  {"kernel_shape", window.kernel},
                                  {"pads", window.pads},
                                  {"strides", window.strides}});
  for (auto& [name, value] : more) result.set(name, value);
  return result;
}

TEST(NnTest, Pools) {
  const auto f = [](std::vector<float> values, Shape shape) { return Tensor::from(values, shape); };
  const auto i = [](std::vector<int64_t> values, Shape shape) {
    return Tensor::from(values, shape);
  };
  const auto max = [](const WindowForm& window, int64_t order = 0, int64_t ceil_mode = 0) {
    return pool_form(window, {{"storage_order", order}}, ceil_mode);
  };
  const auto average = [](const WindowForm& window, int64_t include, int64_t ceil_mode = 0) {
    return pool_form(window, {{"count_include_pad", include}}, ceil_mode);
  };
  const Tensor square = f({1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 1, 3, 3});
  const Tensor line = f({1, 5, 2, 4}, {1, 1, 4});
  check({
      {"2x2", "MaxPool", max({{2, 2}, {}, {}, {}}), {square}, {f({5, 6, 8, 9}, {1, 1, 2, 2})}},
      {"indices",
       "MaxPool",
       max({{2, 2}, {}, {}, {}}),
       {square},
       {f({5, 6, 8, 9}, {1, 1, 2, 2}), i({4, 5, 7, 8}, {1, 1, 2, 2})}},
      {"column major",
       "MaxPool",
       max({{2, 2}, {}, {}, {}}, 1),
       {square},
       {f({5, 6, 8, 9}, {1, 1, 2, 2}), i({4, 7, 5, 8}, {1, 1, 2, 2})}},
      {"stride, ceil",
       "MaxPool",
       max({{2, 2}, {2, 2}, {}, {}}, 0, 1),
       {square},
       {f({5, 6, 8, 9}, {1, 1, 2, 2})}},
      {"stride, floor", "MaxPool", max({{2, 2}, {2, 2}, {}, {}}), {square}, {f({5}, {1, 1, 1, 1})}},
      {"dilation", "MaxPool", max({{2, 2}, {}, {}, {2, 2}}), {square}, {f({9}, {1, 1, 1, 1})}},
      {"pads", "MaxPool", max({{3}, {}, {1, 1}, {}}), {line}, {f({5, 5, 5, 4}, {1, 1, 4})}},
      {"negative with pads",
       "MaxPool",
       max({{2}, {}, {1, 1}, {}}),
       {f({-1, -3}, {1, 1, 2})},
       {f({-1, -1, -3}, {1, 1, 3})}},
      {"same",
       "MaxPool",
       max({{2}, {}, {}, {}, "SAME_UPPER"}),
       {line},
       {f({5, 5, 4, 4}, {1, 1, 4})}},
      {"int8",
       "MaxPool",
       max({{2}, {}, {}, {}}),
       {Tensor::from<int8_t>({-3, -5, 7}, {1, 1, 3})},
       {Tensor::from<int8_t>({-3, 7}, {1, 1, 2})}},
      {"half", "MaxPool", max({{2}, {}, {}, {}}), {line.half()}, {f({5, 5, 4}, {1, 1, 3}).half()}},
      {"plain",
       "AveragePool",
       average({{2, 2}, {}, {}, {}}, 0),
       {square},
       {f({3, 4, 6, 7}, {1, 1, 2, 2})}},
      {"pads left out",
       "AveragePool",
       average({{2}, {}, {1, 1}, {}}, 0),
       {line},
       {f({1, 3, 3.5f, 3, 4}, {1, 1, 5})}},
      {"pads counted",
       "AveragePool",
       average({{2}, {}, {1, 1}, {}}, 1),
       {line},
       {f({0.5f, 3, 3.5f, 3, 2}, {1, 1, 5})}},
      {"ceil counts no more than the padding",
       "AveragePool",
       average({{3}, {2}, {1, 0}, {}}, 1, 1),
       {line},
       {f({2, 11.0f / 3}, {1, 1, 2})},
       kRounded},
      {"global", "GlobalAveragePool", {}, {square}, {f({5}, {1, 1, 1, 1})}},
      {"global half", "GlobalAveragePool", {}, {square.half()}, {f({5}, {1, 1, 1, 1}).half()}},
      {"global", "GlobalMaxPool", {}, {square}, {f({9}, {1, 1, 1, 1})}},
      {"p",
       "LpPool",
       pool_form({{2}, {}, {}, {}}, {{"p", int64_t{2}}}),
       {f({3, 4, 0}, {1, 1, 3})},
       {f({5, 4}, {1, 1, 2})},
       kRounded},
  });
  check({
      RefusalCase{"window",
                  "MaxPool",
                  max({{4, 4}, {}, {}, {}}),
                  {square},
                  1,
                  ErrorCode::invalid_model,
                  "does not fit"},
      RefusalCase{"axes",
                  "MaxPool",
                  max({{2}, {}, {}, {}}),
                  {square},
                  1,
                  ErrorCode::invalid_model,
                  "spatial"},
      RefusalCase{"auto_pad",
                  "AveragePool",
                  average({{2}, {}, {}, {}, "SAME"}, 0),
                  {line},
                  1,
                  ErrorCode::invalid_model,
                  "auto_pad"},
  });
}

TEST(NnTest, ConvTransposeIsTheTranspose) {
  // Against the scatter that defines it, one spatial axis.
  const auto f = [](std::vector<float> values, Shape shape) { return Tensor::from(values, shape); };
  const auto form = [](const WindowForm& window, int64_t group = 1, Ints output_padding = {},
                       Ints output_shape = {}) {
    Attributes result = conv_form(group, window);
    result.set("output_padding", output_padding);
    result.set("output_shape", output_shape);
    return result;
  };
  const Tensor x = f({1, 2}, {1, 1, 2});
  const Tensor w = f({1, 10, 100}, {1, 1, 3});
  check({
      {"overlap",
       "ConvTranspose",
       form({{3}, {}, {}, {}}),
       {x, w},
       {f({1, 12, 120, 200}, {1, 1, 4})}},
      {"stride",
       "ConvTranspose",
       form({{3}, {2}, {}, {}}),
       {x, w},
       {f({1, 10, 102, 20, 200}, {1, 1, 5})}},
      {"pads",
       "ConvTranspose",
       form({{3}, {2}, {1, 1}, {}}),
       {x, w},
       {f({10, 102, 20}, {1, 1, 3})}},
      {"output padding",
       "ConvTranspose",
       form({{3}, {2}, {}, {}}, 1, {1}),
       {x, w},
       {f({1, 10, 102, 20, 200, 0}, {1, 1, 6})}},
      {"output shape",
       "ConvTranspose",
       form({{3}, {2}, {}, {}}, 1, {}, {4}),
       {x, w},
       {f({10, 102, 20, 200}, {1, 1, 4})}},
      {"same",
       "ConvTranspose",
       form({{3}, {2}, {}, {}, "SAME_UPPER"}),
       {x, w},
       {f({1, 10, 102, 20}, {1, 1, 4})}},
      {"dilation, bias",
       "ConvTranspose",
       form({{3}, {}, {}, {2}}),
       {x, w, f({1000}, {1})},
       {f({1001, 1002, 1010, 1020, 1100, 1200}, {1, 1, 6})}},
      {"groups",
       "ConvTranspose",
       form({{1}, {}, {}, {}}, 2),
       {f({1, 2, 3, 4}, {1, 2, 2}), f({10, 100}, {2, 1, 1})},
       {f({10, 20, 300, 400}, {1, 2, 2})}},
      {"half",
       "ConvTranspose",
       form({{3}, {}, {}, {}}),
       {x.half(), w.half()},
       {f({1, 12, 120, 200}, {1, 1, 4}).half()}},
  });
  check({RefusalCase{"channels",
                     "ConvTranspose",
                     form({{3}, {}, {}, {}}),
                     {x, f({1, 1, 1, 1, 1, 1}, {2, 1, 3})},
                     1,
                     ErrorCode::invalid_model,
                     "channels"}});
}

TEST(NnTest, Normalisations) {
  const auto f = [](std::vector<float> values, Shape shape) { return Tensor::from(values, shape); };
  const auto batch = [](int64_t training) {
    return attributes({{"epsilon", 0.0f}, {"momentum", 0.75f}, {"training_mode", training}});
  };
  const auto layer = [](int64_t axis) {
    return attributes({{"axis", axis}, {"epsilon", 0.0f}, {"stash_type", int64_t{1}}});
  };
  const Tensor x = f({1, 3, 10, 30}, {1, 2, 2});
  const Tensor scale = f({2, 1}, {2}), bias = f({0, 5}, {2});
  const Tensor mean = f({1, 10}, {2}), var = f({4, 25}, {2});
  const Tensor pair = f({1, 3, 2, 6}, {2, 2});
  check({
      {"inference",
       "BatchNormalization",
       batch(0),
       {x, scale, bias, mean, var},
       {f({0, 2, 5, 9}, {1, 2, 2})},
       kRounded},
      {"training",
       "BatchNormalization",
       batch(1),
       {x, scale, bias, mean, var},
       {f({-2, 2, 4, 6}, {1, 2, 2}), f({1.25f, 12.5f}, {2}), f({3.25f, 43.75f}, {2})},
       kRounded},
      {"half with float statistics",
       "BatchNormalization",
       batch(0),
       {x.half(), scale, bias, mean, var},
       {f({0, 2, 5, 9}, {1, 2, 2}).half()}},
      {"rows",
       "LayerNormalization",
       layer(-1),
       {pair, f({1, 2}, {2}), f({0, 1}, {2})},
       {f({-1, 3, -1, 3}, {2, 2}), f({2, 4}, {2, 1}), f({1, 0.5f}, {2, 1})},
       kRounded},
      {"no bias",
       "LayerNormalization",
       layer(1),
       {pair, f({1, 2}, {2})},
       {f({-1, 2, -1, 2}, {2, 2})},
       kRounded},
      {"scale of one element",
       "LayerNormalization",
       layer(-1),
       {pair, f({3}, {1})},
       {f({-3, 3, -3, 3}, {2, 2})},
       kRounded},
      {"float64",
       "LayerNormalization",
       layer(-1),
       {pair.float64(), f({1, 2}, {2}).float64()},
       {f({-1, 2, -1, 2}, {2, 2}).float64()},
       kRounded},
      {"half",
       "LayerNormalization",
       layer(-1),
       {pair.half(), f({1, 2}, {2}).half()},
       {f({-1, 2, -1, 2}, {2, 2}).half()}},
  });
  check({
      RefusalCase{"channels",
                  "BatchNormalization",
                  batch(0),
                  {x, f({1}, {1}), bias, mean, var},
                  1,
                  ErrorCode::invalid_model,
                  "channels"},
      RefusalCase{"scale",
                  "LayerNormalization",
                  layer(-1),
                  {pair, f({1, 2, 3}, {3})},
                  1,
                  ErrorCode::invalid_model,
                  "broadcast"},
  });
}

TEST(NnTest, DropoutPassesUnlessTraining) {
  const Tensor x = Tensor::from<float>({1, 2, 3});
  const Tensor ratio = Tensor::scalar(0.25f);
  const Tensor yes = Tensor::scalar(true), no = Tensor::scalar(false);
  const Attributes seeded = attributes({{"seed", int64_t{7}}});
  const Tensor kept = Tensor::from<float>({1, 1, 1}).to(boolean);
  check({
      {"alone", "Dropout", {}, {x}, {x, kept}},
      {"inference", "Dropout", seeded, {x, ratio, no}, {x, kept}},
      {"nothing to drop", "Dropout", seeded, {x, Tensor::scalar(0.0f), yes}, {x, kept}},
  });
  // What is kept is scaled, and about a quarter is dropped.
  const Tensor many = Tensor::full({4000}, 3.0);
  const auto got = run_node(Device::cpu(), "Dropout", seeded, {many, ratio, yes}, 2);
  int64_t dropped = 0;
  for (int64_t i = 0; i < many.numel(); ++i) {
    const bool keeps = static_cast<const bool*>(got[1].data())[i];
    EXPECT_EQ(got[0].span<float>()[i], keeps ? 4.0f : 0.0f) << i;
    dropped += keeps ? 0 : 1;
  }
  EXPECT_NEAR(static_cast<double>(dropped), 1000, 150);
  check({RefusalCase{
      "ratio", "Dropout", seeded, {x, Tensor::scalar(1.5f), yes}, 1, ErrorCode::runtime, "ratio"}});
}

TEST(NnTest, RowAndChannelNormalisations) {
  const auto f = [](std::vector<float> values, Shape shape) { return Tensor::from(values, shape); };
  const auto rms = [](int64_t axis) {
    return attributes({{"axis", axis}, {"epsilon", 0.0f}, {"stash_type", int64_t{1}}});
  };
  const Attributes instance = attributes({{"epsilon", 0.0f}});
  const auto group = [](int64_t groups) {
    return attributes({{"epsilon", 0.0f}, {"num_groups", groups}, {"stash_type", int64_t{1}}});
  };
  const auto lp = [](int64_t p) { return attributes({{"axis", int64_t{-1}}, {"p", p}}); };
  const Attributes lrn =
      attributes({{"alpha", 3.0f}, {"beta", 1.0f}, {"bias", 1.0f}, {"size", int64_t{3}}});
  const Tensor x = f({1, 7, 1, 7}, {1, 2, 2});
  check({
      {"rows",
       "RMSNormalization",
       rms(-1),
       {x, f({1, 2}, {2})},
       {f({0.2f, 2.8f, 0.2f, 2.8f}, {1, 2, 2})},
       kRounded},
      {"half",
       "RMSNormalization",
       rms(1),
       {x.half(), f({5}, {1}).half()},
       {f({1, 7, 1, 7}, {1, 2, 2}).half()},
       {2e-3, 0}},
      {"channels",
       "InstanceNormalization",
       instance,
       {x, f({1, 2}, {2}), f({0, 1}, {2})},
       {f({-1, 1, -1, 3}, {1, 2, 2})},
       kRounded},
      {"one group",
       "GroupNormalization",
       group(1),
       {f({1, 3, 1, 3}, {1, 2, 2}), f({1, 2}, {2}), f({0, 0}, {2})},
       {f({-1, 1, -2, 2}, {1, 2, 2})},
       kRounded},
      {"all but channels",
       "MeanVarianceNormalization",
       attributes({{"axes", Ints{0, 2}}}),
       {x},
       {f({-1, 1, -1, 1}, {1, 2, 2})},
       kRounded},
      {"p 1",
       "LpNormalization",
       lp(1),
       {f({1, -3, 0, 0}, {2, 2})},
       {f({0.25f, -0.75f, 0, 0}, {2, 2})}},
      {"p 2", "LpNormalization", lp(2), {f({3, 4}, {1, 2})}, {f({0.6f, 0.8f}, {1, 2})}, kRounded},
      {"neighbours",
       "LRN",
       lrn,
       {f({1, 2, 3}, {1, 3, 1})},
       {f({1.0f / 6, 2.0f / 15, 3.0f / 14}, {1, 3, 1})},
       kRounded},
  });
  check({RefusalCase{"groups",
                     "GroupNormalization",
                     group(3),
                     {x, f({1, 2}, {2}), f({0, 0}, {2})},
                     1,
                     ErrorCode::invalid_model,
                     "groups"}});
}

TEST(NnTest, Losses) {
  const auto f = [](std::vector<float> values, Shape shape) { return Tensor::from(values, shape); };
  const auto form = [](const char* reduction) {
    return attributes({{"reduction", std::string(reduction)}});
  };
  Attributes ignoring = form("mean");
  ignoring.set("ignore_index", int64_t{-1});
  const Tensor x = f({-1, -2, -3, -4}, {2, 2});
  const Tensor targets = Tensor::from<int64_t>({1, 0});
  const float log_2 = 0.693147181f;
  check({
      {"none", "NegativeLogLikelihoodLoss", form("none"), {x, targets}, {f({2, 3}, {2})}},
      {"sum", "NegativeLogLikelihoodLoss", form("sum"), {x, targets}, {Tensor::scalar(5.0f)}},
      {"weighted mean",
       "NegativeLogLikelihoodLoss",
       form("mean"),
       {x, targets, f({1, 3}, {2})},
       {Tensor::scalar(2.25f)}},
      {"ignored",
       "NegativeLogLikelihoodLoss",
       ignoring,
       {x, Tensor::from<int32_t>({-1, 1})},
       {Tensor::scalar(4.0f)}},
      {"scores",
       "SoftmaxCrossEntropyLoss",
       form("mean"),
       {f({5, 5, 1, 1}, {2, 2}), targets},
       {Tensor::scalar(log_2), f({-log_2, -log_2, -log_2, -log_2}, {2, 2})},
       kRounded},
      {"half",
       "SoftmaxCrossEntropyLoss",
       form("sum"),
       {f({5, 5}, {1, 2}).half(), Tensor::from<int64_t>({0})},
       {Tensor::scalar(log_2).half()},
       {1e-3, 0}},
  });
  check({RefusalCase{"class",
                     "NegativeLogLikelihoodLoss",
                     form("none"),
                     {x, Tensor::from<int64_t>({2, 0})},
                     1,
                     ErrorCode::runtime,
                     "target 2"}});
}

}  // namespace
}  // namespace ferry::test
