// Convolutions by cuDNN 9, through its backend interface.
#include "kernels/cuda/dnn.h"

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

#include "devices/cuda/error.h"
#include "ferry/error.h"
#include "kernels/cuda/activation.h"
#include "kernels/cuda/bias.h"
#include "kernels/cuda/cudnn_abi.h"
#include "kernels/cuda/library.h"

namespace ferry::cuda {
namespace {

using namespace cudnn;

struct Cudnn {
  Library library{{"libcudnn.so.9"}};
  CreateFn* create;
  SetStreamFn* set_stream;
  CreateDescriptorFn* create_descriptor;
  DescriptorFn* destroy_descriptor;
  DescriptorFn* finalize;
  SetAttributeFn* set_attribute;
  GetAttributeFn* get_attribute;
  ExecuteFn* execute;

  Cudnn() {
    library.find(create, "cudnnCreate");
    library.find(set_stream, "cudnnSetStream");
    library.find(create_descriptor, "cudnnBackendCreateDescriptor");
    library.find(destroy_descriptor, "cudnnBackendDestroyDescriptor");
    library.find(finalize, "cudnnBackendFinalize");
    library.find(set_attribute, "cudnnBackendSetAttribute");
    library.find(get_attribute, "cudnnBackendGetAttribute");
    library.find(execute, "cudnnBackendExecute");
  }
};

const Cudnn& library() { return loaded<Cudnn>(); }

// The handle of a device. It carries the stream that it works on, so a call holds the lock while it
// queues its work.
struct DeviceHandle {
  std::mutex mutex;
  Handle handle = nullptr;
};

// nullptr when cuDNN refuses the device, which is current.
DeviceHandle* handle_of(int device) {
  static auto& handles = *new PerDevice<DeviceHandle>;
  DeviceHandle& found = handles.of(device, [](DeviceHandle& made) {
    if (library().create(&made.handle) != kSuccess) made.handle = nullptr;
  });
  return found.handle ? &found : nullptr;
}

// What building a plan throws inside this file when cuDNN declines a step.
struct Declined {};

void require(int status) {
  if (status != kSuccess) throw Declined();
}

// A backend descriptor. Attributes are set, then finalize() makes it usable.
class Object {
 public:
  explicit Object(DescriptorType type) { require(library().create_descriptor(type, &object_)); }
  ~Object() {
    if (object_) library().destroy_descriptor(object_);
  }
  Object(Object&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Object& operator=(Object&& other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }

  Descriptor get() const { return object_; }

  template <typename T>
  Object& set(Attribute name, AttributeType type, const std::vector<T>& values) {
    require(library().set_attribute(object_, name, type, static_cast<int64_t>(values.size()),
                                    values.data()));
    return *this;
  }
  template <typename T>
  Object& set(Attribute name, AttributeType type, const T& value) {
    require(library().set_attribute(object_, name, type, 1, &value));
    return *this;
  }
  Object& set(Attribute name, const Object& value) {
    return set(name, kTypeDescriptor, value.get());
  }
  Object& finalize() {
    require(library().finalize(object_));
    return *this;
  }

 private:
  Descriptor object_ = nullptr;
};

int data_type(DType dtype) {
  switch (dtype) {
    case float32:
      return kFloat;
    case float64:
      return kDouble;
    case float16:
      return kHalf;
    default:
      return kBFloat16;
  }
}

enum Id : int64_t { kIdX = 1, kIdW = 2, kIdY = 3 };

Object dense_tensor(Id id, DType dtype, const std::vector<int64_t>& sizes) {
  std::vector<int64_t> strides(sizes.size());
  int64_t stride = 1;
  for (size_t i = sizes.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= sizes[i];
  }
  Object tensor(kTensor);
  tensor.set(kTensorDataType, kTypeDataType, data_type(dtype))
      .set(kTensorDimensions, kTypeInt64, sizes)
      .set(kTensorStrides, kTypeInt64, strides)
      .set(kTensorId, kTypeInt64, int64_t{id})
      .set(kTensorAlignment, kTypeInt64, int64_t{16})
      .finalize();
  return tensor;
}

// Whether an engine computes what was asked for: float32 without TF32, and the same bits each time.
bool is_acceptable(Descriptor config, DType dtype) {
  Object engine(kEngine);
  Descriptor engines[] = {engine.get()};
  int64_t count = 0;
  require(
      library().get_attribute(config, kEngineConfigEngine, kTypeDescriptor, 1, &count, engines));
  std::vector<int> notes(kMaxNumericalNotes);
  require(library().get_attribute(engine.get(), kEngineNumericalNotes, kTypeNumericalNote,
                                  kMaxNumericalNotes, &count, notes.data()));
  notes.resize(static_cast<size_t>(std::min<int64_t>(count, kMaxNumericalNotes)));
  const bool exact = dtype == float32 || dtype == float64;
  return std::none_of(notes.begin(), notes.end(), [&](int note) {
    return note == kNondeterministic || note == kReducedPrecisionReduction ||
           note == kDownConvertInputs || (exact && note == kTensorCore);
  });
}

class CudnnConv final : public ConvPlan {
 public:
  // Throws Declined.
  CudnnConv(const ConvProblem& problem, DeviceHandle& device)
      : problem_(problem), device_(device), plan_(kExecutionPlan) {
    const Object graph = make_graph();
    for (const int mode : {kModeA, kModeFallback}) {
      if (choose_engine(graph, mode)) return;
    }
    throw Declined();
  }

  size_t workspace_bytes() const override { return workspace_bytes_; }

  void run(cudaStream_t stream, const void* x, const void* w, const void* bias, void* y,
           void* workspace) const override {
    // cuDNN adds to y what it holds.
    if (problem_.bias) {
      spread_bias(stream, problem_.dtype, bias, y, problem_.batch,
                  problem_.groups * problem_.out_channels, problem_.y_size());
    }
    int status = 0;
    try {
      Object pack(kVariantPack);
      pack.set(kPackIds, kTypeInt64, std::vector<int64_t>{kIdX, kIdW, kIdY})
          .set(kPackPointers, kTypePointer,
               std::vector<void*>{const_cast<void*>(x), const_cast<void*>(w), y})
          .set(kPackWorkspace, kTypePointer, workspace)
          .finalize();
      const std::lock_guard lock(device_.mutex);
      status = library().set_stream(device_.handle, stream);
      if (status == kSuccess) status = library().execute(device_.handle, plan_.get(), pack.get());
    } catch (const Declined&) {
      status = -1;
    }
    if (status != kSuccess) {
      throw Error(ErrorCode::device_failed,
                  "cuDNN refused a convolution with status " + std::to_string(status) + ".");
    }
    queue_activation(stream, problem_.activation, problem_.dtype, y, problem_.y_elements());
  }

 private:
  // One operation. A transposed convolution is the gradient of a convolution by its input.
  Object make_graph() const {
    const ConvProblem& p = problem_;
    std::vector<int64_t> inputs, outputs, kernel, stride, dilation, before, after;
    const auto add = [&](const Window::Axis& axis) {
      inputs.push_back(axis.input);
      outputs.push_back(axis.output);
      kernel.push_back(axis.kernel);
      stride.push_back(axis.stride);
      dilation.push_back(axis.dilation);
      before.push_back(axis.pad);
      // What is missing at the end, so that the sizes at both ends agree.
      const int64_t reach = (axis.output - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1;
      after.push_back(std::max<int64_t>(0, reach - axis.input - axis.pad));
    };
    if (p.window.rank() == 1) add({1, 1, 1, 1, 1, 0, 0});  // cuDNN wants two spatial axes or more
    for (const Window::Axis& axis : p.window.axes) add(axis);

    const auto shape = [](int64_t a, int64_t b, const std::vector<int64_t>& rest) {
      std::vector<int64_t> sizes{a, b};
      sizes.insert(sizes.end(), rest.begin(), rest.end());
      return sizes;
    };
    const int64_t in = p.groups * p.in_channels, out = p.groups * p.out_channels;
    const Object x =
        dense_tensor(kIdX, p.dtype, shape(p.batch, in, p.transposed ? outputs : inputs));
    const Object w = dense_tensor(
        kIdW, p.dtype,
        shape(p.transposed ? in : out, p.transposed ? p.out_channels : p.in_channels, kernel));
    const Object y =
        dense_tensor(kIdY, p.dtype, shape(p.batch, out, p.transposed ? inputs : outputs));

    Object convolution(kConvolution);
    convolution.set(kConvolutionSpatialDims, kTypeInt64, static_cast<int64_t>(inputs.size()))
        .set(kConvolutionComputeType, kTypeDataType, p.dtype == float64 ? kDouble : kFloat)
        .set(kConvolutionMode, kTypeConvolutionMode, kCrossCorrelation)
        .set(kConvolutionDilations, kTypeInt64, dilation)
        .set(kConvolutionStrides, kTypeInt64, stride)
        .set(kConvolutionPrePaddings, kTypeInt64, before)
        .set(kConvolutionPostPaddings, kTypeInt64, after)
        .finalize();

    Object operation(p.transposed ? kOperationBackwardData : kOperationForward);
    operation.set(p.transposed ? kBackwardDataConvolution : kForwardConvolution, convolution)
        .set(p.transposed ? kBackwardDataY : kForwardX, x)
        .set(p.transposed ? kBackwardDataW : kForwardW, w)
        .set(p.transposed ? kBackwardDataX : kForwardY, y);
    const double alpha = 1, beta = p.bias ? 1 : 0;
    if (p.dtype == float64) {
      operation.set(p.transposed ? kBackwardDataAlpha : kForwardAlpha, kTypeDouble, alpha)
          .set(p.transposed ? kBackwardDataBeta : kForwardBeta, kTypeDouble, beta);
    } else {
      operation
          .set(p.transposed ? kBackwardDataAlpha : kForwardAlpha, kTypeFloat,
               static_cast<float>(alpha))
          .set(p.transposed ? kBackwardDataBeta : kForwardBeta, kTypeFloat,
               static_cast<float>(beta));
    }
    operation.finalize();

    Object graph(kOperationGraph);
    graph.set(kGraphHandle, kTypeHandle, device_.handle)
        .set(kGraphOperations, operation)
        .finalize();
    return graph;
  }

  // Takes the first acceptable engine that the heuristic names; false when there is none.
  bool choose_engine(const Object& graph, int mode) {
    constexpr int64_t kMaxConfigs = 16;
    Object heuristics(kEngineHeuristics);
    std::vector<Object> configs;
    std::vector<Descriptor> raw;
    int64_t count = 0;
    try {
      heuristics.set(kHeuristicsGraph, graph)
          .set(kHeuristicsMode, kTypeHeuristicMode, mode)
          .finalize();
      for (int64_t i = 0; i < kMaxConfigs; ++i) {
        raw.push_back(configs.emplace_back(kEngineConfig).get());
      }
      require(library().get_attribute(heuristics.get(), kHeuristicsResults, kTypeDescriptor,
                                      kMaxConfigs, &count, raw.data()));
    } catch (const Declined&) {
      return false;
    }
    for (int64_t i = 0; i < std::min(count, kMaxConfigs); ++i) {
      try {
        if (!is_acceptable(raw[i], problem_.dtype)) continue;
        Object plan(kExecutionPlan);
        plan.set(kPlanHandle, kTypeHandle, device_.handle)
            .set(kPlanEngineConfig, kTypeDescriptor, raw[i])
            .finalize();
        int64_t bytes = 0, got = 0;
        require(
            library().get_attribute(plan.get(), kPlanWorkspaceSize, kTypeInt64, 1, &got, &bytes));
        plan_ = std::move(plan);
        workspace_bytes_ = static_cast<size_t>(bytes);
        return true;
      } catch (const Declined&) {
        continue;  // the next one
      }
    }
    return false;
  }

  ConvProblem problem_;
  DeviceHandle& device_;
  Object plan_;
  size_t workspace_bytes_ = 0;
};

}  // namespace

std::unique_ptr<ConvPlan> make_library_conv(const ConvProblem& problem, int device) {
  if (!library().library.error().empty()) return nullptr;
  const DeviceScope scope(device);
  DeviceHandle* handle = handle_of(device);
  if (!handle) return nullptr;
  try {
    return std::make_unique<CudnnConv>(problem, *handle);
  } catch (const Declined&) {
    return nullptr;
  }
}

std::string missing_dnn() {
  const std::string& error = library().library.error();
  return error.empty() ? "" : "cuDNN 9: " + error;
}

}  // namespace ferry::cuda
