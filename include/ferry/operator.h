#pragma once

#include <climits>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "ferry/device.h"
#include "ferry/dtype.h"
#include "ferry/export.h"
#include "ferry/tensor.h"

// Operators of your own: what a model calls them, which types and shapes they give, and what runs
// them on each device. examples/custom_operator.cc is a whole program.
//
//   register_operator({.domain = "my.domain",
//                      .name = "Scale",
//                      .attributes = {{"factor", 1.0f}},
//                      .infer = [](OperatorInference& node) {
//                        node.set_output(0, node.dtype(0), node.shape(0));
//                      },
//                      .kernels = {{DeviceKind::cpu, {float32}, run_scale}}});
//   Model model = Model::load("scaled.onnx");
//
// From then on every model of this process may use the operator: `check`, placement, reports,
// rewrites and traces treat it as they treat ONNX's. Functions that you pass may be called from
// several threads at once, and live until the process ends. They report what is wrong by throwing
// ferry::Error, which reaches the caller with the node's name; any other exception becomes an Error
// (runtime) with its text.
namespace ferry {

class Attributes;    // graph/attributes.h
class Dim;           // graph/dim.h
class InferContext;  // graph/infer.h

// The value of an attribute. Types are ONNX's: int, float, string, their lists, and tensor.
using Attribute = std::variant<int64_t, float, std::string, std::vector<int64_t>,
                               std::vector<float>, std::vector<std::string>, Tensor>;

// An attribute that nodes of the operator may have.
struct OperatorAttribute {
  std::string name;
  Attribute value;        // says the type, and what a node without the attribute has
  bool required = false;  // nodes must have it; of `value` only the type counts
};

// The attributes of one node; those that the model leaves out have their defaults.
class FERRY_API OperatorAttributes {
 public:
  explicit OperatorAttributes(const Attributes& attributes) : attributes_(&attributes) {}

  // Throws Error invalid_argument when the operator has no such attribute or its type is not T.
  template <typename T>
  const T& get(std::string_view name) const {
    if (const T* value = std::get_if<T>(find(name))) return *value;
    fail(name);
  }
  // nullptr when the operator has no such attribute.
  const Attribute* find(std::string_view name) const;

 private:
  [[noreturn]] static void fail(std::string_view name);

  const Attributes* attributes_;
};

// One size of a shape: a number, an expression over the model's symbols ("batch", "2*batch"), or
// unknown until the run. Arithmetic keeps what is known, so that reports can name symbolic sizes.
class FERRY_API Dimension {
 public:
  Dimension(int64_t size);  // NOLINT(google-explicit-constructor): a number is a size
  static Dimension unknown();

  bool is_known() const;  // a number
  int64_t value() const;  // throws Error invalid_argument when it is not known
  std::string str() const;

  FERRY_API friend Dimension operator+(const Dimension& a, const Dimension& b);
  FERRY_API friend Dimension operator-(const Dimension& a, const Dimension& b);
  FERRY_API friend Dimension operator*(const Dimension& a, const Dimension& b);
  FERRY_API friend Dimension operator/(const Dimension& a, const Dimension& b);  // rounds down
  // Whether both are the same size, whatever the symbols are.
  FERRY_API friend bool operator==(const Dimension& a, const Dimension& b);

 private:
  friend class OperatorInference;
  explicit Dimension(const Dim& dim);

  std::shared_ptr<const Dim> dim_;
};
using Dimensions = std::vector<Dimension>;

// What a shape rule sees of a node, and where it puts the types of the outputs. Rules run when a
// model is loaded, when it is planned for input shapes, and in a run for sizes that only data
// tells: each time with more facts. A fact that is missing is no error.
class FERRY_API OperatorInference {
 public:
  explicit OperatorInference(InferContext& context);

  const OperatorAttributes& attributes() const { return attributes_; }
  int input_count() const;
  int output_count() const;
  bool has_input(int i) const;   // false: left out
  bool has_output(int i) const;  // false: nobody wants it

  DType dtype(int i) const;                      // of input i; undefined while unknown
  std::optional<Dimensions> shape(int i) const;  // nullopt while not even the rank is known
  const Tensor* constant(int i) const;           // on the CPU; nullptr unless contents are known

  // Every output that is wanted must be set; nullopt where the rank is not known yet. A size that
  // stays unknown makes the kernel choose it (OperatorCall::output(i, shape)).
  void set_output(int i, DType dtype, std::optional<Dimensions> shape);

  // Throws Error invalid_model with this sentence: for types and shapes that do not fit.
  [[noreturn]] void fail(const std::string& sentence) const;

 private:
  friend void infer_registered(InferContext& context);

  InferContext* context_;
  OperatorAttributes attributes_;
  std::vector<bool> is_set_;  // of each output
};

// One run of a node. Tensors are on the kernel's device, row-major, and valid during the call.
class FERRY_API OperatorCall {
 public:
  virtual ~OperatorCall() = default;

  virtual const OperatorAttributes& attributes() const = 0;
  virtual int input_count() const = 0;
  virtual int output_count() const = 0;
  virtual bool has_input(int i) const = 0;
  virtual bool has_output(int i) const = 0;
  virtual const Tensor& input(int i) const = 0;
  // Uninitialised elements to write, in the shape that the rule gave.
  virtual Tensor& output(int i) = 0;
  // The same for an output with sizes that the rule left unknown; `shape` must agree with those
  // that it knew.
  virtual Tensor& output(int i, const Shape& shape) = 0;

  // CPU: calls body(begin, end) on the model's threads until [0, count) is covered.
  virtual void parallel_for(int64_t count,
                            const std::function<void(int64_t, int64_t)>& body) const = 0;
  // CUDA: the cudaStream_t to queue the work on; the kernel returns without waiting. nullptr on the
  // CPU.
  virtual void* stream() const = 0;
};

// What runs an operator on one kind of device.
struct OperatorKernel {
  DeviceKind device = DeviceKind::cpu;  // cpu or cuda
  std::vector<DType> dtypes;            // that input 0 may have; empty: all
  std::function<void(OperatorCall&)> run;
};

inline constexpr int kAnyNumber = INT_MAX;

struct OperatorDefinition {
  std::string domain;     // as models import it, for example "my.domain"; not one of ONNX's own
  std::string name;       // the op_type of nodes
  int since_version = 1;  // the lowest version of the domain whose nodes mean this
  // How many a node may have. Inputs from min_inputs on may be left out.
  int min_inputs = 1, max_inputs = 1;
  int min_outputs = 1, max_outputs = 1;
  std::vector<OperatorAttribute> attributes;
  // Equal inputs give equal outputs: nodes may be merged, and run at load where inputs are
  // constant.
  bool deterministic = true;
  std::function<void(OperatorInference&)> infer;
  // On a device without a kernel for it a node is refused, or runs on the CPU where the request
  // allows that, with the reason no_kernel; for other types than a kernel's, dtype. `sim` runs
  // Ferry's own CUDA kernels only.
  std::vector<OperatorKernel> kernels;
};

// Makes the operator known to models that are loaded from now on. Thread-safe. Throws Error
// invalid_argument: a name that is taken or malformed, no shape rule, a kernel without a function
// or for another device, two kernels for one device and type, attributes of one name.
FERRY_API void register_operator(OperatorDefinition definition);

}  // namespace ferry
