// The library under emulation: the CPU's convolution, in the order of the stream.
#include "core/thread_pool.h"
#include "devices/cuda/error.h"
#include "devices/emulation/emulation.h"
#include "kernels/cpu/engine/conv.h"
#include "kernels/cuda/dnn.h"
#include "kernels/cuda/emulated_pool.h"

namespace ferry::cuda {
namespace {

template <typename T>
class EmulatedConv final : public ConvPlan {
 public:
  explicit EmulatedConv(const ConvProblem& problem) {
    shape_.batch = problem.batch;
    shape_.groups = problem.groups;
    shape_.in_channels = problem.in_channels;
    shape_.out_channels = problem.out_channels;
    shape_.window = problem.window;
    activation_ = cpu::activation_function(problem.activation, problem.dtype);
  }

  void run(cudaStream_t stream, const void* x, const void* w, const void* bias, void* y,
           void*) const override {
    const auto view = [](const void* p) { return static_cast<T*>(emulation::kernel_view(p)); };
    const cpu::ConvolutionTensors<T> tensors{view(x), view(w), bias ? view(bias) : nullptr,
                                             view(y), nullptr, activation_};
    // A copy of the sizes: the plan may be gone when the work runs.
    check(emulation::queue_host_work(
              "convolution", stream,
              [shape = shape_, tensors] { cpu::convolve(shape, tensors, &emulated_pool()); }),
          "queue a convolution");
  }

 private:
  cpu::Convolution shape_;
  cpu::ActivationFunction activation_;
};

}  // namespace

std::unique_ptr<ConvPlan> make_library_conv(const ConvProblem& problem, int) {
  if (problem.transposed) return nullptr;
  if (problem.dtype == float32) return std::make_unique<EmulatedConv<float>>(problem);
  if (problem.dtype == float64) return std::make_unique<EmulatedConv<double>>(problem);
  return nullptr;
}

std::string missing_dnn() { return ""; }

}  // namespace ferry::cuda
