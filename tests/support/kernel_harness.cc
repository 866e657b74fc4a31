#include "tests/support/kernel_harness.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <map>
#include <memory>

#include "core/convert.h"
#include "devices/device.h"
#include "devices/emulation/emulation.h"
#include "executor/plan/facts.h"
#include "graph/infer.h"
#include "kernels/kernel.h"

namespace ferry::test {
namespace {

// What a node of the test graph looks like after inference.
struct Inferred {
  Graph graph;
  NodeId node = kNoNode;
};

Inferred infer_one(std::string_view op, const Attributes& attributes,
                   const std::vector<Tensor>& inputs, int outputs, Ports constants) {
  Inferred result;
  Node node;
  node.op = op;
  node.name = "node";
  node.attributes = attributes;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const std::string name = "input_" + std::to_string(i);
    if (!inputs[i].defined()) {
      node.inputs.push_back(kNoValue);
    } else if (constants.contains(static_cast<int>(i))) {
      node.inputs.push_back(result.graph.add_constant(name, inputs[i]));
    } else {
      Type type;
      type.dtype = inputs[i].dtype();
      type.shape = Dims(inputs[i].shape().begin(), inputs[i].shape().end());
      node.inputs.push_back(result.graph.add_input(name, type));
    }
  }
  for (int i = 0; i < outputs; ++i) {
    Value value;
    value.name = "output_" + std::to_string(i);
    node.outputs.push_back(result.graph.add_value(std::move(value)));
  }
  result.node = result.graph.add_node(std::move(node));
  infer(result.graph);
  return result;
}

NodeFacts facts_of(const Inferred& inferred) {
  const Node& node = inferred.graph.node(inferred.node);
  const auto facts = [&](ValueId id) {
    TensorFacts result;
    if (id == kNoValue) return result;
    const Value& value = inferred.graph.value(id);
    result.present = true;
    result.dtype = value.type.dtype;
    result.has_shape = value.type.shape.has_value();
    if (result.has_shape) {
      for (const Dim& dim : *value.type.shape) {
        result.shape.push_back(dim.is_known() ? dim.value() : -1);
      }
    }
    if (value.is_constant() && value.producer == kNoNode) result.constant = &value.constant;
    return result;
  };
  NodeFacts result;
  result.op = node.op;
  result.attributes = &node.attributes;
  for (ValueId id : node.inputs) result.inputs.push_back(facts(id));
  for (ValueId id : node.outputs) result.outputs.push_back(facts(id));
  return result;
}

class TestPrepare : public Prepare {
 public:
  TestPrepare(Device device, ThreadPool& threads)
      : backend_(device.is_cpu() ? nullptr : &backend(device)), threads_(threads) {}
  void set_workspace(size_t bytes) override { workspace_ = bytes; }
  ThreadPool& threads() override { return threads_; }
  DeviceBackend* backend() const override { return backend_; }
  std::shared_ptr<const void> cached(int input, std::string_view layout,
                                     FunctionRef<std::shared_ptr<const void>()> make) override {
    packed_.add(input);
    auto& entry = cache_[{input, std::string(layout)}];
    if (entry == nullptr) entry = make();
    return entry;
  }
  std::shared_ptr<const void> upload(std::span<const std::byte> bytes) override {
    uploaded_ += static_cast<int64_t>(bytes.size());
    return Prepare::upload(bytes);
  }
  size_t workspace() const { return workspace_; }
  int64_t uploaded() const { return uploaded_; }
  Ports packed() const { return packed_; }

 private:
  using DeviceBackendPointer = DeviceBackend*;
  static DeviceBackend& backend(Device device) { return ferry::backend(device); }
  DeviceBackendPointer backend_;
  ThreadPool& threads_;
  size_t workspace_ = 0;
  int64_t uploaded_ = 0;
  Ports packed_;
  std::map<std::pair<int, std::string>, std::shared_ptr<const void>> cache_;
};

class TestAllocator : public OutputAllocator {
 public:
  TestAllocator(Device device, const Kernel& kernel, const NodeFacts& facts,
                const std::vector<Tensor>& inputs)
      : device_(device),
        kernel_(kernel),
        facts_(facts),
        inputs_(inputs),
        outputs(facts.outputs.size()) {}
  void* allocate(int output, std::span<const int64_t> shape) override {
    const Device home = kernel_.host_outputs.contains(output) ? Device::cpu() : device_;
    outputs[output] =
        Tensor::empty(Shape(shape.begin(), shape.end()), facts_.output(output).dtype, home);
    return outputs[output].mutable_data();
  }
  void set(int output, Tensor tensor) override { outputs[output] = std::move(tensor); }
  Tensor input(int i) override { return inputs_[i]; }

 private:
  Device device_;
  const Kernel& kernel_;
  const NodeFacts& facts_;
  const std::vector<Tensor>& inputs_;

 public:
  std::vector<Tensor> outputs;
};

const char* word(bool constants) { return constants ? "constant inputs" : "inputs of the run"; }

std::vector<RunMode> modes(Device device) {
  if (device.is_cpu()) return {{false, 1}, {true, 1}, {false, 3}, {true, 3}};
  if (device.kind() == DeviceKind::sim) {
    return {{false, 1, false}, {true, 1, false}, {false, 1, true}, {true, 1, true}};
  }
  return {{false, 1}, {true, 1}};
}

// The emulated GPU as a mode wants it, for a scope.
class EmulationScope {
 public:
  explicit EmulationScope(RunMode mode) {
    if (!mode.reversed) return;
    emulation::configure({.mode = emulation::StreamMode::lazy,
                          .order = emulation::ThreadOrder::reverse,
                          .alignment = 16});
    changed_ = true;
  }
  ~EmulationScope() {
    if (changed_) emulation::configure({});
  }
  EmulationScope(const EmulationScope&) = delete;
  EmulationScope& operator=(const EmulationScope&) = delete;

 private:
  bool changed_ = false;
};

// Prepares and runs a kernel; the inputs without elements of their own make run() impossible.
std::vector<Tensor> run_kernel(Device device, const Kernel& kernel, const NodeFacts& facts,
                               const std::vector<Tensor>& inputs, int thread_count) {
  ThreadPool threads(thread_count);
  TestPrepare prepare(device, threads);
  const auto state = prepare_kernel(kernel, facts, prepare);

  std::vector<Tensor> held;
  std::vector<const void*> in;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const int port = static_cast<int>(i);
    const bool metadata = kernel.metadata_inputs.contains(port);
    const bool host = kernel.host_inputs.contains(port);
    held.push_back(inputs[i].defined() && !host && !metadata ? inputs[i].to(device) : inputs[i]);
    const bool read = held.back().defined() && !metadata && !prepare.packed().contains(port);
    in.push_back(read ? held.back().data() : nullptr);
  }
  TestAllocator allocator(device, kernel, facts, held);
  std::vector<void*> out(facts.outputs.size(), nullptr);
  for (size_t i = 0; i < out.size(); ++i) {
    if (facts.outputs[i].concrete()) {
      out[i] = allocator.allocate(static_cast<int>(i), facts.outputs[i].shape);
    }
  }
  const Tensor workspace =
      Tensor::empty({static_cast<int64_t>(prepare.workspace())}, uint8, device);
  std::unique_ptr<Stream> stream;
  if (!device.is_cpu()) stream = backend(device).create_stream();
  RunContext context;
  context.inputs = in.data();
  context.outputs = out.data();
  context.workspace = const_cast<void*>(workspace.data());
  context.threads = &threads;
  context.stream = stream.get();
  context.allocator = &allocator;
  kernel.run(state.get(), context);
  if (stream != nullptr) {
    stream->synchronize();
    // What the kernel moved for itself is what its row declares.
    EXPECT_EQ(stream->traffic().to_host, kernel.read_back) << kernel.op;
    EXPECT_EQ(stream->traffic().to_device, 0) << kernel.op;
    EXPECT_EQ(prepare.uploaded(), kernel.table_bytes ? kernel.table_bytes(facts) : 0) << kernel.op;
  }
  std::vector<Tensor> results;
  for (const Tensor& output : allocator.outputs) {
    results.push_back(output.defined() ? output.cpu() : output);
  }
  return results;
}

NodeFacts facts_of(const GivenNode& node, bool constants) {
  NodeFacts facts;
  facts.op = node.op;
  facts.attributes = &node.attributes;
  const auto add = [&](const std::vector<GivenPort>& ports, std::vector<TensorFacts>& to) {
    for (const GivenPort& port : ports) {
      TensorFacts one;
      one.present = port.dtype != DType::undefined;
      one.dtype = port.dtype;
      one.has_shape = one.present;
      one.shape = port.shape;
      if (constants && port.contents.defined()) one.constant = &port.contents;
      to.push_back(one);
    }
  };
  add(node.inputs, facts.inputs);
  add(node.outputs, facts.outputs);
  return facts;
}

}  // namespace

Attributes attributes(std::vector<std::pair<std::string, Attribute>> items) {
  Attributes result;
  for (auto& [name, value] : items) result.set(name, std::move(value));
  return result;
}

std::vector<Device> kernel_devices() {
  std::vector<Device> devices{Device::cpu()};
  for (DeviceKind kind : {DeviceKind::sim, DeviceKind::cuda}) {
    if (device_count(kind) > 0) devices.emplace_back(kind, 0);
  }
  return devices;
}

bool has_kernel(Device device, std::string_view op, const Attributes& attributes,
                const std::vector<Tensor>& inputs, int outputs) {
  const Inferred inferred = infer_one(op, attributes, inputs, outputs, Ports());
  return kernels_of(device.kind()).find(facts_of(inferred)) != nullptr;
}

std::vector<Tensor> run_node(Device device, std::string_view op, const Attributes& attributes,
                             const std::vector<Tensor>& inputs, int outputs, RunMode mode) {
  const EmulationScope emulation(mode);
  Ports constants;
  if (mode.constants) constants.bits = ~1u;
  Inferred inferred = infer_one(op, attributes, inputs, outputs, constants);
  NodeFacts facts = facts_of(inferred);
  Support why;
  const Kernel* kernel = kernels_of(device.kind()).find(facts, &why);
  if (kernel == nullptr) {
    throw Error(ErrorCode::unsupported, device.str() + ": " + why.detail);
  }
  // As the executor does, host inputs are known in prepare().
  if (kernel->host_inputs.bits != 0) {
    constants.bits |= kernel->host_inputs.bits;
    inferred = infer_one(op, attributes, inputs, outputs, constants);
    facts = facts_of(inferred);
  }
  return run_kernel(device, *kernel, facts, inputs, mode.threads);
}

std::string text(const Shape& shape) { return to_string(std::span<const int64_t>(shape)); }

std::string difference(const Tensor& got, const Tensor& wanted, Tolerance tolerance) {
  if (!got.defined()) return "no output";
  if (got.dtype() != wanted.dtype() || got.shape() != wanted.shape()) {
    return "got " + std::string(to_string(got.dtype())) + text(got.shape()) + ", wanted " +
           std::string(to_string(wanted.dtype())) + text(wanted.shape());
  }
  const int64_t count = got.numel();
  for (int64_t i = 0; i < count; ++i) {
    std::string a, b;
    if (got.dtype() == DType::string) {
      a = got.span<std::string>()[i];
      b = wanted.span<std::string>()[i];
      if (a == b) continue;
    } else {
      const double x = load_as_double(got.dtype(), got.data(), i);
      const double y = load_as_double(wanted.dtype(), wanted.data(), i);
      if (x == y || (std::isnan(x) && std::isnan(y))) continue;
      if (std::isfinite(y) && is_floating(got.dtype()) &&
          std::abs(x - y) <= tolerance.absolute + tolerance.relative * std::abs(y)) {
        continue;
      }
      a = ::testing::PrintToString(x);
      b = ::testing::PrintToString(y);
    }
    return "element " + std::to_string(i) + " of " + text(got.shape()) + " is " + a + ", wanted " +
           b;
  }
  return "";
}

void check(const std::vector<KernelCase>& cases) {
  for (const KernelCase& one : cases) {
    const int outputs = static_cast<int>(one.expected.size());
    for (const Device device : kernel_devices()) {
      if (!device.is_cpu() && !has_kernel(device, one.op, one.attributes, one.inputs, outputs)) {
        continue;
      }
      for (const RunMode mode : modes(device)) {
        SCOPED_TRACE(one.op + " '" + one.name + "' on " + device.str() + ", " +
                     word(mode.constants) + ", " + std::to_string(mode.threads) + " threads" +
                     (mode.reversed ? ", reversed" : ""));
        try {
          const auto got = run_node(device, one.op, one.attributes, one.inputs, outputs, mode);
          for (int i = 0; i < outputs; ++i) {
            if (!one.expected[i].defined()) continue;
            EXPECT_EQ(difference(got[i], one.expected[i], one.tolerance), "") << "output " << i;
          }
        } catch (const Error& error) {
          ADD_FAILURE() << error.what();
        }
      }
    }
  }
}

void check(const std::vector<RefusalCase>& cases) {
  for (const RefusalCase& one : cases) {
    for (const Device device : kernel_devices()) {
      // Elsewhere only what the data shows: the words are the CPU's.
      if (!device.is_cpu() &&
          (one.code != ErrorCode::runtime ||
           !has_kernel(device, one.op, one.attributes, one.inputs, one.outputs))) {
        continue;
      }
      for (const bool constants : {false, true}) {
        SCOPED_TRACE(one.op + " '" + one.name + "' on " + device.str() + ", " + word(constants));
        try {
          run_node(device, one.op, one.attributes, one.inputs, one.outputs, {constants, 1});
          ADD_FAILURE() << "it was accepted";
        } catch (const Error& error) {
          EXPECT_EQ(to_string(error.code()), to_string(one.code)) << error.what();
          if (device.is_cpu()) {
            EXPECT_NE(error.message().find(one.words), std::string::npos)
                << "'" << error.message() << "' does not say '" << one.words << "'";
          }
        }
      }
    }
  }
}

std::vector<Tensor> run_given(Device device, const GivenNode& node) {
  const NodeFacts facts = facts_of(node, /*constants=*/true);
  const Kernel* kernel = kernels_of(device.kind()).find(facts);
  if (kernel == nullptr) throw Error(ErrorCode::unsupported, device.str() + " has no kernel");
  std::vector<Tensor> inputs;
  for (const GivenPort& port : node.inputs) inputs.push_back(port.contents);
  return run_kernel(device, *kernel, facts, inputs, 1);
}

Support support_of(Device device, const GivenNode& node) {
  Support support;
  kernels_of(device.kind()).find(facts_of(node, /*constants=*/true), &support);
  return support;
}

void check_refused(const std::vector<GivenRefusal>& cases) {
  for (const GivenRefusal& one : cases) {
    const NodeFacts facts = facts_of(one.node, /*constants=*/true);
    std::vector<Tensor> inputs;
    bool runs = true;
    for (const GivenPort& port : one.node.inputs) {
      inputs.push_back(port.contents);
      runs = runs && (port.contents.defined() || port.dtype == DType::undefined);
    }
    for (const Device device : kernel_devices()) {
      SCOPED_TRACE(one.node.op + " '" + one.name + "' on " + device.str());
      Support why;
      const Kernel* kernel = kernels_of(device.kind()).find(facts, &why);
      if (kernel == nullptr) {
        EXPECT_FALSE(device.is_cpu()) << why.detail;
        continue;
      }
      try {
        if (runs) {
          run_kernel(device, *kernel, facts, inputs, 1);
        } else {
          ThreadPool threads(1);
          TestPrepare prepare(device, threads);
          prepare_kernel(*kernel, facts, prepare);
        }
        ADD_FAILURE() << "it was accepted";
      } catch (const Error& error) {
        EXPECT_EQ(to_string(error.code()), to_string(one.code)) << error.what();
        EXPECT_NE(error.message().find(one.words), std::string::npos)
            << "'" << error.message() << "' does not say '" << one.words << "'";
      }
    }
  }
}

Random::Random() {
  const char* given = std::getenv("FERRY_TEST_SEED");
  seed_ = given != nullptr
              ? std::strtoull(given, nullptr, 10)
              : static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  state_ = seed_;
}

uint64_t Random::next() {  // splitmix64
  state_ += 0x9E3779B97F4A7C15u;
  uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

int64_t Random::integer(int64_t low, int64_t high) {
  return low + static_cast<int64_t>(next() % static_cast<uint64_t>(high - low + 1));
}

double Random::real(double low, double high) {
  return low + (high - low) * (static_cast<double>(next() >> 11) * 0x1p-53);
}

Tensor Random::tensor(Shape shape, DType dtype, double low, double high) {
  Tensor result = Tensor::empty(std::move(shape), dtype);
  const int64_t count = result.numel();
  for (int64_t i = 0; i < count; ++i) {
    store_from_double(dtype, result.mutable_data(), i, real(low, high));
  }
  return result;
}

Shape Random::shape(int64_t rank, int64_t largest) {
  Shape result(static_cast<size_t>(rank));
  for (int64_t& size : result) size = integer(1, largest);
  return result;
}

}  // namespace ferry::test
