// Convolutions by kernels of our own: a thread for each element of the output.
#include "devices/cuda/error.h"
#include "kernels/cuda/dnn.h"
#include "kernels/cuda/element.h"
#include "kernels/cuda/map.h"
#include "kernels/cuda/unary_operators.h"
#include "kernels/cuda/window3.h"

namespace ferry::cuda {
namespace {

template <typename T>
struct ConvArguments {
  Window3 window;
  FastDivide channels;      // of y: all groups
  FastDivide out_channels;  // of a group
  int64_t groups, in_channels, kernel_size;
  const T* x;
  const T* w;
  const T* bias;  // or nullptr
  T* y;
  Activation activation;
};

template <typename T>
struct ConvForwardMap {
  ConvArguments<T> p;

  __device__ void operator()(uint32_t index) const {
    using C = Compute<T>;
    int64_t at[3];
    const uint32_t plane = unravel3(index, p.window.outputs, at);
    const uint32_t image = p.channels.divide(plane);
    const uint32_t channel = plane - image * p.channels.divisor;
    const uint32_t group = p.out_channels.divide(channel);
    const auto& [a0, a1, a2] = p.window.axes;
    const int64_t size = a0.input * a1.input * a2.input;
    const T* x = p.x + (int64_t{image} * p.groups + group) * p.in_channels * size;
    const T* w = p.w + int64_t{channel} * p.in_channels * p.kernel_size;
    C sum = p.bias ? static_cast<C>(p.bias[channel]) : C(0);
    for (int64_t c = 0; c < p.in_channels; ++c, x += size) {
      for (int64_t i = 0; i < a0.kernel; ++i) {
        const int64_t x0 = at[0] * a0.stride - a0.pad + i * a0.dilation;
        if (x0 < 0 || x0 >= a0.input) continue;
        for (int64_t j = 0; j < a1.kernel; ++j) {
          const int64_t x1 = at[1] * a1.stride - a1.pad + j * a1.dilation;
          if (x1 < 0 || x1 >= a1.input) continue;
          const T* row = x + (x0 * a1.input + x1) * a2.input;
          const T* taps = w + ((c * a0.kernel + i) * a1.kernel + j) * a2.kernel;
          for (int64_t k = 0; k < a2.kernel; ++k) {
            const int64_t x2 = at[2] * a2.stride - a2.pad + k * a2.dilation;
            if (x2 >= 0 && x2 < a2.input) sum += static_cast<C>(row[x2]) * static_cast<C>(taps[k]);
          }
        }
      }
    }
    p.y[index] = static_cast<T>(activate(p.activation, sum));
  }
};

// The position of the transposed convolution's input whose tap `tap` lands on output position `at`,
// or -1.
__device__ inline int64_t transposed_source(const Window3::Axis& axis, int64_t at, int64_t tap) {
  const int64_t from = at + axis.pad - tap * axis.dilation;
  if (from < 0 || from % axis.stride != 0) return -1;
  return from / axis.stride < axis.output ? from / axis.stride : -1;
}

template <typename T>
struct ConvTransposedMap {
  ConvArguments<T> p;

  __device__ void operator()(uint32_t index) const {
    using C = Compute<T>;
    int64_t at[3];
    const uint32_t plane = unravel3(index, p.window.inputs, at);
    const uint32_t image = p.channels.divide(plane);
    const uint32_t channel = plane - image * p.channels.divisor;
    const uint32_t group = p.out_channels.divide(channel);
    const auto& [a0, a1, a2] = p.window.axes;
    const int64_t size = a0.output * a1.output * a2.output;
    const int64_t first_in = int64_t{group} * p.in_channels;
    const T* x = p.x + (int64_t{image} * p.groups * p.in_channels + first_in) * size;
    const T* w =
        p.w + (first_in * p.out_channels.divisor + channel - group * p.out_channels.divisor) *
                  p.kernel_size;
    C sum = p.bias ? static_cast<C>(p.bias[channel]) : C(0);
    for (int64_t i = 0; i < a0.kernel; ++i) {
      const int64_t x0 = transposed_source(a0, at[0], i);
      if (x0 < 0) continue;
      for (int64_t j = 0; j < a1.kernel; ++j) {
        const int64_t x1 = transposed_source(a1, at[1], j);
        if (x1 < 0) continue;
        for (int64_t k = 0; k < a2.kernel; ++k) {
          const int64_t x2 = transposed_source(a2, at[2], k);
          if (x2 < 0) continue;
          const T* from = x + (x0 * a1.output + x1) * a2.output + x2;
          const T* tap = w + (i * a1.kernel + j) * a2.kernel + k;
          for (int64_t c = 0; c < p.in_channels; ++c) {
            sum += static_cast<C>(from[c * size]) *
                   static_cast<C>(tap[c * p.out_channels.divisor * p.kernel_size]);
          }
        }
      }
    }
    p.y[index] = static_cast<T>(activate(p.activation, sum));
  }
};

class PlainConv final : public ConvPlan {
 public:
  explicit PlainConv(const ConvProblem& problem)
      : problem_(problem),
        window_(problem.window),
        count_(
            map_count({problem.batch, problem.groups * problem.out_channels, problem.y_size()})) {
    map_count({problem.batch, problem.groups * problem.in_channels, problem.x_size()});
  }

  void run(cudaStream_t stream, const void* x, const void* w, const void* bias, void* y,
           void*) const override {
    visit(problem_.dtype, FloatTypes(), [&]<typename T>() {
      const ConvArguments<T> arguments{
          .window = window_,
          .channels = FastDivide(problem_.groups * problem_.out_channels),
          .out_channels = FastDivide(problem_.out_channels),
          .groups = problem_.groups,
          .in_channels = problem_.in_channels,
          .kernel_size = problem_.window.kernel_size(),
          .x = static_cast<const T*>(x),
          .w = static_cast<const T*>(w),
          .bias = static_cast<const T*>(bias),
          .y = static_cast<T*>(y),
          .activation = problem_.activation};
      if (problem_.transposed) {
        launch_map(stream, count_, ConvTransposedMap<T>{arguments});
      } else {
        launch_map(stream, count_, ConvForwardMap<T>{arguments});
      }
    });
  }

 private:
  ConvProblem problem_;
  Window3 window_;
  uint32_t count_;
};

}  // namespace

std::unique_ptr<ConvPlan> make_plain_conv(const ConvProblem& problem) {
  return std::make_unique<PlainConv>(problem);
}

}  // namespace ferry::cuda
