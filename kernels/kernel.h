#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/function_ref.h"
#include "core/support.h"
#include "core/thread_pool.h"
#include "core/type_set.h"
#include "devices/device.h"
#include "ferry/tensor.h"
#include "graph/attributes.h"

// The contract between the executor and what runs on a device.
//
// A kernel is one row of a constexpr table: which operator and device it is for, what it can do,
// how it is prepared once for given shapes, and how it runs. Kernels never print, never know a
// node's name, keep no global state, and allocate only in prepare() and through RunContext. They
// throw ferry::Error without a place; the executor adds it. Nothing here may trust data: an index
// or size that comes from a tensor is checked at run time.
namespace ferry {

// What is known of one input or output of a node.
struct TensorFacts {
  bool present = false;
  DType dtype = DType::undefined;
  bool has_shape = false;            // false: not even the rank is known
  Shape shape;                       // -1 where a size is not known
  const Tensor* constant = nullptr;  // host tensor, where the contents are known before the run

  int64_t rank() const { return static_cast<int64_t>(shape.size()); }
  bool concrete() const;  // has_shape, and no -1
};

// One node as kernels see it. In supports(), sizes may be missing; in prepare(), every present
// input is concrete, and so is every output unless its shape depends on data. The contents of host
// inputs (Kernel::host_inputs) are known in prepare(), except If's and Loop's.
struct NodeFacts {
  std::string_view op;
  const Attributes* attributes = nullptr;
  std::vector<TensorFacts> inputs;
  std::vector<TensorFacts> outputs;

  const TensorFacts& input(int i) const { return inputs[i]; }
  const TensorFacts& output(int i) const { return outputs[i]; }
  bool has_input(int i) const {
    return i >= 0 && i < static_cast<int>(inputs.size()) && inputs[i].present;
  }
  bool has_output(int i) const {
    return i < static_cast<int>(outputs.size()) && outputs[i].present;
  }
};

// What prepare() made of one node: checked sizes, chosen algorithm, packed weights. Immutable while
// it runs; run() may be called from several threads at once, each with its own RunContext.
class KernelState {
 public:
  virtual ~KernelState() = default;
};

// What prepare() may ask of the executor.
class Prepare {
 public:
  virtual ~Prepare() = default;
  // Bytes of scratch memory on the kernel's device that run() gets as RunContext::workspace.
  virtual void set_workspace(size_t bytes) = 0;
  virtual ThreadPool& threads() = 0;           // the CPU pool that runs will use
  virtual DeviceBackend* backend() const = 0;  // nullptr on the CPU
  // What `make` returned the first time for this node's constant input and `layout`; later plans of
  // the same model share it. For packed weights: run() may get nullptr for an input that was asked
  // for here, so that the weight itself need not stay in memory. `make` should read it through
  // Storage::unaligned(), which spares a copy.
  virtual std::shared_ptr<const void> cached(int input, std::string_view layout,
                                             FunctionRef<std::shared_ptr<const void>()> make) = 0;
  // A copy of `bytes` on the kernel's device that lives as long as its handles: for tables that
  // run() reads there. Kernel::table_bytes declares them.
  virtual std::shared_ptr<const void> upload(std::span<const std::byte> bytes);
};

// Runs the bodies of If, Loop and Scan. Tensors live where the body's placement has its inputs and
// outputs; captured values are passed by the executor.
class BodyRunner {
 public:
  virtual ~BodyRunner() = default;
  virtual std::vector<Tensor> run(int body, std::span<const Tensor> inputs) = 0;
};

// Gives memory to late outputs, whose shape is known only now: run() makes each that is present,
// once, with allocate() or set().
class OutputAllocator {
 public:
  virtual ~OutputAllocator() = default;
  // Memory for output i on the kernel's device (host for a host output); sets its shape.
  virtual void* allocate(int output, std::span<const int64_t> shape) = 0;
  // Makes `tensor` the value of output i. It must have the output's dtype and be on its device.
  virtual void set(int output, Tensor tensor) = 0;
  // Input i as a Tensor handle, for control flow.
  virtual Tensor input(int input) = 0;
};

// One call of a kernel. Pointers are device addresses, except for host ports. A tensor without
// elements may come as nullptr; so does an absent input or output.
struct RunContext {
  const void* const* inputs = nullptr;
  void* const* outputs = nullptr;
  void* workspace = nullptr;
  ThreadPool* threads = nullptr;         // CPU kernels, and host work
  Stream* stream = nullptr;              // CUDA kernels queue their work here and return
  OutputAllocator* allocator = nullptr;  // for Kernel::late_outputs
  BodyRunner* bodies = nullptr;          // If, Loop, Scan
  const WorkSite* site = nullptr;        // for errors that only the device sees; only handed on

  template <typename T>
  const T* input(int i) const {
    return static_cast<const T*>(inputs[i]);
  }
  template <typename T>
  T* output(int i) const {
    return static_cast<T*>(outputs[i]);
  }
};

struct Kernel {
  std::string_view op;
  // The dtypes that input 0 may have (output 0 for operators without inputs); kAnyType: supports()
  // decides.
  TypeSet types;
  std::unique_ptr<KernelState> (*prepare)(const NodeFacts& node, Prepare& prepare) = nullptr;
  void (*run)(const KernelState* state, const RunContext& context) = nullptr;
  Support (*supports)(const NodeFacts& node) = nullptr;  // nullptr: types alone decide
  Ports host_inputs = {};      // read by the host: their pointers are host addresses
  Ports metadata_inputs = {};  // only dtype and shape are read: pointers may be anything
  Ports host_outputs = {};     // written by the host
  // Outputs that run() gives memory to (RunContext::allocator) where prepare() did not know their
  // shape. Any other output is concrete whenever run() is called.
  Ports late_outputs = {};
  // Inputs whose memory output 0 may take, where both have one dtype and as many bytes.
  Ports in_place = {};
  // Output 0 is the bytes of input 0 under another shape; run() is never called.
  bool view = false;
  // What the kernel moves between host and device for itself, beside the copies of the plan. Bytes
  // that each run() reads back through RunContext::stream, such as a count that sizes the output;
  // and bytes that prepare() uploads, -1 while the sizes are not known.
  int32_t read_back = 0;
  int64_t (*table_bytes)(const NodeFacts& node) = nullptr;  // nullptr: none
};

// Rows of one family on one device, in order of preference for the same operator: the first row
// that supports a node runs it.
using KernelFamily = std::span<const Kernel>;

// The CPU's families (kernels/cpu/table.cc). A device's families: device_kernels().
std::span<const KernelFamily> cpu_kernels();

// The rows of a device by operator. Immutable.
class KernelTable {
 public:
  explicit KernelTable(std::span<const KernelFamily> families);

  // The first row for `node`; nullptr when there is none, and then `why` says why the nearest row
  // refused.
  const Kernel* find(const NodeFacts& node, Support* why = nullptr) const;

 private:
  std::unordered_map<std::string_view, std::vector<const Kernel*>> rows_;
};

// kernel.prepare() once the sizes of the node's inputs are known to fit together (kernels/sizes.h),
// which a kernel may take for granted. Throws Error runtime where they do not.
std::unique_ptr<KernelState> prepare_kernel(const Kernel& kernel, const NodeFacts& node,
                                            Prepare& prepare);

}  // namespace ferry
