#include <gmock/gmock.h>

#include <chrono>
#include <random>
#include <thread>

#include "ferry/ferry.h"
#include "tests/support/model_of.h"
#include "tests/support/requests.h"

// RunOptions: which outputs come back, where, and what ends a run early.
namespace ferry {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::model_of;
using testing::ModelBuilder;

const char* const kDevices[] = {"cpu", "sim:0"};

// Two outputs of which each has a node of its own, and one that they share.
ModelBuilder branches() {
  ModelBuilder builder;
  builder.input("x", float32, {"n"}).output("left", float32, {"n"}).output("right", float32, {"n"});
  builder.node("Neg", {"x"}, {"shared"});
  builder.node("Exp", {"shared"}, {"left"}).name("only_left");
  builder.node("Abs", {"shared"}, {"right"}).name("only_right");
  return builder;
}

std::vector<std::string> names_of(const Outputs& outputs) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : outputs) names.push_back(name);
  return names;
}

TEST(RunOptions, WantedOutputsComeInTheirOrderAndNothingElseRuns) {
  for (const char* device : kDevices) {
    Model model = model_of(branches());
    model.to(Device(device));
    const Inputs inputs{{"x", Tensor::from({1, -2})}};
    RunReport report;
    RunOptions options{.check_ledger = true, .trace = true, .report = &report};
    options.outputs = {"right"};
    const Outputs one = model.run(inputs, options);
    EXPECT_THAT(names_of(one), ElementsAre("right"));
    EXPECT_THAT(one["right"].span<float>(), ElementsAre(1, 2));
    EXPECT_THAT(report.trace_json, HasSubstr("only_right"));
    EXPECT_THAT(report.trace_json, ::testing::Not(HasSubstr("only_left")));
    for (const RunReport::Copy& copy : report.copies) EXPECT_NE(copy.value, "left");

    options.outputs = {"right", "left"};
    EXPECT_THAT(names_of(model.run(inputs, options)), ElementsAre("right", "left"));
    options.outputs.clear();
    EXPECT_THAT(names_of(model.run(inputs, options)), ElementsAre("left", "right"));
    // Each choice is planned once.
    for (int i = 0; i < 3; ++i) {
      options.outputs = {"right"};
      (void)model.run(inputs, options);
    }
    EXPECT_EQ(model.plans_made(), 3);
  }
}

TEST(RunOptions, ValuesWithinTheModelComeBackWhereTheyLive) {
  for (const char* device : kDevices) {
    Model model = model_of(branches());
    model.to(Device(device));
    RunReport report;
    RunOptions options{.check_ledger = true, .trace = true, .report = &report};
    options.outputs = {"shared", "left"};
    const Outputs outputs = model.run({{"x", Tensor::from({1, -2})}}, options);
    EXPECT_THAT(names_of(outputs), ElementsAre("shared", "left"));
    EXPECT_EQ(outputs["shared"].device(), Device(device));
    EXPECT_THAT(outputs["shared"].cpu().span<float>(), ElementsAre(-1, 2));
    EXPECT_EQ(outputs["left"].device(), Device::cpu());
    EXPECT_THAT(report.trace_json, ::testing::Not(HasSubstr("only_right")));
  }
}

TEST(RunOptions, RefusesWrongOutputs) {
  const Model model = model_of(branches());
  const Inputs inputs{{"x", Tensor::from({1, -2})}};
  RunOptions options;
  options.outputs = {"rihgt"};
  Error error = error_of([&] { (void)model.run(inputs, options); });
  EXPECT_EQ(error.code(), ErrorCode::not_found);
  EXPECT_THAT(error.what(), HasSubstr("named 'rihgt'. Did you mean 'right'?"));
  options.outputs = {"left", "left"};
  error = error_of([&] { (void)model.run(inputs, options); });
  EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
  options.outputs.clear();
  options.outputs_on = Device("sim:99");
  error = error_of([&] { (void)model.run(inputs, options); });
  EXPECT_EQ(error.code(), ErrorCode::device_missing);
  EXPECT_EQ(model.run(inputs)["right"].numel(), 2);
}

TEST(RunOptions, OutputsComeBackWhereTheyAreWanted) {
  const Tensor x = Tensor::from({1, -2});
  for (const char* device : kDevices) {
    for (const char* target : {"cpu", "sim:0", "sim:1"}) {
      Model model = model_of(branches());
      model.to(Device(device));
      RunReport report;
      RunOptions options{.check_ledger = true, .report = &report};
      options.outputs_on = Device(target);
      const Outputs outputs = model.run({{"x", x}}, options);
      for (const auto& [name, tensor] : outputs) EXPECT_EQ(tensor.device(), Device(target)) << name;
      EXPECT_THAT(outputs["right"].cpu().span<float>(), ElementsAre(1, 2));
      int delivered = 0;
      for (const RunReport::Copy& copy : report.copies) delivered += copy.value != "x";
      EXPECT_EQ(delivered, std::string(device) == target ? 0 : 2) << device << " " << target;
      // The placement is as before.
      EXPECT_TRUE(model.run({{"x", x}})["left"].device().is_cpu());
      options.outputs = {"left"};
      EXPECT_EQ(model.run({{"x", x}}, options)["left"].device(), Device(target));
    }
  }
}

TEST(RunOptions, StringsStayOnTheHost) {
  ModelBuilder builder;
  builder.input("s", string, {1}).output("t", string, {1});
  builder.node("Identity", {"s"}, {"t"});
  Model model = model_of(builder);
  RunOptions options;
  options.outputs_on = Device("sim:0");
  const Inputs inputs{{"s", Tensor::from(std::vector<std::string>{"ferry"})}};
  EXPECT_TRUE(model.run(inputs, options)["t"].device().is_cpu());
}

// A Loop of `trips` trips.
ModelBuilder counting() {
  ModelBuilder builder;
  builder.input("trips", int64, {}).input("start", float32, {2}).output("end", float32, {2});
  testing::NodeBuilder node = builder.node("Loop", {"trips", "", "start"}, {"end"}).name("loop");
  testing::GraphProtoBuilder body(node.graph("body"));
  body.input("i", int64, {}).input("going", boolean, {}).input("before", float32, {2});
  body.initializer<float>("one", {1}, {});
  body.node("Add", {"before", "one"}, {"after"}).name("add");
  body.node("Identity", {"going"}, {"on"});
  body.output("on", boolean, {}).output("after", float32, {2});
  return builder;
}

Inputs trips(int64_t count) {
  return {{"trips", Tensor::scalar<int64_t>(count)}, {"start", Tensor::from({0, 0})}};
}

constexpr int64_t kForever = int64_t{1} << 40;

TEST(RunOptions, ARunEndsAtItsDeadline) {
  for (const char* device : {"cpu", "sim:0,cpu"}) {
    Model model = model_of(counting());
    model.to(testing::device_first(device));
    RunOptions options;
    options.deadline = steady_clock::now();
    EXPECT_EQ(error_of([&] { (void)model.run(trips(1), options); }).code(),
              ErrorCode::deadline_exceeded);

    const auto start = steady_clock::now();
    options.deadline = start + milliseconds(50);
    const Error error = error_of([&] { (void)model.run(trips(kForever), options); });
    EXPECT_EQ(error.code(), ErrorCode::deadline_exceeded) << error.what();
    EXPECT_NE(error.node(), "");
    EXPECT_EQ(error.model(), "test.onnx");
    EXPECT_GE(steady_clock::now(), *options.deadline);
    EXPECT_LT(steady_clock::now() - start, std::chrono::seconds(20));

    options.deadline = steady_clock::now() + std::chrono::hours(1);
    EXPECT_THAT(model.run(trips(3), options)["end"].span<float>(), ElementsAre(3, 3));
  }
}

TEST(RunOptions, AnotherThreadCancels) {
  std::mt19937 random(17);
  for (const char* device : {"cpu", "sim:0,cpu"}) {
    Model model = model_of(counting());
    model.to(testing::device_first(device));
    for (int i = 0; i < 10; ++i) {
      const CancelToken token;
      RunOptions options;
      options.cancel = token;
      const auto delay = std::chrono::microseconds(random() % 20'000);
      std::thread canceller([copy = token, delay]() mutable {
        std::this_thread::sleep_for(delay);
        copy.cancel();
      });
      // A run beside it, of the same model, goes on to its end.
      std::thread neighbour(
          [&] { EXPECT_THAT(model.run(trips(50))["end"].span<float>(), ElementsAre(50, 50)); });
      const Error error = error_of([&] { (void)model.run(trips(kForever), options); });
      EXPECT_EQ(error.code(), ErrorCode::cancelled) << "seed 17, round " << i << error.what();
      canceller.join();
      neighbour.join();
      // The switch stays on.
      EXPECT_EQ(error_of([&] { (void)model.run(trips(1), options); }).code(), ErrorCode::cancelled);
    }
    EXPECT_THAT(model.run(trips(2))["end"].span<float>(), ElementsAre(2, 2));
  }
}

// Cancelled at any moment of a run that queues work on a device, the result is outputs or an Error,
// and the inputs may be freed at once.
TEST(RunOptions, CancellingRacesWithTheEndOfARun) {
  std::mt19937 random(23);
  Model model = model_of(branches());
  model.to(Device("sim:0"));
  int done = 0, cancelled = 0;
  for (int i = 0; i < 200; ++i) {
    CancelToken token;
    RunOptions options;
    options.cancel = token;
    std::thread canceller([&token, delay = random() % 400] {
      std::this_thread::sleep_for(std::chrono::microseconds(delay));
      token.cancel();
    });
    try {
      const Outputs outputs = model.run({{"x", Tensor::full({1000}, -3)}}, options);
      EXPECT_EQ(outputs["right"].span<float>()[999], 3);
      ++done;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::cancelled) << error.what();
      ++cancelled;
    }
    canceller.join();
  }
  EXPECT_EQ(done + cancelled, 200);
}

}  // namespace
}  // namespace ferry
