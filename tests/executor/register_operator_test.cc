#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "devices/device.h"
#include "executor/plan/registered_kernel.h"
#include "ferry/ferry.h"
#include "tests/support/model_of.h"
#include "tests/support/requests.h"

// Operators of the application: register_operator and what follows from it. Registrations last as
// long as the process, so each test has names of its own.
namespace ferry {
namespace {

using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using testing::model_of;
using testing::ModelBuilder;

void same_as_input(OperatorInference& node) { node.set_output(0, node.dtype(0), node.shape(0)); }

// y = x + 1, float32.
void add_one(OperatorCall& call) {
  const auto x = call.input(0).span<float>();
  const auto y = call.output(0).mutable_span<float>();
  for (size_t i = 0; i < x.size(); ++i) y[i] = x[i] + 1;
}

OperatorDefinition named(const std::string& name) {
  return {.domain = "my.domain",
          .name = name,
          .infer = same_as_input,
          .kernels = {{DeviceKind::cpu, {float32}, add_one}}};
}

// x -> `name` -> y, both float32[n].
ModelBuilder model_with(const std::string& name, int version = 1) {
  ModelBuilder builder;
  builder.import("my.domain", version);
  builder.input("x", float32, {"n"}).output("y", float32, {"n"});
  builder.node(name, {"x"}, {"y"}).domain("my.domain").name("own");
  return builder;
}

TEST(RegisterOperator, ModelsThatAreLoadedAfterwardsHaveIt) {
  EXPECT_THAT(error_of([] { (void)model_of(model_with("First")); }).what(),
              HasSubstr("knows no operator of the domain 'my.domain'"));
  register_operator(named("First"));
  const Model model = model_of(model_with("First"));
  EXPECT_THAT(model.run({{"x", Tensor::from({1, 2})}})["y"].span<float>(), ElementsAre(2, 3));
  EXPECT_THAT(model.graph(), HasSubstr("my.domain.First("));
  EXPECT_THAT(error_of([] { (void)model_of(model_with("Frist")); }).what(),
              HasSubstr("Did you mean 'First'?"));
  bool listed = false;
  for (const OperatorInfo& info : operators()) {
    if (info.op != "my.domain.First") continue;
    listed = true;
    EXPECT_THAT(info.devices, ElementsAre(DeviceKind::cpu));
    EXPECT_THAT(info.dtypes, ElementsAre("float32"));
  }
  EXPECT_TRUE(listed);
}

TEST(RegisterOperator, WithoutAKernelOnTheDeviceANodeIsOnTheCpuForThatReason) {
  register_operator(named("HostOnly"));
  ModelBuilder builder;
  builder.import("my.domain", 1);
  builder.input("x", float32, {"n"}).output("y", float32, {"n"});
  builder.node("Neg", {"x"}, {"a"});
  builder.node("HostOnly", {"a"}, {"b"}).domain("my.domain").name("own");
  builder.node("Abs", {"b"}, {"y"});
  Model model = model_of(builder);
  const Error error = error_of([&] { model.to(Device("sim:0")); });
  EXPECT_EQ(error.code(), ErrorCode::placement);
  EXPECT_THAT(error.what(), HasSubstr("own"));
  EXPECT_THAT(error.what(), HasSubstr("no_kernel"));

  model.to(testing::device_first("sim:0,cpu"));
  const NodePlacement& own = model.placement().nodes().at(1);
  EXPECT_EQ(own.op, "my.domain.HostOnly");
  EXPECT_TRUE(own.device.is_cpu());
  EXPECT_EQ(own.reason, "no_kernel");
  EXPECT_EQ(own.detail, "no kernel is registered for my.domain.HostOnly");
  const Outputs outputs = model.run({{"x", Tensor::from({1, 5})}}, {.check_ledger = true});
  EXPECT_THAT(outputs["y"].span<float>(), ElementsAre(0, 4));
}

TEST(RegisterOperator, AttributesHaveTheirTypesAndDefaults) {
  OperatorDefinition definition = named("Attributes");
  definition.attributes = {{"count", int64_t{7}},
                           {"factor", 0.5f},
                           {"mode", std::string("soft")},
                           {"axes", std::vector<int64_t>{1, 2}},
                           {"scales", std::vector<float>{1, 0.25f}},
                           {"names", std::vector<std::string>{"a", "b"}},
                           {"table", Tensor::from({4, 5})},
                           {"must", int64_t{0}, /*required=*/true}};
  static std::string seen;
  definition.kernels[0].run = [](OperatorCall& call) {
    const OperatorAttributes& a = call.attributes();
    seen = std::to_string(a.get<int64_t>("count")) + " " + std::to_string(a.get<float>("factor")) +
           " " + a.get<std::string>("mode") + " " +
           to_string(std::span(a.get<std::vector<int64_t>>("axes"))) + " " +
           std::to_string(a.get<std::vector<float>>("scales").at(1)) + " " +
           a.get<std::vector<std::string>>("names").back() + " " + a.get<Tensor>("table").str() +
           " " + std::to_string(a.get<int64_t>("must"));
    EXPECT_THROW((void)a.get<float>("count"), Error);
    EXPECT_THROW((void)a.get<float>("none"), Error);
    EXPECT_EQ(a.find("none"), nullptr);
    add_one(call);
  };
  register_operator(definition);
  const Inputs inputs{{"x", Tensor::from({1})}};

  ModelBuilder defaults = model_with("Attributes");
  defaults.graph()->mutable_node(0)->clear_attribute();
  testing::NodeBuilder(defaults.graph()->mutable_node(0)).attr("must", 3);
  (void)model_of(defaults).run(inputs);
  EXPECT_EQ(seen, "7 0.500000 soft [1, 2] 0.250000 b tensor([4., 5.]) 3");

  ModelBuilder given = model_with("Attributes");
  testing::NodeBuilder node(given.graph()->mutable_node(0));
  node.attr("must", 1).attr("count", 2).attr("factor", 3.0f).attr("mode", "hard");
  node.attr("axes", std::vector<int64_t>{0}).attr("scales", std::vector<float>{9, 8});
  node.texts("names", {"z"});
  testing::set_tensor<float>(node.tensor("table"), {6}, {1}, float32);
  (void)model_of(given).run(inputs);
  EXPECT_EQ(seen, "2 3.000000 hard [0] 8.000000 z tensor([6.]) 1");

  EXPECT_THAT(error_of([] { (void)model_of(model_with("Attributes")); }).what(), HasSubstr("must"));
  ModelBuilder wrong = model_with("Attributes");
  testing::NodeBuilder(wrong.graph()->mutable_node(0)).attr("must", 1.5f);
  EXPECT_THAT(error_of([&] { (void)model_of(wrong); }).what(), HasSubstr("must"));
  ModelBuilder unknown = model_with("Attributes");
  testing::NodeBuilder(unknown.graph()->mutable_node(0)).attr("must", 1).attr("muts", 1);
  EXPECT_THAT(error_of([&] { (void)model_of(unknown); }).what(), HasSubstr("muts"));
}

TEST(RegisterOperator, ShapesGoThroughAsSymbols) {
  OperatorDefinition definition = named("Halve");  // [n, 2*k] -> [n, k, n + 1]
  definition.infer = [](OperatorInference& node) {
    if (node.dtype(0) != float32 && node.dtype(0) != undefined) node.fail("x must be float32.");
    const auto shape = node.shape(0);
    if (!shape) return node.set_output(0, node.dtype(0), std::nullopt);
    if (shape->size() != 2) node.fail("x must have 2 axes.");
    const Dimension &n = (*shape)[0], &m = (*shape)[1];
    node.set_output(0, node.dtype(0), Dimensions{n, m / 2, n + 1});
  };
  definition.kernels[0].run = [](OperatorCall& call) {
    const Tensor& x = call.input(0);
    Tensor& y = call.output(0);
    EXPECT_EQ(y.shape(), (Shape{x.size(0), x.size(1) / 2, x.size(0) + 1}));
    for (float& value : y.mutable_span<float>()) value = 1;
  };
  register_operator(definition);
  ModelBuilder builder;
  builder.import("my.domain", 1);
  builder.input("x", float32, {"n", 6}).untyped_output("y");
  builder.node("Halve", {"x"}, {"y"}).domain("my.domain").name("own");
  const Model model = model_of(builder);
  EXPECT_EQ(model.outputs()[0].str(), "float32[n, 3, n + 1]");
  EXPECT_EQ(model.run({{"x", Tensor::zeros({2, 6})}})["y"].shape(), (Shape{2, 3, 3}));

  ModelBuilder wrong;
  wrong.import("my.domain", 1);
  wrong.input("x", float32, {"n"}).untyped_output("y");
  wrong.node("Halve", {"x"}, {"y"}).domain("my.domain").name("own");
  const Error error = error_of([&] { (void)model_of(wrong); });
  EXPECT_EQ(error.code(), ErrorCode::invalid_model);
  EXPECT_EQ(error.node(), "own");
  EXPECT_EQ(error.op(), "my.domain.Halve");
}

TEST(RegisterOperator, AKernelMayChooseASizeThatTheRuleLeavesOpen) {
  OperatorDefinition definition = named("Positive");  // the elements above 0
  definition.max_inputs = 2;
  definition.infer = [](OperatorInference& node) {
    node.set_output(0, node.dtype(0), Dimensions{Dimension::unknown()});
  };
  definition.kernels[0].run = [](OperatorCall& call) {
    EXPECT_FALSE(call.has_input(1));
    std::vector<float> kept;
    for (const float x : call.input(0).span<float>()) {
      if (x > 0) kept.push_back(x);
    }
    EXPECT_THROW((void)call.output(0), Error);
    EXPECT_THROW((void)call.output(0, Shape{1, 1}), Error);
    EXPECT_THROW((void)call.input(1), Error);
    const auto y = call.output(0, {static_cast<int64_t>(kept.size())}).mutable_span<float>();
    std::ranges::copy(kept, y.begin());
  };
  register_operator(definition);
  ModelBuilder builder;
  builder.import("my.domain", 1);
  builder.input("x", float32, {"n"}).output("y", float32, {"m"});
  builder.node("Positive", {"x"}, {"a"}).domain("my.domain").name("own");
  builder.node("Neg", {"a"}, {"y"});
  for (const char* device : {"cpu", "sim:0,cpu"}) {
    Model model = model_of(builder);
    model.to(testing::device_first(device));
    for (int i = 0; i < 2; ++i) {
      EXPECT_THAT(model.run({{"x", Tensor::from({1, -2, 3})}})["y"].span<float>(),
                  ElementsAre(-1, -3));
      EXPECT_EQ(model.run({{"x", Tensor::from({-1, -2, -3})}})["y"].numel(), 0);
    }
  }
}

TEST(RegisterOperator, MistakesOfTheOperatorAreErrorsWithItsNode) {
  OperatorDefinition throwing = named("Throws");
  throwing.kernels[0].run = [](OperatorCall&) { throw std::runtime_error("no luck"); };
  register_operator(throwing);
  OperatorDefinition forgetful = named("Forgets");
  forgetful.infer = [](OperatorInference&) {};
  register_operator(forgetful);
  OperatorDefinition open = named("Open");
  open.infer = [](OperatorInference& node) {
    node.set_output(0, node.dtype(0), Dimensions{Dimension::unknown()});
  };
  open.kernels[0].run = [](OperatorCall&) {};
  register_operator(open);
  OperatorDefinition negative = named("Negative");
  negative.infer = [](OperatorInference& node) {
    node.set_output(0, node.dtype(0), Dimensions{Dimension(-2)});
  };
  register_operator(negative);

  const Inputs inputs{{"x", Tensor::from({1})}};
  Error error = error_of([&] { (void)model_of(model_with("Throws")).run(inputs); });
  EXPECT_EQ(error.code(), ErrorCode::runtime);
  EXPECT_EQ(error.node(), "own");
  EXPECT_THAT(error.what(), HasSubstr("no luck"));
  EXPECT_THAT(error_of([&] { (void)model_of(model_with("Forgets")); }).what(),
              HasSubstr("did not set output 0"));
  EXPECT_THAT(error_of([&] { (void)model_of(model_with("Open")).run(inputs); }).what(),
              HasSubstr("gave output 0 no shape"));
  EXPECT_THAT(error_of([&] { (void)model_of(model_with("Negative")); }).what(),
              HasSubstr("the size -2"));
}

TEST(RegisterOperator, TypesVersionsAndNumbersAreChecked) {
  OperatorDefinition definition = named("Strict");
  definition.since_version = 3;
  register_operator(definition);
  EXPECT_EQ(model_of(model_with("Strict", 3)).run({{"x", Tensor::from({1})}})["y"].numel(), 1);
  EXPECT_EQ(model_of(model_with("Strict", 900)).run({{"x", Tensor::from({1})}})["y"].numel(), 1);
  EXPECT_THAT(error_of([] { (void)model_of(model_with("Strict", 2)); }).what(),
              HasSubstr("exists from opset 3 on"));
  ModelBuilder two = model_with("Strict", 3);
  two.graph()->mutable_node(0)->add_input("x");
  EXPECT_THAT(error_of([&] { (void)model_of(two); }).what(), HasSubstr("2 inputs"));

  ModelBuilder ints;
  ints.import("my.domain", 3);
  ints.input("x", int64, {"n"}).output("y", int64, {"n"});
  ints.node("Strict", {"x"}, {"y"}).domain("my.domain").name("own");
  const Error error = error_of([&] { (void)model_of(ints); });
  EXPECT_THAT(error.what(), HasSubstr("input 0 is int64"));
}

TEST(RegisterOperator, OnlyDeterministicNodesAreMergedAndFolded) {
  static std::atomic<int> runs;
  const auto counting = [](OperatorCall& call) {
    ++runs;
    add_one(call);
  };
  for (const bool deterministic : {true, false}) {
    OperatorDefinition definition = named(deterministic ? "Repeats" : "Rolls");
    definition.deterministic = deterministic;
    definition.kernels[0].run = counting;
    register_operator(definition);
    ModelBuilder builder;
    builder.import("my.domain", 1);
    builder.input("x", float32, {1}).output("y", float32, {1});
    builder.initializer<float>("c", {1}, {1});
    for (const char* output : {"a", "b"}) {
      builder.node(definition.name, {"x"}, {output}).domain("my.domain");
    }
    builder.node(definition.name, {"c"}, {"d"}).domain("my.domain");
    builder.node("Sum", {"a", "b", "d"}, {"y"});
    const Model model = model_of(builder);
    runs = 0;
    EXPECT_THAT(model.run({{"x", Tensor::from({4})}})["y"].span<float>(), ElementsAre(12));
    EXPECT_EQ(runs, deterministic ? 1 : 3);
  }
}

TEST(RegisterOperator, RefusesWhatCannotWork) {
  register_operator(named("Taken"));
  struct Case {
    const char* text;
    std::function<void(OperatorDefinition&)> spoil;
  };
  const Case kCases[] = {
      {"registered once", [](auto& d) { d.name = "Taken"; }},
      {"registered once", [](auto& d) { d = named("FusedMatMul"), d.domain = "com.microsoft"; }},
      {"domain of ONNX", [](auto& d) { d.domain = "ai.onnx.ml"; }},
      {"domain of ONNX", [](auto& d) { d.domain = "ai.onnx"; }},
      {"needs a domain", [](auto& d) { d.domain = ""; }},
      {"needs a domain", [](auto& d) { d.name = "a b"; }},
      {"since_version", [](auto& d) { d.since_version = 0; }},
      {"impossible numbers", [](auto& d) { d.max_inputs = 0; }},
      {"impossible numbers", [](auto& d) { d.min_outputs = 0; }},
      {"no shape rule", [](auto& d) { d.infer = nullptr; }},
      {"without a function", [](auto& d) { d.kernels[0].run = nullptr; }},
      {"kernel for sim", [](auto& d) { d.kernels[0].device = DeviceKind::sim; }},
      {"two kernels",
       [](auto& d) {
         d.kernels.push_back({DeviceKind::cpu, {}, add_one});
       }},
      {"two kernels",
       [](auto& d) {
         d.kernels.push_back({DeviceKind::cpu, {int8, float32}, add_one});
       }},
      {"two attributes",
       [](auto& d) {
         d.attributes = {{"a", 1.0f}, {"a", 2.0f}};
       }},
      {"proper name",
       [](auto& d) {
         d.attributes = {{"", 1.0f}};
       }},
  };
  for (const Case& c : kCases) {
    OperatorDefinition definition = named("Refused");
    c.spoil(definition);
    const Error error = error_of([&] { register_operator(definition); });
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    EXPECT_THAT(error.what(), HasSubstr(c.text));
  }
  register_operator(named("Refused"));  // nothing of it was kept
}

TEST(RegisterOperator, ThreadsMayRegisterAndRun) {
  std::vector<std::thread> threads;
  std::atomic<int> refused{0};
  for (int k = 0; k < 4; ++k) {
    threads.emplace_back([&, k] {
      const std::string name = "Thread" + std::to_string(k);
      register_operator(named(name));
      const Model model = model_of(model_with(name));
      EXPECT_THAT(model.run({{"x", Tensor::from({1})}})["y"].span<float>(), ElementsAre(2));
      try {
        register_operator(named("Contended"));
      } catch (const Error&) {
        ++refused;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(refused, 3);
}

// The CUDA row, as the executor uses it: device addresses and the stream reach the kernel.
TEST(RegisterOperator, CudaKernelsGetDeviceTensorsAndTheStream) {
  OperatorDefinition definition = named("OnGpu");
  static void* stream_seen;
  static Device device_seen;
  static const void *in_seen, *out_seen;
  definition.kernels.push_back({DeviceKind::cuda, {float32}, [](OperatorCall& call) {
                                  stream_seen = call.stream();
                                  device_seen = call.input(0).device();
                                  in_seen = call.input(0).data();
                                  out_seen = call.output(0).data();
                                  EXPECT_THROW((void)call.input(0).span<float>(), Error);
                                }});
  register_operator(definition);
  // An emulated device stands in for the GPU: the row does not look at its memory.
  class FakePrepare : public Prepare {
   public:
    void set_workspace(size_t) override {}
    ThreadPool& threads() override { return pool; }
    ThreadPool pool{1};
    DeviceBackend* backend() const override { return &ferry::backend(Device("sim:0")); }
    std::shared_ptr<const void> cached(int, std::string_view,
                                       FunctionRef<std::shared_ptr<const void>()> make) override {
      return make();
    }
  } prepare;
  const Attributes attributes;
  TensorFacts facts{.present = true, .dtype = float32, .has_shape = true, .shape = {2}};
  const NodeFacts node{"my.domain.OnGpu", &attributes, {facts}, {facts}};
  Support why;
  const RegisteredOperator& entry = *find_registered(node.op);
  EXPECT_EQ(registered_kernel(entry, DeviceKind::sim, node, &why), nullptr);
  EXPECT_EQ(why.reason, ReasonCode::no_kernel);
  const Kernel* kernel = registered_kernel(entry, DeviceKind::cuda, node, &why);
  ASSERT_NE(kernel, nullptr);
  const auto state = kernel->prepare(node, prepare);
  const Tensor x = Tensor::zeros({2}, float32, Device("sim:0"));
  const Tensor y = Tensor::zeros({2}, float32, Device("sim:0"));
  const auto stream = prepare.backend()->create_stream();
  const void* inputs[] = {x.data()};
  void* outputs[] = {const_cast<void*>(y.data())};
  RunContext context;
  context.inputs = inputs;
  context.outputs = outputs;
  context.stream = stream.get();
  kernel->run(state.get(), context);
  EXPECT_EQ(stream_seen, stream->native());
  EXPECT_EQ(device_seen, Device("sim:0"));
  EXPECT_EQ(in_seen, x.data());
  EXPECT_EQ(out_seen, y.data());
}

}  // namespace
}  // namespace ferry
