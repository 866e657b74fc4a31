#include <gmock/gmock.h>

#include <thread>

#include "devices/copy.h"
#include "ferry/ferry.h"
#include "tests/support/model_of.h"
#include "tests/support/requests.h"

namespace ferry {
namespace {

using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::model_of;
using testing::ModelBuilder;

const char* const kDevices[] = {"cpu", "sim:0"};

// y = Relu(x * w + w)
ModelBuilder scale_model() {
  ModelBuilder builder;
  builder.input("x", float32, {"batch", 3}).output("y", float32, {"batch", 3});
  builder.initializer<float>("w", {1, -2, 3}, {3});
  builder.node("Mul", {"x", "w"}, {"a"});
  builder.node("Add", {"a", "w"}, {"b"});
  builder.node("Relu", {"b"}, {"y"}).name("last");
  return builder;
}

TEST(Model, PlansEachShapeOnce) {
  for (const char* device : kDevices) {
    Model model = model_of(scale_model());
    model.to(Device(device));
    for (int i = 0; i < 3; ++i) {
      for (const int64_t batch : {1, 4}) {
        const Outputs y = model.run({{"x", Tensor::full({batch, 3}, 2)}});
        EXPECT_EQ(y["y"].shape(), (Shape{batch, 3}));
        EXPECT_EQ(y["y"].span<float>()[0], 3);
        EXPECT_EQ(y["y"].span<float>()[1], 0);
      }
    }
    EXPECT_EQ(model.plans_made(), 2);
  }
}

TEST(Model, RefusesWrongInputsWithTheWayOut) {
  const Model model = model_of(scale_model());
  struct Case {
    Inputs inputs;
    ErrorCode code;
    const char* text;
  };
  const Case kCases[] = {
      {{{"X1", Tensor::zeros({1, 3})}}, ErrorCode::not_found, "Did you mean 'x'?"},
      {{}, ErrorCode::not_found, "input 'x' wants float32[batch, 3], and none was given"},
      {{{"x", Tensor::zeros({1, 3}, int64)}}, ErrorCode::invalid_argument, "not int64. Convert it"},
      {{{"x", Tensor::zeros({3})}}, ErrorCode::invalid_argument, "not shape [3]"},
      {{{"x", Tensor::zeros({1, 4})}}, ErrorCode::invalid_argument, "axis 1 must be 3"},
  };
  for (const Case& c : kCases) {
    const Error error = error_of([&] { (void)model.run(c.inputs); });
    EXPECT_EQ(error.code(), c.code) << error.what();
    EXPECT_THAT(error.what(), HasSubstr(c.text));
    EXPECT_EQ(error.model(), "test.onnx");
  }
}

TEST(Model, OneSymbolHasOneSize) {
  ModelBuilder builder;
  builder.input("a", float32, {"n"}).input("b", float32, {"n"}).output("y", float32, {"n"});
  builder.node("Add", {"a", "b"}, {"y"});
  const Model model = model_of(builder);
  EXPECT_THAT(error_of([&] {
                (void)model.run({{"a", Tensor::zeros({2})}, {"b", Tensor::zeros({3})}});
              }).what(),
              HasSubstr("'n' is 2 in input 'a'"));
}

TEST(Model, InputsMayBeOnAnyDevice) {
  const Tensor x = Tensor::full({2, 3}, 1);
  for (const char* device : kDevices) {
    for (const char* from : kDevices) {
      Model model = model_of(scale_model());
      model.to(Device(device));
      RunReport report;
      const Outputs y =
          model.run({{"x", x.to(Device(from))}}, {.check_ledger = true, .report = &report});
      EXPECT_THAT(y["y"].span<float>(), ElementsAre(2, 0, 6, 2, 0, 6)) << device << " " << from;
      size_t feeds = 0;
      for (const RunReport::Copy& copy : report.copies) feeds += copy.value == "x";
      EXPECT_EQ(feeds, std::string(device) == from ? 0u : 1u);
    }
  }
}

TEST(Model, OutputsGoWhereTheyAreWanted) {
  Model model = model_of(scale_model());
  PlacementRequest request = testing::device_first("sim:0");
  request.outputs_on = request.device;
  model.to(request);
  RunReport report;
  const Outputs y =
      model.run({{"x", Tensor::full({1, 3}, 1)}}, {.check_ledger = true, .report = &report});
  EXPECT_EQ(y["y"].device().str(), "sim:0");
  EXPECT_EQ(y["y"].str(), "tensor([[2., 0., 6.]], device='sim:0')");
  EXPECT_EQ(report.copies.size(), 1u);
}

TEST(Model, OutputsAreMemoryOfTheirOwn) {
  ModelBuilder builder;
  builder.input("x", float32, {2}).output("same", float32, {2}).output("w", float32, {2});
  builder.output("view", float32, {1, 2});
  builder.initializer<float>("w", {1, 2}, {2}).initializer<int64_t>("s", {1, 2}, {2});
  builder.node("Identity", {"x"}, {"same"});
  builder.node("Reshape", {"x", "s"}, {"view"});
  for (const char* device : kDevices) {
    Model model = model_of(builder);
    model.to(Device(device));
    Tensor x = Tensor::from({5, 6});
    Outputs y = model.run({{"x", x}}, {.check_ledger = true});
    x.mutable_span<float>()[0] = 9;
    EXPECT_THAT(y["same"].span<float>(), ElementsAre(5, 6));
    EXPECT_THAT(y["view"].span<float>(), ElementsAre(5, 6));
    Tensor w = y["w"];
    w.mutable_span<float>()[0] = 9;
    EXPECT_THAT(model.run({{"x", x}})["w"].span<float>(), ElementsAre(1, 2));
  }
}

TEST(Model, ShapesThatOnlyDataKnows) {
  // The values of x that are not zero, doubled, and how many they are.
  ModelBuilder builder;
  builder.input("x", float32, {"n"}).output("y", float32, {"m"}).output("count", int64, {1});
  builder.initializer<float>("two", {2}, {}).initializer<int64_t>("last", {-1}, {1});
  builder.node("NonZero", {"x"}, {"i"});
  builder.node("Reshape", {"i", "last"}, {"flat"});
  builder.node("Gather", {"x", "flat"}, {"kept"});
  builder.node("Mul", {"kept", "two"}, {"y"});
  builder.node("Shape", {"kept"}, {"count"});
  for (const char* device : kDevices) {
    Model model = model_of(builder);
    model.to(testing::device_first(std::string(device) == "cpu" ? "cpu" : "sim:0,cpu"));
    const Outputs some = model.run({{"x", Tensor::from({0, 3, 0, 4, 5})}}, {.check_ledger = true});
    EXPECT_THAT(some["y"].span<float>(), ElementsAre(6, 8, 10)) << device;
    EXPECT_EQ(some["count"].item(), 3);
    const Outputs none = model.run({{"x", Tensor::from({0, 0, 0, 0, 0})}});
    EXPECT_EQ(none["y"].numel(), 0);
    EXPECT_EQ(model.plans_made(), 1);
  }
}

// NonZero reads its count back: in the report of the placement, and in that of the run.
TEST(Model, WhatAKernelReadsBackIsInThePlan) {
  ModelBuilder builder;
  builder.input("n", int64, {}).input("x", float32, {6}).output("sum", int64, {1, 1});
  builder.initializer<int64_t>("zero", {0}, {1, 1});
  testing::NodeBuilder node = builder.node("Loop", {"n", "", "zero"}, {"sum"}).name("loop");
  testing::GraphProtoBuilder body(node.graph("body"));
  body.input("i", int64, {}).input("going", boolean, {}).input("before", int64, {1, 1});
  body.node("Identity", {"going"}, {"on"});
  body.node("NonZero", {"x"}, {"places"}).name("find");
  body.node("ReduceSum", {"places"}, {"added"});
  body.node("Add", {"before", "added"}, {"after"});
  body.output("on", boolean, {}).output("after", int64, {1, 1});
  Model model = model_of(builder);
  model.to(testing::device_first("sim:0,cpu"));
  const auto& copies = model.placement().copies();
  const auto planned = std::ranges::find(copies, "read_back", &CopyPlacement::kind);
  ASSERT_NE(planned, copies.end());
  EXPECT_EQ(planned->value, "loop/places");
  EXPECT_EQ(planned->bytes.value, 4);
  EXPECT_EQ(planned->when, "trip");
  EXPECT_THAT(planned->producer, HasSubstr("find"));
  RunReport report;
  const Outputs out =
      model.run({{"n", Tensor::scalar<int64_t>(3)}, {"x", Tensor::from({1, 0, 0, 0, 5, 0})}},
                {.check_ledger = true, .report = &report});
  EXPECT_EQ(out["sum"].item(), 12);
  const auto made = std::ranges::find(report.copies, true, &RunReport::Copy::by_kernel);
  ASSERT_NE(made, report.copies.end());
  EXPECT_EQ(made->value, "loop/places");
  EXPECT_EQ(made->from, Device("sim:0"));
  EXPECT_EQ(made->bytes, 12);
  EXPECT_EQ(made->times, 3);
}

// The tables of Resize: uploaded once where the sizes are known, in the run where data decides.
TEST(Model, TablesOfAKernelAreInThePlan) {
  ModelBuilder builder;
  builder.input("x", float32, {1, 1, 2, 2}).input("sizes", int64, {4});
  builder.output("y", float32, {1, 1, "h", "w"}).output("z", float32, {1, 1, 4, 4});
  builder.initializer<int64_t>("twice", {1, 1, 4, 4}, {4});
  builder.node("Resize", {"x", "", "", "sizes"}, {"y"}).name("late");
  builder.node("Resize", {"x", "", "", "twice"}, {"z"}).name("early");
  Model model = model_of(builder);
  model.to(Device("sim:0"));
  std::map<std::string, CopyPlacement> tables;
  for (const CopyPlacement& copy : model.placement().copies()) {
    if (copy.kind == "table") tables[copy.value] = copy;
  }
  ASSERT_EQ(tables.size(), 2u);
  EXPECT_EQ(tables["z"].when, "load");
  EXPECT_GT(tables["z"].bytes.value, 0);
  EXPECT_EQ(tables["y"].when, "run");
  EXPECT_EQ(tables["y"].bytes.expression, "?");
  const auto uploads = [&](std::vector<int64_t> sizes) {
    RunReport report;
    const Outputs out = model.run({{"x", Tensor::from({{1, 2}, {3, 4}}).reshape({1, 1, 2, 2})},
                                   {"sizes", Tensor::from(sizes)}},
                                  {.check_ledger = true, .report = &report});
    EXPECT_EQ(out["y"].shape(), sizes);
    return std::ranges::count(report.copies, true, &RunReport::Copy::by_kernel);
  };
  EXPECT_EQ(uploads({1, 1, 4, 2}), 1);
  EXPECT_EQ(uploads({1, 1, 4, 2}), 0);  // prepared already
  EXPECT_EQ(uploads({1, 1, 2, 6}), 1);
}

// What a step prepared in one run serves the next one only if nothing changed that it looked at.
TEST(Model, HostContentsOfEveryRunCount) {
  ModelBuilder builder;
  builder.input("x", float32, {"n"}).input("shape", int64, {2}).input("first", int64, {1});
  builder.output("y", float32, {"a", "b"}).output("rest", float32, {"m"});
  builder.initializer<int64_t>("end", {INT64_MAX}, {1});
  builder.node("Reshape", {"x", "shape"}, {"y"});
  builder.node("Slice", {"x", "first", "end"}, {"rest"});
  for (const char* device : kDevices) {
    Model model = model_of(builder);
    model.to(Device(device));
    Tensor x = Tensor::from({1, 2, 3, 4, 5, 6});
    Tensor shape = Tensor::from({2, 3}, int64), first = Tensor::from({4}, int64);
    const auto run = [&] {
      return model.run({{"x", x}, {"shape", shape}, {"first", first}}, {.check_ledger = true});
    };
    EXPECT_EQ(run()["y"].shape(), (Shape{2, 3})) << device;
    EXPECT_THAT(run()["rest"].span<float>(), ElementsAre(5, 6));
    // The same tensors with other elements.
    shape.mutable_span<int64_t>()[0] = 6;
    shape.mutable_span<int64_t>()[1] = 1;
    first.mutable_span<int64_t>()[0] = 3;
    x.mutable_span<float>()[5] = 9;
    EXPECT_EQ(run()["y"].shape(), (Shape{6, 1})) << device;
    EXPECT_THAT(run()["rest"].span<float>(), ElementsAre(4, 5, 9));
    // Refused, and right again afterwards.
    shape.mutable_span<int64_t>()[0] = 4;
    EXPECT_THROW(run(), Error);
    shape = Tensor::from({1, 6}, int64);
    EXPECT_EQ(run()["y"].shape(), (Shape{1, 6})) << device;
  }
}

// y = If(sum(x) > 0) { x + w } else { x - w }; w is captured from outside.
ModelBuilder branching() {
  ModelBuilder builder;
  builder.input("x", float32, {3}).output("y", float32, {3});
  builder.initializer<float>("w", {10, 20, 30}, {3}).initializer<float>("zero", {0}, {1});
  builder.node("ReduceSum", {"x"}, {"sum"}).attr("keepdims", 0);
  builder.node("Greater", {"sum", "zero"}, {"c1"});
  builder.initializer<int64_t>("scalar", {}, {0});
  builder.node("Reshape", {"c1", "scalar"}, {"c"});
  testing::NodeBuilder node = builder.node("If", {"c"}, {"y"});
  const auto branch = [&](const char* name, const char* op) {
    testing::GraphProtoBuilder body(node.graph(name));
    body.node(op, {"x", "w"}, {std::string(op) + "_out"});
    body.untyped_output(std::string(op) + "_out");
  };
  branch("then_branch", "Add");
  branch("else_branch", "Sub");
  return builder;
}

TEST(Model, BranchesWithCaptures) {
  for (const char* device : kDevices) {
    Model model = model_of(branching());
    model.to(testing::device_first(std::string(device) == "cpu" ? "cpu" : "sim:0,cpu"));
    for (int i = 0; i < 2; ++i) {
      EXPECT_THAT(
          model.run({{"x", Tensor::from({1, 2, 3})}}, {.check_ledger = true})["y"].span<float>(),
          ElementsAre(11, 22, 33));
      EXPECT_THAT(
          model.run({{"x", Tensor::from({-1, -2, -3})}}, {.check_ledger = true})["y"].span<float>(),
          ElementsAre(-11, -22, -33));
    }
  }
}

// total, all = Loop(n) { total += w * (i + 1); emit total }
ModelBuilder looping() {
  ModelBuilder builder;
  builder.input("n", int64, {}).input("start", float32, {2});
  builder.output("total", float32, {2}).output("all", float32, {"n", 2});
  builder.initializer<float>("w", {1, 10}, {2});
  testing::NodeBuilder node = builder.node("Loop", {"n", "", "start"}, {"total", "all"});
  testing::GraphProtoBuilder body(node.graph("body"));
  body.input("i", int64, {}).input("going", boolean, {}).input("before", float32, {2});
  body.node("Cast", {"i"}, {"f"}).attr("to", 1);
  body.initializer<float>("one", {1}, {});
  body.node("Add", {"f", "one"}, {"step"});
  body.node("Mul", {"w", "step"}, {"more"});
  body.node("Add", {"before", "more"}, {"after"});
  body.node("Identity", {"going"}, {"on"});
  body.node("Identity", {"after"}, {"slice"});
  body.output("on", boolean, {}).output("after", float32, {2}).output("slice", float32, {2});
  return builder;
}

TEST(Model, LoopsWithStateAndScanOutputs) {
  for (const char* device : kDevices) {
    Model model = model_of(looping());
    model.to(testing::device_first(std::string(device) == "cpu" ? "cpu" : "sim:0,cpu"));
    const Tensor start = Tensor::from({0, 0});
    const Outputs out =
        model.run({{"n", Tensor::scalar<int64_t>(3)}, {"start", start}}, {.check_ledger = true});
    EXPECT_THAT(out["total"].span<float>(), ElementsAre(6, 60)) << device;
    EXPECT_THAT(out["all"].span<float>(), ElementsAre(1, 10, 3, 30, 6, 60));
    const Outputs none = model.run({{"n", Tensor::scalar<int64_t>(0)}, {"start", start}});
    EXPECT_THAT(none["total"].span<float>(), ElementsAre(0, 0));
    EXPECT_EQ(none["all"].numel(), 0);
  }
}

TEST(Model, ErrorsOfARunNameTheNodeAndLeaveTheModelUsable) {
  ModelBuilder builder;
  builder.input("x", float32, {3}).input("i", int64, {1}).input("j", int64, {1});
  builder.output("y", float32, {1});
  builder.node("Gather", {"x", "i"}, {"a"}).name("first");
  builder.node("Gather", {"x", "j"}, {"b"}).name("second");
  builder.node("Add", {"a", "b"}, {"y"}).name("add");
  struct Case {
    int64_t i, j;
    const char *node, *text;
  };
  const Case kCases[] = {
      {7, 0, "first", "the index 7 is outside an axis of size 3"},
      {2, -4, "second", "the index -4 is outside an axis of size 3"},
  };
  for (const char* device : kDevices) {
    Model model = model_of(builder);
    model.to(Device(device));
    const auto run = [&](int64_t i, int64_t j) {
      return model.run({{"x", Tensor::from({1, 2, 3})},
                        {"i", Tensor::from(std::vector<int64_t>{i})},
                        {"j", Tensor::from(std::vector<int64_t>{j})}});
    };
    for (const Case& c : kCases) {
      SCOPED_TRACE(std::string(device) + " " + c.node);
      const Error error = error_of([&] { (void)run(c.i, c.j); });
      EXPECT_EQ(error.message(), c.text);
      EXPECT_EQ(error.code(), ErrorCode::runtime);
      EXPECT_EQ(error.node(), c.node);
      EXPECT_EQ(error.op(), "Gather");
      EXPECT_EQ(run(2, -3)["y"].item(), 4);
    }
  }
}

TEST(Model, ConcurrentRunsAgree) {
  for (const char* device : kDevices) {
    Model model = model_of(looping());
    model.to(testing::device_first(std::string(device) == "cpu" ? "cpu" : "sim:0,cpu"));
    std::vector<std::thread> threads;
    std::atomic<int> right{0};
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 10; ++i) {
          const Outputs out =
              model.run({{"n", Tensor::scalar<int64_t>(3)}, {"start", Tensor::from({t, 0})}});
          right += out["total"].span<float>()[0] == static_cast<float>(6 + t);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(right, 40);
  }
}

TEST(Model, ConvertsFloatsAndLeavesIntegers) {
  ModelBuilder builder;
  builder.input("x", float32, {2}).input("i", int64, {2}).output("y", float32, {2});
  builder.output("j", int64, {2});
  builder.initializer<float>("w", {0.5f, 3}, {2}).initializer<int64_t>("k", {1, 2}, {2});
  builder.node("Mul", {"x", "w"}, {"y"});
  builder.node("Add", {"i", "k"}, {"j"});
  for (const char* device : kDevices) {
    Model model = model_of(builder);
    model.to(float16).to(Device(device));
    EXPECT_EQ(model.inputs()[0].dtype, float16);
    EXPECT_EQ(model.inputs()[1].dtype, int64);
    const Outputs out =
        model.run({{"x", Tensor::from({1, 2}).half()}, {"i", Tensor::from({5, 6}, int64)}});
    EXPECT_EQ(out["y"].str(), "tensor([0.5000, 6.0000], dtype=torch.float16)");
    EXPECT_THAT(out["j"].span<int64_t>(), ElementsAre(6, 8));
  }
  EXPECT_EQ(error_of([&] { model_of(builder).to(int32); }).code(), ErrorCode::invalid_argument);
}

// y = Relu(x * w + b), h = Sigmoid(x * v) * (x * v), on every device with and without the rewrites.
TEST(Model, EpiloguesGiveWhatTheirNodesGive) {
  ModelBuilder builder;
  builder.input("x", float32, {"batch", 2}).output("y", float32, {"batch", 3});
  builder.output("h", float32, {"batch", 2});
  builder.initializer<float>("w", {1, -2, 3, -4, 5, -6}, {2, 3});
  builder.initializer<float>("b", {0.5f, -0.5f, 0.25f}, {3});
  builder.initializer<float>("v", {1, 2, 3, 4}, {2, 2});
  builder.node("MatMul", {"x", "w"}, {"p"}).name("product");
  builder.node("Add", {"p", "b"}, {"q"}).name("bias");
  builder.node("Relu", {"q"}, {"y"}).name("relu");
  builder.node("MatMul", {"x", "v"}, {"r"}).name("other");
  builder.node("Sigmoid", {"r"}, {"s"}).name("sigmoid");
  builder.node("Mul", {"r", "s"}, {"h"}).name("mul");
  for (const DType dtype : {float32, float64, float16}) {
    for (const char* device : kDevices) {
      Model fused = model_of(builder);
      Model apart = model_of(builder, {.disabled_rewrites = {"bias", "activation"}});
      const Tensor x = Tensor::from({{1, 2}, {-3, 1}, {0.5f, -0.25f}}).to(dtype);
      fused.to(dtype).to(Device(device));
      apart.to(dtype).to(Device(device));
      ASSERT_EQ(fused.placement().nodes().size(), 2u);
      EXPECT_THAT(fused.placement().nodes()[0].sources, ElementsAre("product", "bias", "relu"));
      EXPECT_THAT(fused.placement().nodes()[1].sources, ElementsAre("other", "sigmoid", "mul"));
      EXPECT_EQ(apart.placement().nodes().size(), 6u);
      const Outputs one = fused.run({{"x", x}}), other = apart.run({{"x", x}});
      for (const char* name : {"y", "h"}) {
        const Tensor a = one[name].to(float64), b = other[name].to(float64);
        for (int64_t i = 0; i < a.numel(); ++i) {
          EXPECT_NEAR(a.span<double>()[i], b.span<double>()[i], dtype == float16 ? 2e-2 : 1e-6);
        }
      }
    }
  }
}

TEST(Model, PartsOfASplitMayBeLeftOut) {
  ModelBuilder builder;
  builder.input("x", float32, {7}).output("y", float32, {4}).output("z", float32, {2});
  builder.initializer<int64_t>("sizes", {2, 1, 4}, {3});
  builder.node("Split", {"x", "sizes"}, {"", "", "y"}).name("ends");
  builder.node("Split", {"x", "sizes"}, {"z", "", ""}).name("starts");
  for (const char* device : kDevices) {
    Model model = model_of(builder);
    model.to(Device(device));
    const Outputs out = model.run({{"x", Tensor::from({0, 1, 2, 3, 4, 5, 6})}});
    EXPECT_THAT(out["y"].cpu().span<float>(), ElementsAre(3, 4, 5, 6));
    EXPECT_THAT(out["z"].cpu().span<float>(), ElementsAre(0, 1));
  }
}

TEST(Model, MovingKeepsTheParameters) {
  Model model = model_of(scale_model());
  model.to(Device("sim:0")).cpu();
  ASSERT_EQ(model.parameters().size(), 1u);
  EXPECT_THAT(model.parameters()["w"].span<float>(), ElementsAre(1, -2, 3));
  EXPECT_EQ(error_of([&] { model.cuda(99); }).code(), ErrorCode::device_missing);
  EXPECT_EQ(model.device(), Device::cpu());
}

TEST(Model, SameInputSameBits) {
  for (const char* device : kDevices) {
    Model model = model_of(scale_model());
    model.to(Device(device));
    const Tensor x = Tensor::full({7, 3}, 0.1);
    const Tensor first = model.run({{"x", x}})["y"], second = model.run({{"x", x}})["y"];
    EXPECT_TRUE(std::ranges::equal(first.span<float>(), second.span<float>()));
  }
}

TEST(Model, RefusesPlacementsThatAreNotItsOwn) {
  Model model = model_of(scale_model());
  const Model again = model_of(scale_model());
  ModelBuilder wider = scale_model();
  wider.node("Neg", {"y"}, {"z"});
  EXPECT_EQ(error_of([&] { model.to(Placement()); }).code(), ErrorCode::invalid_argument);
  const Placement before = model.placement();
  for (const Placement& foreign : {again.placement(), model_of(wider).placement()}) {
    const Error error = error_of([&] { model.to(foreign); });
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    EXPECT_THAT(error.what(), HasSubstr("Make it with plan() of this Model"));
  }
  model.to(float64);
  EXPECT_EQ(error_of([&] { model.to(before); }).code(), ErrorCode::invalid_argument);
  model.to(model.plan(PlacementRequest::parse("sim:0")));
  EXPECT_EQ(model.device(), Device("sim:0"));
}

TEST(Model, KeepsItsDtypeWhereItCannotBePlacedInAnother) {
  ModelBuilder builder;
  builder.input("x", float32, {1, 512}).output("y", float32, {1, 512});
  builder.initializer("w", std::vector<float>(512 * 512, 1), {512, 512});
  builder.node("MatMul", {"x", "w"}, {"y"});
  Model model = model_of(builder);
  PlacementRequest request = PlacementRequest::parse("sim:0");
  request.memory_limits[Device("sim:0")] = 3 << 19;  // for 1 MiB of weights, not for 2
  model.to(request);
  const Inputs inputs{{"x", Tensor::full({1, 512}, 2)}};
  EXPECT_THROW(model.to(float64), Error);
  EXPECT_EQ(model.inputs()[0].dtype, float32);
  EXPECT_EQ(model.run(inputs)["y"].span<float>()[0], 1024);
}

// Concurrent runs, and what they leave for the next, stay within a device's limit together.
TEST(Model, ConcurrentRunsShareAMemoryLimit) {
  constexpr Device kSim(DeviceKind::sim, 0);
  constexpr int64_t kLimit = 20 << 20;
  ModelBuilder builder;
  builder.input("x", float32, {"n"}).output("y", float32, {"n"});
  builder.node("Exp", {"x"}, {"a"});
  builder.node("ReduceSum", {"a"}, {"s"});
  builder.node("Div", {"a", "s"}, {"y"});
  Model model = model_of(builder);
  PlacementRequest request = PlacementRequest::parse("sim:0");
  request.memory_limits[kSim] = kLimit;
  request.dims["n"] = 1 << 20;
  model.to(request);
  reset_most_held(kSim);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      const int64_t n = (1 << 20) + i;  // each thread has a plan of its own
      for (int k = 0; k < 3; ++k) (void)model.run({{"x", Tensor::zeros({n})}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(held_bytes(kSim).most, kLimit / 2);
  EXPECT_LE(held_bytes(kSim).most, kLimit);
}

// A device's memory does not grow with the trips of a loop.
TEST(Model, LoopsHoldNoMoreForMoreTrips) {
  ModelBuilder builder(21);
  builder.input("x", float32, {512, 512}).output("y", float32, {512, 512});
  builder.initializer<int64_t>("trips", {400}, {1});
  testing::NodeBuilder loop = builder.node("Loop", {"trips", "", "x"}, {"y"});
  testing::GraphProtoBuilder body(loop.graph("body"));
  body.input("i", int64).input("go", boolean).input("v", float32, {512, 512});
  body.node("Identity", {"go"}, {"still"});
  body.node("Neg", {"v"}, {"next"});
  body.output("still", boolean).output("next", float32, {512, 512});
  Model model = model_of(builder);
  PlacementRequest request = PlacementRequest::parse("sim:0,cpu");
  request.policy = PlacementPolicy::device_first;
  model.to(request);
  RunReport report;
  const Outputs y =
      model.run({{"x", Tensor::full({512, 512}, 2)}}, {.trace = true, .report = &report});
  EXPECT_EQ(y["y"].span<float>()[0], 2);
  // Each trip writes 1 MiB there.
  EXPECT_LT(report.measured.peak_bytes[Device("sim:0")], int64_t{200} << 20);
}

}  // namespace
}  // namespace ferry
