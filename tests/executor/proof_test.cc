#include <gmock/gmock.h>

#include <functional>

#include "devices/emulation/emulation.h"
#include "executor/plan/facts.h"
#include "executor/run/evaluator.h"
#include "executor/session/model_impl.h"
#include "ferry/ferry.h"
#include "graph/infer.h"
#include "tests/support/fake_capability.h"
#include "tests/support/graph_builder.h"

// What a run proves of its placement, shown by plans that are wrong on purpose. For each wrong, the
// test says what catches it:
//   ledger    the copies that were made are not those of the placed graph
//   guard     the host touches device memory, and the emulated device ends the program with its
//             name
//   verifier  the plan cannot be made
//   data      the outputs are wrong under streams that are as late as they may be
namespace ferry {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Device kCpu, kSim(DeviceKind::sim, 0);

class Services : public PlanServices {
 public:
  Tensor constant_on(const Tensor& weight, Device device) override {
    return weights_.on(weight, device);
  }
  std::shared_ptr<const void> packed(const Tensor& weight, std::string_view layout,
                                     FunctionRef<std::shared_ptr<const void>()> make) override {
    return weights_.packed(weight, layout, make);
  }
  ThreadPool& threads() override { return pool_; }
  const WorkSite* site(const Node& node) override {
    return &sites_.try_emplace(node.name, WorkSite{node.name, node.op}).first->second;
  }

 private:
  ThreadPool pool_{1};
  WeightStore weights_;
  std::map<std::string, WorkSite> sites_;
};

// x -> Relu on sim:0 -> a -> Neg on cpu -> b -> Add of a weight on sim:0 -> y, which the caller
// gets on cpu: every value crosses.
Graph there_and_back() {
  GraphBuilder build;
  build.input("x", {2, 3});
  build.constant("w", Tensor::from({10, 20, 30}));
  build.node("Relu", {"x"}, {"a"});
  build.node("Neg", {"a"}, {"b"});
  build.node("Add", {"b", "w"}, {"y"});
  return build.outputs({"y"});
}

const Tensor& input() {
  static const Tensor tensor = Tensor::from({{1, 2, 3}, {4, 5, 6}});
  return tensor;
}
const std::vector<float> kRight = {9, 18, 27, 6, 15, 24};

// A placement of `graph` where sim:0 lacks `missing`.
Placement placed(const Graph& graph, const std::string& missing = "Neg") {
  FakeCapability capability;
  capability.missing[missing] = Support::no(ReasonCode::no_kernel, "by order of the test");
  PlacementRequest request;
  request.device = kSim;
  request.cpu_fallback = true;
  request.policy = PlacementPolicy::device_first;
  return place(graph, request, capability);
}

// A plan that can be changed, and what its run gives.
class Trial {
 public:
  explicit Trial(const Graph& graph, std::vector<Tensor> inputs = {input()})
      : inputs_(std::move(inputs)) {
    std::vector<Shape> shapes;
    for (const Tensor& tensor : inputs_) shapes.push_back(tensor.shape());
    plan_ = std::const_pointer_cast<Plan>(lower(with_input_shapes(graph, shapes), "", services_));
  }

  Plan& plan() { return *plan_; }
  SlotId slot(const std::string& name) const { return plan_->graph->find_value(name); }
  Slot& at(const std::string& name) { return plan_->slots[static_cast<size_t>(slot(name))]; }
  // The step that writes the value.
  Step& writer(const std::string& name) {
    return *std::ranges::find_if(plan_->steps, [&](const Step& step) {
      return std::ranges::find(step.outputs, slot(name)) != step.outputs.end();
    });
  }

  // The first output.
  std::vector<float> run() {
    return in_a_scope([&](RunState& state, RunScope& scope) {
      const std::vector<Tensor> outputs = state.run(inputs_, {}, scope);
      scope.finish();
      return outputs[0];
    });
  }
  // The same with these host values in pinned memory, to which copies do not wait for their end.
  std::vector<float> run_pinned(const std::vector<std::string>& names) {
    std::map<SlotId, Tensor> memory;
    for (const std::string& name : names) {
      at(name).home = SlotHome::output;
      memory[slot(name)] = Tensor::zeros(at(name).shape).pin_memory(kSim);
    }
    return in_a_scope([&](RunState& state, RunScope& scope) {
      state.bind(inputs_, memory, scope);
      state.run_bound(scope);
      scope.finish();
      return state.output(0).clone();
    });
  }
  const CopyLedger& ledger() const { return ledger_; }

 private:
  std::vector<float> in_a_scope(FunctionRef<Tensor(RunState&, RunScope&)> work) {
    RunState state(plan_, services_);
    RunScope scope;
    scope.services = &services_;
    ledger_ = CopyLedger();
    scope.ledger = &ledger_;
    const Tensor output = work(state, scope);
    const std::span<const float> values = output.span<float>();
    return {values.begin(), values.end()};
  }

  Services services_;
  std::vector<Tensor> inputs_;
  std::shared_ptr<Plan> plan_;
  CopyLedger ledger_;
};

// Streams do nothing until somebody waits, and then in an order that the seed decides.
void make_streams_late(uint64_t seed) {
  emulation::Config config;
  config.mode = emulation::StreamMode::lazy;
  config.seed = seed;
  emulation::configure(config);
}

class Proof : public ::testing::Test {
 protected:
  void SetUp() override { make_streams_late(0); }
  void TearDown() override { emulation::configure({}); }

  const Placement placement_ = placed(there_and_back());
};

TEST_F(Proof, TheLedgerOfARunIsTheReportEntryByEntry) {
  Trial run(placement_.data()->graph);
  EXPECT_EQ(run.run(), kRight);
  EXPECT_THAT(run.ledger().difference(), IsEmpty());
  std::vector<std::string> made, reported;
  for (const LedgerEntry& entry : run.ledger().made()) {
    made.push_back(entry.value + " " + entry.from.str() + " " + entry.to.str() + " " +
                   std::to_string(entry.bytes) + " x" + std::to_string(entry.times));
  }
  for (const CopyPlacement& copy : placement_.copies()) {
    if (copy.when == "load") continue;
    reported.push_back(copy.value + " " + copy.from.str() + " " + copy.to.str() + " " +
                       std::to_string(copy.bytes.value) + " x1");
  }
  EXPECT_EQ(made, reported);
  EXPECT_THAT(made, ElementsAre("x cpu sim:0 24 x1", "a sim:0 cpu 24 x1", "b cpu sim:0 24 x1",
                                "y sim:0 cpu 24 x1"));
}

TEST_F(Proof, RightUnderEverySeed) {
  Trial run(placement_.data()->graph);
  for (uint64_t seed = 0; seed < 20; ++seed) {
    make_streams_late(seed);
    EXPECT_EQ(run.run(), kRight) << "seed " << seed;
  }
}

// ---- what the ledger catches ----------------------------------------------------------------

struct Copy {
  const char* source;
  const char* target;
  const char* planned;  // as the ledger's complaint has it
};
const Copy kCopies[] = {{"x", "x@sim:0", "'x' from cpu to sim:0"},
                        {"a", "a@cpu", "'a' from sim:0 to cpu"},
                        {"b", "b@sim:0", "'b' from cpu to sim:0"},
                        {"y", "y@cpu", "'y' from sim:0 to cpu"}};

TEST_F(Proof, ADroppedCopyIsMissingInTheLedger) {
  for (const Copy& copy : kCopies) {
    Trial run(placement_.data()->graph);
    const SlotId target = run.slot(copy.target);
    ASSERT_NE(target, kNoSlot) << copy.target;
    EXPECT_EQ(std::erase_if(run.plan().steps,
                            [&](const Step& step) {
                              return step.kind == StepKind::copy && step.outputs[0] == target;
                            }),
              1u);
    (void)run.run();
    EXPECT_THAT(
        run.ledger().difference(),
        HasSubstr("planned but not made: " + std::string(copy.planned) + " (1 time(s), 24 bytes)"));
  }
}

TEST_F(Proof, ASwappedDirectionIsInTheLedgerTwice) {
  for (const Copy& copy : kCopies) {
    if (std::string_view(copy.source) == "x") continue;  // would write into the caller's tensor
    Trial run(placement_.data()->graph);
    Step& step = run.writer(copy.target);
    std::swap(step.inputs, step.outputs);
    (void)run.run();
    EXPECT_THAT(run.ledger().difference(),
                HasSubstr("planned but not made: " + std::string(copy.planned)));
    EXPECT_THAT(run.ledger().difference(),
                HasSubstr("made but not planned: '" + std::string(copy.target) + "'"));
  }
}

// `target` becomes another name of the memory of `source`.
void alias(Trial& run, const Copy& copy) {
  const SlotId source = run.slot(copy.source), target = run.slot(copy.target);
  std::erase_if(run.plan().steps, [&](const Step& step) {
    return step.kind == StepKind::copy && step.outputs[0] == target;
  });
  auto& arguments = run.plan().slot_arguments;
  auto& readers = arguments[static_cast<size_t>(target)];
  auto& all = arguments[static_cast<size_t>(source)];
  all.insert(all.end(), readers.begin(), readers.end());
  readers.clear();
  run.at(copy.target).root = source;
}

TEST_F(Proof, AnAliasInsteadOfAnUploadIsMissingInTheLedger) {
  // The kernel of an emulated device reads host memory without harm: data alone would not tell.
  Trial run(placement_.data()->graph);
  alias(run, kCopies[0]);
  EXPECT_EQ(run.run(), kRight);
  EXPECT_THAT(run.ledger().difference(), HasSubstr("planned but not made: 'x' from cpu to sim:0"));
}

// ---- what the guard of device memory catches ------------------------------------------------

using ProofDeathTest = Proof;

TEST_F(ProofDeathTest, AnAliasInsteadOfADownloadFaults) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        Trial run(placement_.data()->graph);
        alias(run, kCopies[1]);
        (void)run.run();
      },
      "the host touched device memory.*of device 0");
}

// Reshape reads the shape that it is given on the host.
Graph reshape_by_input() {
  GraphBuilder build;
  build.input("x", {2, 3});
  build.input("shape", {2}, int64);
  build.node("Relu", {"x"}, {"a"});
  build.node("Reshape", {"a", "shape"}, {"y"}, {3, 2});
  return build.outputs({"y"});
}

Placement reshape_placed(bool host_port) {
  FakeCapability capability;
  if (host_port) capability.host_inputs["Reshape"] = {1};
  PlacementRequest request;
  request.device = kSim;
  request.outputs_on = kSim;
  return place(reshape_by_input(), request, capability);
}

TEST_F(Proof, AnIgnoredHostPortIsRefusedByTheVerifier) {
  const std::vector<Tensor> inputs = {input(), Tensor::from<int64_t>({3, 2})};
  EXPECT_NO_THROW(Trial(reshape_placed(true).data()->graph, inputs));
  try {
    Trial run(reshape_placed(false).data()->graph, inputs);
    FAIL() << "the plan was made";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::internal);
    EXPECT_EQ(error.node(), "/y");
    EXPECT_THAT(error.what(), HasSubstr("its kernel reads input 1 on cpu, and the placement has "
                                        "'shape@sim:0' on sim:0"));
  }
}

TEST_F(ProofDeathTest, AnIgnoredHostPortThatGotIntoAPlanFaults) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  // The host's reader of `a` gets the value on the device instead of its copy.
  EXPECT_DEATH(
      {
        Trial run(placement_.data()->graph);
        Step& reader = run.writer("b");
        reader.inputs[0] = run.slot("a");
        auto& arguments = run.plan().slot_arguments;
        arguments[static_cast<size_t>(run.slot("a"))].push_back(reader.first_argument);
        arguments[static_cast<size_t>(run.slot("a@cpu"))].clear();
        (void)run.run();
      },
      "the host touched device memory.*of device 0");
}

// ---- what late streams show --------------------------------------------------------------------

// Seeds among 20 under which the run gives wrong data.
int wrong_seeds(Trial& run, const std::vector<std::string>& pinned = {}) {
  int wrong = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    make_streams_late(seed);
    wrong += (pinned.empty() ? run.run() : run.run_pinned(pinned)) != kRight;
    EXPECT_THAT(run.ledger().difference(), IsEmpty()) << "every copy was made, seed " << seed;
  }
  return wrong;
}

TEST_F(Proof, ADroppedWaitOfTheDeviceGivesWrongData) {
  for (const char* reader : {"a", "y"}) {
    Trial run(placement_.data()->graph);
    Step& step = run.writer(reader);
    ASSERT_EQ(step.device_waits.size(), 1u) << reader;
    step.device_waits.clear();
    EXPECT_GT(wrong_seeds(run), 0) << reader;
  }
}

TEST_F(Proof, ADroppedWaitOfTheHostGivesWrongData) {
  // A copy to pageable memory has ended when the call returns; to pinned memory it has not.
  const std::vector<std::string> pinned = {"a@cpu", "y@cpu"};
  Trial run(placement_.data()->graph);
  EXPECT_EQ(wrong_seeds(run, pinned), 0);
  Step& step = run.writer("b");
  ASSERT_EQ(step.host_waits.size(), 1u);
  step.host_waits.clear();
  EXPECT_GT(wrong_seeds(run, pinned), 0);
}

TEST_F(Proof, AStaleWeightGivesWrongData) {
  // As if .to(device) had kept the upload of the weight that the model had before.
  Trial run(placement_.data()->graph);
  EXPECT_EQ(run.run(), kRight);
  Slot& weight = run.at("w@sim:0");
  ASSERT_EQ(weight.home, SlotHome::constant);
  weight.constant = Tensor::from({1, 2, 3}).to(kSim);
  EXPECT_NE(run.run(), kRight);
  EXPECT_THAT(run.ledger().difference(), IsEmpty());
}

}  // namespace

// The real way of a weight through .to(): no run reads what an earlier placement or type left on a
// device.
TEST(ProofOfModels, WeightsAreNeverStaleAfterTo) {
  emulation::configure({});
  Model model = Model::load(FERRY_MODELS "/net.onnx");
  const NamedValues golden = NamedValues::load(FERRY_MODELS "/net_1.npz");
  const Inputs inputs{{"x", golden["x"]}};
  const std::string expected = model.run(inputs)["y"].str();
  for (const char* device : {"sim:0", "cpu", "sim:1", "sim:0"}) {
    model.to(Device(device));
    EXPECT_EQ(model.run(inputs)["y"].str(), expected) << device;
    for (const WeightPlacement& weight : model.placement().weights()) {
      EXPECT_THAT(weight.homes, ElementsAre(Device(device))) << weight.name;
    }
  }
}

}  // namespace ferry
