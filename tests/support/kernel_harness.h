#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/support.h"
#include "ferry/device.h"
#include "ferry/error.h"
#include "ferry/tensor.h"
#include "graph/attributes.h"

// Runs kernels by themselves: one node through inference, KernelTable, prepare and run, on every
// device there is. What a test says of an operator holds on each of them.
namespace ferry::test {

// How far a result may be from what is expected: |got - wanted| <= absolute + relative * |wanted|.
// NaN equals NaN, an infinity only itself. Integers, bool and strings must be equal.
struct Tolerance {
  double relative = 0;
  double absolute = 0;
};
inline constexpr Tolerance kExact{};
// Of float32 arithmetic with a few roundings.
inline constexpr Tolerance kRounded{2e-6, 1e-7};

struct KernelCase {
  std::string name;
  std::string op;
  Attributes attributes;
  std::vector<Tensor> inputs;    // host tensors; an undefined one is an absent input
  std::vector<Tensor> expected;  // an undefined one is an output that is not wanted
  Tolerance tolerance = kExact;
};

// A case that must fail, by a rule of inference or in the kernel, with `code` and a message that
// contains `words`.
struct RefusalCase {
  std::string name;
  std::string op;
  Attributes attributes;
  std::vector<Tensor> inputs;
  int outputs = 1;
  ErrorCode code = ErrorCode::invalid_model;
  std::string words;
};

// One input or output of a node by its type alone, or an input with its elements.
struct GivenPort {
  GivenPort() = default;  // absent
  GivenPort(Tensor tensor) : dtype(tensor.dtype()), shape(tensor.shape()), contents(tensor) {}
  GivenPort(DType given_dtype, Shape given_shape) : dtype(given_dtype), shape(given_shape) {}

  DType dtype = DType::undefined;
  Shape shape;  // -1 where a size is not known
  Tensor contents;
};

// A node as kernels see it, with no rule of inference before them.
struct GivenNode {
  std::string op;
  Attributes attributes;
  std::vector<GivenPort> inputs, outputs;
};

// A node that kernels must refuse by themselves, in prepare() or, where all inputs have elements,
// in run().
struct GivenRefusal {
  std::string name;
  GivenNode node;
  std::string words;
  ErrorCode code = ErrorCode::runtime;
};

// The outputs of a node whose inputs all have elements, on the host. Throws what the kernel throws.
std::vector<Tensor> run_given(Device device, const GivenNode& node);
// What the kernels of `device` answer in supports().
Support support_of(Device device, const GivenNode& node);

Attributes attributes(std::vector<std::pair<std::string, Attribute>> items);

// How a node is run: inputs from position 1 on as constants (weights are packed, sizes are known in
// prepare) or as values of the run, and with how many threads.
struct RunMode {
  bool constants = false;
  int threads = 1;
  // sim only: blocks and threads start in reverse, streams run when somebody waits, and allocations
  // end at a page that faults.
  bool reversed = false;
};

// The outputs of one node on the host. Throws what inference or the kernel throws.
std::vector<Tensor> run_node(Device device, std::string_view op, const Attributes& attributes,
                             const std::vector<Tensor>& inputs, int outputs, RunMode mode = {});

// The devices of this machine that have kernels: the CPU, then whatever else there is.
std::vector<Device> kernel_devices();
// Whether `device` has a kernel for the node.
bool has_kernel(Device device, std::string_view op, const Attributes& attributes,
                const std::vector<Tensor>& inputs, int outputs);

// Each case on each device that has a kernel for it (the CPU must have one) and in each mode, all
// failures shown.
void check(const std::vector<KernelCase>& cases);
void check(const std::vector<RefusalCase>& cases);
// On each device that has a kernel for the node; the CPU must have one.
void check_refused(const std::vector<GivenRefusal>& cases);

// "" when `got` is within `tolerance` of `wanted`, else what differs first.
std::string difference(const Tensor& got, const Tensor& wanted, Tolerance tolerance);

// "[2, 3]"
std::string text(const Shape& shape);

// Values for random tests from FERRY_TEST_SEED, or from a new seed, which is printed with every
// failure of the test that uses it.
class Random {
 public:
  Random();
  uint64_t seed() const { return seed_; }
  int64_t integer(int64_t low, int64_t high);  // both included
  double real(double low, double high);
  Tensor tensor(Shape shape, DType dtype = float32, double low = -2, double high = 2);
  Shape shape(int64_t rank, int64_t largest);

 private:
  uint64_t next();
  uint64_t seed_, state_;
};

}  // namespace ferry::test
