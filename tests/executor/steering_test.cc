// Placements that are steered, run: limits, several devices, rules, moves, cards that are not
// there.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "core/npy.h"
#include "devices/copy.h"
#include "devices/emulation/emulation.h"
#include "ferry/ferry.h"
#include "tests/support/model_of.h"
#include "tests/support/requests.h"

namespace ferry {
namespace {

using testing::device_first;
using ::testing::Each;
using ::testing::HasSubstr;

const Device kSim("sim:0");

std::string path(const std::string& name) { return std::string(FERRY_MODELS) + "/" + name; }

// What PyTorch computed for the model.
struct Golden {
  explicit Golden(const std::string& stem)
      : model(Model::load(path(stem + ".onnx"))), values(NamedValues::load(path(stem + "_1.npz"))) {
    for (const TensorInfo& input : model.inputs()) {
      inputs.add(input.name, values[input.name]);
      for (size_t i = 0; i < input.dims.size(); ++i) {
        if (std::isalpha(static_cast<unsigned char>(input.dims[i][0]))) {
          dims[input.dims[i]] = values[input.name].shape()[i];
        }
      }
    }
  }

  PlacementRequest request(std::string_view devices) const {
    PlacementRequest out = device_first(devices);
    out.dims = dims;
    return out;
  }

  void expect_right(RunReport* report = nullptr) const {
    RunOptions options{.check_ledger = true};
    options.report = report;
    options.trace = report != nullptr;
    for (const auto& [name, tensor] : model.run(inputs, options)) {
      const auto a = tensor.span<float>(), e = values[name].span<float>();
      ASSERT_EQ(a.size(), e.size());
      for (size_t i = 0; i < a.size(); ++i) {
        ASSERT_LE(std::fabs(a[i] - e[i]), 1e-5f + 1e-4f * std::fabs(e[i])) << name << " " << i;
      }
    }
  }

  Model model;
  NamedValues values;
  Inputs inputs;
  std::map<std::string, int64_t> dims;
};

const MemoryUse& memory_of(const Placement& placement, Device device) {
  return std::ranges::find(placement.devices(), device, &DevicePlacement::device)->memory;
}

// What the report says that a device holds is what it holds, within 5 %.
TEST(Steering, ThePeakIsAsPredicted) {
  for (const char* stem : {"net", "digits", "mixer"}) {
    SCOPED_TRACE(stem);
    Golden golden(stem);
    golden.model.to(golden.request("sim:0"));
    golden.expect_right();  // plans, and makes the memory of runs
    RunReport report;
    golden.expect_right(&report);
    const auto measured = static_cast<double>(report.measured.peak_bytes.at(kSim));
    const MemoryUse& predicted = memory_of(golden.model.placement(), kSim);
    EXPECT_TRUE(predicted.known);
    EXPECT_NEAR(measured, static_cast<double>(predicted.peak()), 0.05 * measured);
    EXPECT_EQ(predicted.steps.size(), golden.model.placement().nodes().size());
    EXPECT_LE(*std::ranges::max_element(predicted.steps), predicted.activations);
  }
}

// Under every order of streams: the room of a streamed weight is another value's before and after.
TEST(Steering, StreamedWeightsAreRightWithinTheLimit) {
  for (uint64_t seed = 0; seed < 8; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    emulation::Config config;
    config.seed = seed;
    config.mode = seed % 2 == 0 ? emulation::StreamMode::threads : emulation::StreamMode::lazy;
    config.max_delay_us = 200;
    emulation::configure(config);
    for (const char* stem : {"digits", "mixer"}) {
      SCOPED_TRACE(stem);
      Golden golden(stem);
      PlacementRequest request = golden.request("sim:0");
      const int64_t most = memory_of(golden.model.plan(request), kSim).peak();
      request.memory_limits[kSim] = most - most / 16;
      golden.model.to(request);
      ASSERT_FALSE(golden.model.placement().spilled().empty());
      golden.expect_right();
      RunReport report;
      golden.expect_right(&report);
      EXPECT_LE(report.measured.peak_bytes.at(kSim), request.memory_limits[kSim]);
      EXPECT_TRUE(std::ranges::any_of(report.copies, [](const RunReport::Copy& copy) {
        return copy.from.is_cpu() && copy.planned_times == 1;
      }));
    }
  }
  emulation::configure({});
}

// A run that delivers elsewhere is placed anew, within the same limits.
TEST(Steering, LimitsHoldForOtherDeliveriesToo) {
  Golden golden("mixer");
  PlacementRequest request = golden.request("sim:0");
  const int64_t most = memory_of(golden.model.plan(request), kSim).peak();
  request.memory_limits[kSim] = most - 8 * 1024;
  golden.model.to(request);
  ASSERT_FALSE(golden.model.placement().spilled().empty());
  const Outputs out = golden.model.run(golden.inputs, {.check_ledger = true, .outputs_on = kSim});
  EXPECT_EQ(out[0].device(), kSim);
}

TEST(Steering, SeveralDevicesShareAModel) {
  for (const char* stem : {"net", "digits", "mixer"}) {
    SCOPED_TRACE(stem);
    Golden golden(stem);
    PlacementRequest request = golden.request("sim:0,sim:1,cpu");
    // Every other node on its device, so that values cross between the two.
    const Placement first = golden.model.plan(request);
    for (size_t i = 0; i < first.nodes().size(); ++i) {
      if (first.nodes()[i].reason != "requested") continue;
      PlacementRule rule;
      rule.pattern = first.nodes()[i].name;
      rule.device = Device(DeviceKind::sim, static_cast<int>(i % 2));
      rule.text = rule.pattern;
      request.rules.push_back(rule);
    }
    golden.model.to(request);
    EXPECT_GT(golden.model.placement().run_copies().device_to_device, 0);
    golden.expect_right();
  }
}

TEST(Steering, WhatIsComputedTwiceIsRight) {
  testing::ModelBuilder builder;
  builder.input("small", float32, {1, 512}).input("x", float32, {512, 512});
  builder.output("y", float32, {1, 512}).output("here", float32, {512, 512});
  builder.initializer<int64_t>("shape", {512, 512}, {2});
  builder.node("Expand", {"small", "shape"}, {"mask"}).name("spread");
  builder.node("MatMul", {"x", "mask"}, {"there"});
  builder.node("Abs", {"mask"}, {"here"}).name("rest");
  builder.node("MatMul", {"small", "there"}, {"y"});
  Model model = testing::model_of(builder);
  Tensor small = Tensor::zeros({1, 512}), x = Tensor::zeros({512, 512});
  for (float& value : small.mutable_span<float>()) value = -0.5f;
  for (float& value : x.mutable_span<float>()) value = 1.0f / 512;
  PlacementRequest request = PlacementRequest::parse("sim:0,cpu");
  request.rules = {PlacementRule::parse("rest=cpu"), PlacementRule::parse("op:MatMul=sim:0")};
  model.to(request);
  EXPECT_TRUE(std::ranges::any_of(model.placement().nodes(), [](const NodePlacement& node) {
    return node.name.starts_with("spread@");
  })) << model.placement().text();
  const Outputs out = model.run({{"small", small}, {"x", x}}, {.check_ledger = true});
  EXPECT_THAT(out["here"].span<float>(), Each(0.5f));
  EXPECT_THAT(out["y"].span<float>(), Each(::testing::FloatNear(128, 1e-2)));
}

// Moving re-plans, and uploads only what is not there yet.
TEST(Steering, WeightsStayWhereTheyAre) {
  Golden golden("digits");
  int uploads = 0;
  const auto uploads_of = [&](const PlacementRequest& request) {
    uploads = 0;
    golden.model.to(request);
    golden.expect_right();
    return uploads;
  };
  set_log_sink(
      [&](LogLevel, std::string_view line) { uploads += line.starts_with("uploaded a weight"); },
      LogLevel::debug);
  const int all = uploads_of(golden.request("sim:0"));
  EXPECT_GT(all, 0);
  EXPECT_EQ(uploads_of(golden.request("sim:0")), 0);
  EXPECT_EQ(uploads_of(golden.request("sim:0,cpu")), 0);
  EXPECT_EQ(uploads_of(golden.request("sim:1")), all);
  EXPECT_EQ(uploads_of(golden.request("cpu")), 0);
  EXPECT_EQ(uploads_of(golden.request("sim:1")), all);  // the CPU gave them back
  set_log_sink(nullptr);
}

TEST(Steering, ACardThatIsNotThereIsForPlansAlone) {
  Golden golden("mixer");
  PlacementRequest request = golden.request("cuda:7,cpu");
  EXPECT_EQ(testing::error_of([&] { (void)golden.model.plan(request); }).code(),
            ErrorCode::device_missing);
  request.assumed_devices[request.device] = AssumedDevice::parse("T4,PCIe 3");
  const Placement placement = golden.model.plan(request);
  const DevicePlacement& card = placement.devices()[1];
  EXPECT_TRUE(card.assumed);
  EXPECT_FALSE(card.simulated);
  EXPECT_GT(card.nodes, 0);
  EXPECT_THAT(card.profile, HasSubstr("T4"));
  EXPECT_GT(card.memory.peak(), 0);
  const Error error = testing::error_of([&] { golden.model.to(placement); });
  EXPECT_EQ(error.code(), ErrorCode::device_missing);
  EXPECT_THAT(error.what(), HasSubstr("assumes a T4 as cuda:7"));
  golden.expect_right();  // where it was
}

TEST(Steering, CopiesSayWhetherTheyWereAsynchronous) {
  Golden golden("net");
  golden.model.to(golden.request("sim:0"));
  const auto pageable = [&](const Tensor& x) {
    RunReport report;
    (void)golden.model.run({{"x", x}}, {.report = &report});
    std::map<std::string, bool> out;
    for (const RunReport::Copy& copy : report.copies) out[copy.value] = copy.pageable;
    return out;
  };
  const Tensor x = golden.inputs["x"];
  EXPECT_EQ(pageable(x), (std::map<std::string, bool>{{"x", true}, {"y", true}}));
  EXPECT_EQ(pageable(x.pin_memory(kSim)), (std::map<std::string, bool>{{"x", false}, {"y", true}}));
}

// plan() moves nothing and may be called beside runs (the build with ThreadSanitizer runs this
// too).
TEST(Steering, PlansBesideRuns) {
  Golden golden("mixer");
  golden.model.to(golden.request("sim:0"));
  const std::string before = golden.model.placement().json();
  std::vector<std::thread> threads;
  for (const char* devices : {"cpu", "sim:0,cpu", "sim:1"}) {
    threads.emplace_back([&golden, devices] {
      for (int i = 0; i < 5; ++i) {
        EXPECT_TRUE(golden.model.plan(golden.request(devices)).defined());
        golden.expect_right();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(golden.model.placement().json(), before);
}

}  // namespace
}  // namespace ferry
