#include "ferry/runner.h"

#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <new>

#include "devices/emulation/emulation.h"
#include "tests/support/model_of.h"

// Counts what the host allocates, for the test that a loop allocates nothing.
static std::atomic<int64_t> allocations{0};

// Not inlined: the compiler would take malloc and free for a mismatch with new and delete.
[[gnu::noinline]] void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(bytes == 0 ? 1 : bytes);
}
[[gnu::noinline]] void* operator new(size_t bytes) {
  if (void* memory = operator new(bytes, std::nothrow)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, const std::nothrow_t&) noexcept {
  std::free(memory);
}

namespace ferry {
namespace {

using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using testing::model_of;
using testing::ModelBuilder;

const char* const kDevices[] = {"cpu", "sim:0"};

// y = Relu(x W) + x W, z = -x; two branches, so that a graph has an order to get wrong.
ModelBuilder branches() {
  ModelBuilder builder;
  builder.input("x", float32, {"n", 3})
      .output("y", float32, {"n", 2})
      .output("z", float32, {"n", 3});
  builder.initializer<float>("w", {1, -2, 3, 4, -5, 6}, {3, 2});
  builder.node("MatMul", {"x", "w"}, {"a"});
  builder.node("Relu", {"a"}, {"b"});
  builder.node("Add", {"a", "b"}, {"y"});
  builder.node("Neg", {"x"}, {"z"});
  return builder;
}

Tensor pattern(Shape shape, float seed) {
  Tensor out = Tensor::empty(std::move(shape));
  float value = seed;
  for (float& element : out.mutable_span<float>()) element = value = 0.7f * value + 0.3f - seed;
  return out;
}

void expect_same(const Outputs& got, const Outputs& wanted) {
  ASSERT_EQ(got.size(), wanted.size());
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ(got[i].shape(), wanted[i].shape());
    ASSERT_EQ(got[i].device(), wanted[i].device());
    const Tensor a = got[i].cpu(), b = wanted[i].cpu();
    ASSERT_EQ(std::memcmp(a.data(), b.data(), a.nbytes()), 0) << i;
  }
}

TEST(Runner, AgreesWithRunOverManyInputs) {
  for (const char* device : kDevices) {
    for (const char* outputs_on : {"cpu", device}) {
      for (const char* inputs_on : {"cpu", device}) {
        SCOPED_TRACE(std::string(device) + " " + inputs_on + " -> " + outputs_on);
        Model model = model_of(branches());
        PlacementRequest request = PlacementRequest::parse(device);
        request.outputs_on = Device(outputs_on);
        model.to(request);
        const bool on_cpu = std::string(device) == "cpu";
        Runner runner = model.runner({{"x", pattern({5, 3}, 0)}}, {.inputs_on = Device(inputs_on)});
        EXPECT_EQ(runner.input("x").device(), Device(inputs_on));
        EXPECT_EQ(runner.input("x").is_pinned(), !on_cpu && std::string(inputs_on) == "cpu");
        expect_same(runner.run(), model.run({{"x", pattern({5, 3}, 0)}}));
        const void* const y = runner.outputs()["y"].data();
        for (int i = 1; i < 12; ++i) {
          const Tensor x = pattern({5, 3}, static_cast<float>(i));
          runner.set("x", i % 2 == 0 ? x : x.to(Device(device)));
          RunReport report, expected;
          const Outputs& out = runner.run({.check_ledger = true, .report = &report});
          expect_same(out, model.run({{"x", x.to(Device(inputs_on))}}, {.report = &expected}));
          EXPECT_EQ(out["y"].data(), y);
          EXPECT_EQ(report.copies.size(), expected.copies.size());
          EXPECT_EQ(runner.captured(), !on_cpu);
        }
        EXPECT_EQ(runner.why_not_captured() == "", !on_cpu) << runner.why_not_captured();
      }
    }
  }
}

// A replay runs the recorded steps in any order that their dependencies allow.
TEST(Runner, AReplayNeedsNoLuckWithItsOrder) {
  for (uint64_t seed = 0; seed < 12; ++seed) {
    emulation::Config config;
    config.seed = seed;
    config.mode = seed % 2 ? emulation::StreamMode::threads : emulation::StreamMode::lazy;
    config.max_delay_us = 100;
    emulation::configure(config);
    SCOPED_TRACE(seed);
    Model cpu = model_of(branches()), model = model_of(branches());
    model.to(Device("sim:0"));
    Runner runner = model.runner({{"x", pattern({4, 3}, 0)}});
    for (int i = 0; i < 8; ++i) {
      const Tensor x = pattern({4, 3}, static_cast<float>(i));
      runner.set("x", x);
      expect_same(runner.run(), cpu.run({{"x", x}}));
    }
    EXPECT_TRUE(runner.captured()) << runner.why_not_captured();
  }
  emulation::configure({});
}

TEST(Runner, AllocatesNothingInTheLoop) {
  Model model = model_of(branches());
  Runner runner = model.runner({{"x", pattern({64, 3}, 1)}});
  (void)runner.run();
  const int64_t before = allocations;
  for (int i = 0; i < 100; ++i) (void)runner.run();
  EXPECT_EQ(allocations, before);

  // On a device: neither its memory nor pinned memory.
  model.to(Device("sim:0"));
  Runner there = model.runner({{"x", pattern({64, 3}, 1)}});
  for (int i = 0; i < 3; ++i) (void)there.run();
  const emulation::Counters counters = emulation::counters();
  for (int i = 0; i < 20; ++i) {
    (void)there.run();
    EXPECT_EQ(emulation::counters().allocations, counters.allocations);
    EXPECT_EQ(emulation::counters().pinned_allocations, counters.pinned_allocations);
  }
}

TEST(Runner, SaysWhyItDoesNotRecord) {
  ModelBuilder late;  // NonZero reads its count back, and its readers have sizes of the run
  late.input("x", float32, {4}).output("i", int64, {1, "m"}).output("same", float32, {4});
  late.node("NonZero", {"x"}, {"i"}).name("find");
  late.node("Identity", {"x"}, {"same"});
  for (const char* device : kDevices) {
    Model model = model_of(late);
    model.to(Device(device));
    Runner runner = model.runner({{"x", Tensor::from({0, 1, 0, 1})}});
    EXPECT_THAT(runner.run()["i"].span<int64_t>(), ElementsAre(1, 3));
    runner.set("x", Tensor::from({1, 1, 0, 1}));
    const Outputs& out = runner.run({.check_ledger = true});
    EXPECT_THAT(out["i"].span<int64_t>(), ElementsAre(0, 1, 3));
    EXPECT_THAT(out["same"].span<float>(), ElementsAre(1, 1, 0, 1));
    EXPECT_FALSE(runner.captured());
    EXPECT_THAT(runner.why_not_captured(), HasSubstr("node 'find' (NonZero) has sizes that only"));
  }
  Model cpu = model_of(branches());
  Runner runner = cpu.runner({{"x", pattern({1, 3}, 1)}});
  EXPECT_THAT(runner.why_not_captured(), HasSubstr("runs on the cpu"));
}

TEST(Runner, RefusesWhatItWasNotMadeFor) {
  Model model = model_of(branches());
  model.to(Device("sim:0"));
  const Inputs examples{{"x", pattern({2, 3}, 1)}};
  const auto code = [&](const std::function<void()>& f) { return error_of(f).code(); };
  EXPECT_EQ(code([&] { (void)model.runner({}); }), ErrorCode::not_found);
  EXPECT_EQ(code([&] {
              (void)model.runner({{"x", pattern({2, 4}, 1)}});
            }),
            ErrorCode::invalid_argument);
  EXPECT_EQ(code([&] { (void)model.runner(examples, {.inputs_on = Device("sim:1")}); }),
            ErrorCode::invalid_argument);
  Runner runner = model.runner(examples);
  EXPECT_EQ(code([&] { (void)runner.input("X"); }), ErrorCode::not_found);
  EXPECT_EQ(code([&] { runner.set("y", pattern({2, 3}, 1)); }), ErrorCode::not_found);
  const Error shape = error_of([&] { runner.set("x", pattern({3, 3}, 1)); });
  EXPECT_EQ(shape.code(), ErrorCode::invalid_argument);
  EXPECT_THAT(shape.what(), HasSubstr("is float32[2, 3], not float32[3, 3]"));
  EXPECT_EQ(code([&] { runner.set("x", pattern({2, 3}, 1).half()); }), ErrorCode::invalid_argument);
}

TEST(Runner, GoesOnWithThePlacementThatItWasMadeFrom) {
  Model model = model_of(branches());
  model.to(Device("sim:0"));
  Runner runner = model.runner({{"x", pattern({2, 3}, 1)}});
  const Outputs wanted = model.run({{"x", pattern({2, 3}, 1)}});
  (void)runner.run();
  model.cpu();
  for (int i = 0; i < 3; ++i) expect_same(runner.run({.check_ledger = true}), wanted);
  EXPECT_TRUE(runner.captured());
  model = model_of(branches());  // the runner is the last that holds the model
  expect_same(runner.run(), wanted);
}

TEST(Runner, AnErrorOfDataNamesItsNodeAndPasses) {
  ModelBuilder builder;
  builder.input("x", float32, {3}).input("i", int64, {1}).output("y", float32, {1});
  builder.node("Gather", {"x", "i"}, {"y"}).name("pick");
  for (const char* device : kDevices) {
    Model model = model_of(builder);
    model.to(Device(device));
    Runner runner = model.runner({{"x", Tensor::from({1, 2, 3})}, {"i", Tensor::from({2}, int64)}});
    for (int round = 0; round < 3; ++round) {
      for (int i = 0; i < 3; ++i) EXPECT_EQ(runner.run()["y"].item(), 3);
      EXPECT_EQ(runner.captured(), std::string(device) != "cpu");
      runner.set("i", Tensor::from({7}, int64));
      const Error error = error_of([&] { (void)runner.run(); });
      EXPECT_EQ(error.message(), "the index 7 is outside an axis of size 3") << device;
      EXPECT_EQ(error.node(), "pick");
      runner.set("i", Tensor::from({2}, int64));
    }
  }
}

TEST(Runner, DeliversWhatItWasMadeForAndCanBeStopped) {
  for (const char* device : kDevices) {
    Model model = model_of(branches());
    model.to(Device(device));
    Runner runner =
        model.runner({{"x", pattern({2, 3}, 1)}}, {.outputs = {"z"}, .outputs_on = Device(device)});
    const Outputs wanted =
        model.run({{"x", pattern({2, 3}, 1)}}, {.outputs = {"z"}, .outputs_on = Device(device)});
    for (int round = 0; round < 2; ++round) {
      for (int i = 0; i < 3; ++i) expect_same(runner.run({.check_ledger = true}), wanted);
      EXPECT_EQ(runner.outputs().begin()->first, "z");
      CancelToken token;
      token.cancel();
      EXPECT_EQ(error_of([&] { (void)runner.run({.cancel = token}); }).code(),
                ErrorCode::cancelled);
      EXPECT_EQ(error_of([&] {
                  (void)runner.run({.deadline = std::chrono::steady_clock::time_point()});
                }).code(),
                ErrorCode::deadline_exceeded);
    }
    EXPECT_EQ(error_of([&] { (void)runner.run({.outputs = {"y"}}); }).code(),
              ErrorCode::invalid_argument);
  }
}

TEST(Runner, TracesStepByStep) {
  Model model = model_of(branches());
  model.to(Device("sim:0"));
  Runner runner = model.runner({{"x", pattern({2, 3}, 1)}});
  for (int i = 0; i < 4; ++i) {
    RunReport report;
    (void)runner.run({.trace = i == 3, .report = &report});
    EXPECT_EQ(report.trace_json.find("MatMul") != std::string::npos, i == 3);
    EXPECT_EQ(report.ledger_difference, "");
  }
}

}  // namespace
}  // namespace ferry
