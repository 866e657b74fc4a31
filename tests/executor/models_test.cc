#include <gtest/gtest.h>

#include <cmath>

#include "core/npy.h"
#include "devices/emulation/emulation.h"
#include "ferry/ferry.h"

// The models of models/, on every device, against what PyTorch computed.
namespace ferry {
namespace {

struct Golden {
  const char *model, *values;
};
constexpr Golden kGoldens[] = {
    {"net.onnx", "net_1.npz"},
    {"net.onnx", "net_2.npz"},
    {"net_torchscript.onnx", "net_1.npz"},
    {"net_torchscript.onnx", "net_2.npz"},
    {"digits.onnx", "digits_1.npz"},
    {"digits.onnx", "digits_2.npz"},
    {"digits_torchscript.onnx", "digits_1.npz"},
    {"digits_torchscript.onnx", "digits_2.npz"},
    {"mixer.onnx", "mixer_1.npz"},
    {"mixer.onnx", "mixer_2.npz"},
    {"mixer_torchscript.onnx", "mixer_1.npz"},
    {"mixer_torchscript.onnx", "mixer_2.npz"},
};

std::string path(const std::string& name) { return std::string(FERRY_MODELS) + "/" + name; }

void expect_golden(const Model& model, const Golden& golden) {
  std::map<std::string, Tensor> values;
  for (auto& [name, tensor] : load_npz(path(golden.values))) values[name] = tensor;
  Inputs inputs;
  for (const TensorInfo& input : model.inputs()) inputs.add(input.name, values.at(input.name));
  for (const auto& [name, tensor] : model.run(inputs, {.check_ledger = true})) {
    const Tensor& expected = values.at(name);
    ASSERT_EQ(tensor.shape(), expected.shape());
    const auto a = tensor.span<float>(), e = expected.span<float>();
    for (size_t i = 0; i < a.size(); ++i) {
      ASSERT_LE(std::fabs(a[i] - e[i]), 1e-5f + 1e-4f * std::fabs(e[i]))
          << golden.model << " " << name << "[" << i << "]";
    }
  }
}

PlacementRequest on(const char* device) { return PlacementRequest::parse(device); }

TEST(Models, SayWhereTheyComeFrom) {
  const ModelMetadata metadata = Model::load(path("net.onnx")).metadata();
  EXPECT_EQ(metadata.ir_version, 10);
  EXPECT_TRUE(metadata.producer.starts_with("pytorch 2.13.0")) << metadata.producer;
  EXPECT_EQ(metadata.opsets, (std::map<std::string, int64_t>{{"ai.onnx", 20}}));
}

TEST(Models, AreRightOnEveryDevice) {
  for (const Golden& golden : kGoldens) {
    SCOPED_TRACE(golden.model);
    Model model = Model::load(path(golden.model));
    expect_golden(model, golden);
    model.to(on("sim:0"));
    expect_golden(model, golden);
    model.to(on("sim:1"));
    expect_golden(model, golden);
    model.cpu();
    expect_golden(model, golden);
  }
}

TEST(Models, AreRightUnderRandomPlacement) {
  for (const Golden& golden : kGoldens) {
    for (uint64_t seed = 0; seed < 5; ++seed) {
      SCOPED_TRACE(std::string(golden.model) + " seed " + std::to_string(seed));
      Model model = Model::load(path(golden.model));
      PlacementRequest request = on("sim:0");
      request.random_seed = seed;
      model.to(request);
      expect_golden(model, golden);
    }
  }
}

TEST(Models, AreRightWhereTheyAreFastest) {
  for (const Golden& golden : kGoldens) {
    for (const int64_t size : {1, 100'000}) {
      SCOPED_TRACE(std::string(golden.model) + " of assumed size " + std::to_string(size));
      Model model = Model::load(path(golden.model));
      PlacementRequest request = on("sim:0,cpu");
      request.policy = PlacementPolicy::fastest;
      request.dims = {{"batch", size}, {"sequence", size}};
      model.to(request);
      expect_golden(model, golden);
    }
  }
}

// A missing wait shows as wrong data when streams run in another order, or late.
TEST(Models, NeedNoLuckWithTheOrderOfStreams) {
  for (uint64_t seed = 0; seed < 12; ++seed) {
    emulation::Config config;
    config.seed = seed;
    config.mode = seed % 3 == 0 ? emulation::StreamMode::threads : emulation::StreamMode::lazy;
    config.max_delay_us = 200;
    config.order = seed % 2 ? emulation::ThreadOrder::reverse : emulation::ThreadOrder::forward;
    emulation::configure(config);
    for (const Golden& golden : {kGoldens[4], kGoldens[11]}) {
      SCOPED_TRACE(std::string(golden.model) + " seed " + std::to_string(seed));
      Model model = Model::load(path(golden.model));
      PlacementRequest request = on("sim:0");
      if (seed % 4 != 0) request.random_seed = seed;
      model.to(request);
      expect_golden(model, golden);
      expect_golden(model, golden);
    }
  }
  emulation::configure({});
}

TEST(Models, PrintAsPyTorchPrintsThem) {
  const char* const expected =
      "Net(\n"
      "  (fc1): Linear(in_features=3, out_features=2, bias=True)\n"
      "  (fc2): Linear(in_features=2, out_features=1, bias=True)\n"
      ")";
  Model model = Model::load(path("net.onnx"));
  EXPECT_EQ(model.str(), expected);
  EXPECT_EQ(model.to(on("sim:0")).str(), expected);
}

}  // namespace
}  // namespace ferry
