// If, Loop and Scan: which body runs, how often, with what, and what becomes of its results. The
// bodies are functions of the test.
#include <gmock/gmock.h>

#include <functional>

#include "executor/plan/facts.h"
#include "kernels/kernel.h"
#include "tests/support/kernel_harness.h"

namespace ferry::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Tensors = std::vector<Tensor>;

Tensor f(std::vector<float> values) { return Tensor::from(values); }
Tensor f(std::vector<float> values, Shape shape) { return Tensor::from(values, std::move(shape)); }
Tensor number(float value) { return Tensor::scalar(value); }
float value_of(const Tensor& tensor) { return static_cast<float>(tensor.item()); }

class Bodies : public BodyRunner {
 public:
  using Body = std::function<Tensors(int body, std::span<const Tensor> inputs)>;
  explicit Bodies(Body body) : body_(std::move(body)) {}
  Tensors run(int body, std::span<const Tensor> inputs) override { return body_(body, inputs); }

 private:
  Body body_;
};

class Allocator : public OutputAllocator {
 public:
  Allocator(const NodeFacts& facts, const Tensors& inputs)
      : facts_(facts), inputs_(inputs), outputs(facts.outputs.size()) {}
  void* allocate(int output, std::span<const int64_t> shape) override {
    outputs[output] = Tensor::empty(Shape(shape.begin(), shape.end()), facts_.output(output).dtype);
    return outputs[output].mutable_data();
  }
  void set(int output, Tensor tensor) override { outputs[output] = std::move(tensor); }
  Tensor input(int i) override { return inputs_[i]; }

 private:
  const NodeFacts& facts_;
  const Tensors& inputs_;

 public:
  Tensors outputs;
};

TensorFacts facts_of(const Tensor& tensor) {
  TensorFacts facts;
  if (!tensor.defined()) return facts;
  facts.present = facts.has_shape = true;
  facts.dtype = tensor.dtype();
  facts.shape = tensor.shape();
  return facts;
}

// An output of float32; -1 where a size is not known.
TensorFacts output(Shape shape) {
  TensorFacts facts;
  facts.present = facts.has_shape = true;
  facts.dtype = float32;
  facts.shape = std::move(shape);
  return facts;
}
const TensorFacts kUnwanted;

Tensors run(std::string_view op, const Attributes& attributes, const Tensors& inputs,
            std::vector<TensorFacts> outputs, Bodies::Body body) {
  NodeFacts node{op, &attributes, {}, std::move(outputs)};
  std::vector<const void*> in;
  for (const Tensor& tensor : inputs) {
    node.inputs.push_back(facts_of(tensor));
    in.push_back(tensor.defined() ? tensor.data() : nullptr);
  }
  const Kernel* kernel = kernels_of(DeviceKind::cpu).find(node);
  if (kernel == nullptr) throw Error(ErrorCode::unsupported, "no kernel");
  class NoPrepare : public Prepare {
    void set_workspace(size_t) override {}
    ThreadPool& threads() override { return pool; }
    ThreadPool pool{1};
    DeviceBackend* backend() const override { return nullptr; }
    std::shared_ptr<const void> cached(int, std::string_view,
                                       FunctionRef<std::shared_ptr<const void>()> make) override {
      return make();
    }
  } prepare;
  const auto state = kernel->prepare(node, prepare);
  Bodies bodies(std::move(body));
  Allocator allocator(node, inputs);
  ThreadPool threads(1);
  std::vector<void*> out(node.outputs.size(), nullptr);
  RunContext context;
  context.inputs = in.data();
  context.outputs = out.data();
  context.threads = &threads;
  context.allocator = &allocator;
  context.bodies = &bodies;
  kernel->run(state.get(), context);
  return allocator.outputs;
}

TEST(ControlflowTest, IfRunsOneBranchWithoutInputs) {
  for (const bool condition : {true, false}) {
    int calls = 0;
    const Tensors got =
        run("If", {}, {Tensor::scalar(condition)}, {output({2}), kUnwanted, output({-1})},
            [&](int body, std::span<const Tensor> inputs) {
              ++calls;
              EXPECT_EQ(body, condition ? 0 : 1);
              EXPECT_TRUE(inputs.empty());
              const auto base = static_cast<float>(10 * body);
              return Tensors{f({base, 1}), f({7}), f({base, 2, 3})};
            });
    EXPECT_EQ(calls, 1);
    EXPECT_THAT(got[0].span<float>(), ElementsAre(condition ? 0 : 10, 1));
    EXPECT_FALSE(got[1].defined());
    EXPECT_THAT(got[2].span<float>(), ElementsAre(condition ? 0 : 10, 2, 3));
  }
}

// sum += trip, with a scan output [trip, sum] each; goes on while sum < limit.
Bodies::Body sum_below(float limit, int& calls) {
  return [limit, &calls](int body, std::span<const Tensor> inputs) {
    EXPECT_EQ(body, 0);
    EXPECT_EQ(inputs.size(), 3u);
    EXPECT_EQ(inputs[0].dtype(), int64);
    EXPECT_EQ(inputs[0].item(), calls);
    EXPECT_EQ(inputs[1].item(), 1);
    const auto trip = static_cast<float>(calls++);
    const float sum = value_of(inputs[2]) + trip;
    return Tensors{Tensor::scalar(sum < limit), number(sum), f({trip, sum})};
  };
}

TEST(ControlflowTest, LoopsEndByCountOrCondition) {
  const Tensor none;
  struct Case {
    const char* name;
    Tensor trips, condition;
    float limit;
    std::vector<float> sums;  // after each trip
  };
  const Case cases[] = {
      {"by count", Tensor::scalar(int64_t{3}), none, 1000, {5, 6, 8}},
      {"by condition", none, Tensor::scalar(true), 8, {5, 6, 8}},
      {"the first of both", Tensor::scalar(int64_t{9}), Tensor::scalar(true), 6, {5, 6}},
      {"a count beyond all trips", Tensor::scalar(INT64_MAX), none, 6, {5, 6}},
      {"no trip", Tensor::scalar(int64_t{0}), none, 1000, {}},
      {"a negative count", Tensor::scalar(int64_t{-1}), none, 1000, {}},
      {"false before the first", Tensor::scalar(int64_t{3}), Tensor::scalar(false), 1000, {}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    int calls = 0;
    const Tensors got = run("Loop", {}, {c.trips, c.condition, number(5)},
                            {output({}), output({-1, 2})}, sum_below(c.limit, calls));
    EXPECT_EQ(calls, static_cast<int>(c.sums.size()));
    EXPECT_EQ(value_of(got[0]), c.sums.empty() ? 5 : c.sums.back());
    std::vector<float> scanned;
    for (size_t i = 0; i < c.sums.size(); ++i) {
      scanned.insert(scanned.end(), {static_cast<float>(i), c.sums[i]});
    }
    EXPECT_EQ(difference(got[1], f(scanned, {static_cast<int64_t>(c.sums.size()), 2}), kExact), "");
  }
}

TEST(ControlflowTest, LoopsLeaveOutWhatNobodyWants) {
  int calls = 0;
  const Tensors got = run("Loop", {}, {Tensor::scalar(int64_t{2}), Tensor(), number(5)},
                          {kUnwanted, output({-1, 2})}, sum_below(1000, calls));
  EXPECT_FALSE(got[0].defined());
  EXPECT_EQ(got[1].shape(), (Shape{2, 2}));
}

TEST(ControlflowTest, SlicesOfAScanOutputHaveOneShape) {
  const auto grow = [](int, std::span<const Tensor> inputs) {
    const auto size = static_cast<size_t>(inputs[0].item()) + 1;
    return Tensors{Tensor::scalar(true), f(std::vector<float>(size, 1))};
  };
  try {
    run("Loop", {}, {Tensor::scalar(int64_t{2}), Tensor()}, {output({-1, -1})}, grow);
    ADD_FAILURE() << "expected an Error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::runtime);
    EXPECT_THAT(error.what(), HasSubstr("[1] in the first trip and [2] in another"));
  }
}

// The forms that the importer gives: absent inputs at the end are no inputs.
TEST(ControlflowTest, LoopsMayCarryNothing) {
  const auto thrice = [](int, std::span<const Tensor> inputs) {
    EXPECT_EQ(inputs.size(), 2u);
    return Tensors{Tensor::scalar(inputs[0].item() < 2), f({value_of(inputs[0].to(float32))})};
  };
  for (const Tensors& inputs :
       {Tensors{}, Tensors{Tensor::scalar(int64_t{3})}, Tensors{Tensor(), Tensor::scalar(true)}}) {
    const Tensors got = run("Loop", {}, inputs, {output({-1, 1})}, thrice);
    EXPECT_THAT(got[0].span<float>(), ElementsAre(0, 1, 2));
  }
}

TEST(ControlflowTest, ScalarsHaveOneElement) {
  const auto never = [](int, std::span<const Tensor>) -> Tensors { throw std::exception(); };
  const Tensor none = Tensor::zeros({0}, int64), empty = Tensor::zeros({0}, boolean);
  for (const auto& [op, inputs] : {std::pair<const char*, Tensors>{"If", {empty}},
                                   {"Loop", {none}},
                                   {"Loop", {Tensor(), empty}}}) {
    try {
      run(op, {}, inputs, {output({-1})}, never);
      ADD_FAILURE() << op;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::runtime);
      EXPECT_THAT(error.what(), HasSubstr("has the shape [0], expected one element"));
    }
  }
}

TEST(ControlflowTest, WhatABodyThrowsComesThrough) {
  const auto fails = [](int, std::span<const Tensor>) -> Tensors {
    throw Error(ErrorCode::cancelled, "enough");
  };
  EXPECT_THROW(run("If", {}, {Tensor::scalar(true)}, {output({})}, fails), Error);
  EXPECT_THROW(run("Loop", {}, {Tensor(), Tensor()}, {}, fails), Error);
}

struct Directions {
  std::vector<int64_t> input_axes, input_directions, output_axes, output_directions;
};
Attributes scan(const Directions& d) {
  return attributes({{"num_scan_inputs", static_cast<int64_t>(d.input_axes.size())},
                     {"scan_input_axes", d.input_axes},
                     {"scan_input_directions", d.input_directions},
                     {"scan_output_axes", d.output_axes},
                     {"scan_output_directions", d.output_directions}});
}

// The state counts; the scan output is the slice and the count.
Tensors count_slices(int, std::span<const Tensor> inputs) {
  const float count = value_of(inputs[0]) + 1;
  const Tensor& slice = inputs[1];
  EXPECT_EQ(slice.shape(), Shape{2});
  return {number(count), f({slice.span<float>()[0], slice.span<float>()[1], count})};
}

TEST(ControlflowTest, ScansAlongAxesInBothDirections) {
  const Tensor rows = f({1, 2, 3, 4, 5, 6}, {3, 2});     // slices [1 2] [3 4] [5 6]
  const Tensor columns = f({1, 3, 5, 2, 4, 6}, {2, 3});  // the same along axis 1
  struct Case {
    const char* name;
    Tensor x;
    Directions form;
    Tensor scanned;
  };
  const Case cases[] = {
      {"rows", rows, {{0}, {0}, {0}, {0}}, f({1, 2, 1, 3, 4, 2, 5, 6, 3}, {3, 3})},
      {"columns", columns, {{1}, {0}, {0}, {0}}, f({1, 2, 1, 3, 4, 2, 5, 6, 3}, {3, 3})},
      {"from the end", columns, {{-1}, {0}, {0}, {0}}, f({1, 2, 1, 3, 4, 2, 5, 6, 3}, {3, 3})},
      {"backwards", rows, {{0}, {1}, {0}, {0}}, f({5, 6, 1, 3, 4, 2, 1, 2, 3}, {3, 3})},
      {"written backwards", rows, {{0}, {0}, {0}, {1}}, f({5, 6, 3, 3, 4, 2, 1, 2, 1}, {3, 3})},
      {"into columns", rows, {{0}, {0}, {1}, {0}}, f({1, 3, 5, 2, 4, 6, 1, 2, 3}, {3, 3})},
      {"into the last axis", rows, {{0}, {0}, {-1}, {0}}, f({1, 3, 5, 2, 4, 6, 1, 2, 3}, {3, 3})},
      {"nothing", Tensor::zeros({0, 2}), {{0}, {0}, {0}, {0}}, Tensor::zeros({0, 3})},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const bool last = c.form.output_axes[0] != 0;
    const Tensors got = run("Scan", scan(c.form), {number(0), c.x},
                            {output({}), output(last ? Shape{3, -1} : Shape{-1, 3})}, count_slices);
    EXPECT_EQ(value_of(got[0]), c.x.numel() / 2);
    EXPECT_EQ(difference(got[1], c.scanned, kExact), "");
  }
}

TEST(ControlflowTest, ScannedAxesHaveOneSize) {
  const Directions two{{0, 0}, {0, 0}, {}, {}};
  try {
    run("Scan", scan(two), {f({1, 2}), f({1, 2, 3})}, {},
        [](int, std::span<const Tensor>) { return Tensors(); });
    ADD_FAILURE() << "expected an Error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::runtime);
    EXPECT_THAT(error.what(), HasSubstr("the scanned axes have 2 and 3 elements"));
  }
}

}  // namespace
}  // namespace ferry::test
