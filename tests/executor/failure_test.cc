#include <gmock/gmock.h>

#include "devices/emulation/emulation.h"
#include "ferry/ferry.h"
#include "tests/support/model_of.h"

// A device that fails, at every call that can: an Error, nothing leaked, the model still usable.
namespace ferry {
namespace {

testing::ModelBuilder chain() {
  testing::ModelBuilder builder;
  builder.input("x", float32, {2, 3}).output("y", float32, {2, 3});
  builder.initializer<float>("w", {1, 2, 3}, {3});
  builder.node("Mul", {"x", "w"}, {"a"});
  builder.node("Relu", {"a"}, {"b"});
  builder.node("Add", {"b", "w"}, {"y"});
  return builder;
}

TEST(Failure, EveryFallibleCallOfARun) {
  emulation::configure({});
  Model model = testing::model_of(chain());
  model.to(Device("sim:0"));
  const Inputs inputs{{"x", Tensor::full({2, 3}, 1)}};
  const std::string expected = model.run(inputs)["y"].str();

  // A run that makes its own plan, streams and arenas.
  const auto fresh_run = [&] {
    model.cpu().to(Device("sim:0"));
    return model.run(inputs)["y"].str();
  };
  emulation::configure({});
  EXPECT_EQ(fresh_run(), expected);
  const int64_t calls = emulation::api_calls();
  ASSERT_GT(calls, 5);
  for (int64_t at = 1; at <= calls; ++at) {
    emulation::Config config;
    config.failure = {.at_call = at, .error = cudaErrorMemoryAllocation};
    emulation::configure(config);
    try {
      EXPECT_EQ(fresh_run(), expected) << "call " << at;
    } catch (const Error& error) {
      EXPECT_TRUE(error.code() == ErrorCode::out_of_memory ||
                  error.code() == ErrorCode::device_failed)
          << "call " << at << ": " << error.what();
    }
    emulation::configure({});
    EXPECT_EQ(model.to(Device("sim:0")).run(inputs)["y"].str(), expected) << "after call " << at;
  }
}

TEST(Failure, RunsLeakNothing) {
  emulation::configure({});
  Model model = testing::model_of(chain());
  model.to(Device("sim:0"));
  const Inputs inputs{{"x", Tensor::full({2, 3}, 1)}};
  (void)model.run(inputs);
  const emulation::Counters before = emulation::counters();
  for (int i = 0; i < 5; ++i) (void)model.run(inputs);
  EXPECT_EQ(emulation::counters().allocations, before.allocations);
  EXPECT_EQ(emulation::counters().pinned_allocations, before.pinned_allocations);
}

TEST(Failure, AMemoryLimitIsAnError) {
  emulation::Config config;
  config.memory_limit = 1 << 20;
  emulation::configure(config);
  testing::ModelBuilder builder;
  builder.input("x", float32, {"n"}).output("y", float32, {"n"});
  builder.node("Relu", {"x"}, {"a"});
  builder.node("Neg", {"a"}, {"y"});
  Model model = testing::model_of(builder);
  model.to(Device("sim:0"));
  EXPECT_EQ(testing::error_of([&] {
              (void)model.run({{"x", Tensor::zeros({1 << 20})}});
            }).code(),
            ErrorCode::out_of_memory);
  EXPECT_EQ(model.run({{"x", Tensor::from({-1, 2})}})["y"].str(), "tensor([-0., -2.])");
  emulation::configure({});
}

}  // namespace
}  // namespace ferry
