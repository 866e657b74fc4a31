#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "devices/copy.h"
#include "devices/cuda/stream.h"
#include "devices/device.h"
#include "devices/emulation/emulation.h"
#include "kernels/cuda/blas.h"
#include "kernels/cuda/dnn.h"
#include "tests/support/kernel_harness.h"

// The seams to vendor libraries: the library (under emulation, the CPU's kernels) and our own plain
// kernels give what the definition gives.
namespace ferry::cuda {
namespace {

using test::Random;

class SeamTest : public ::testing::Test {
 protected:
  void TearDown() override { emulation::configure({}); }

  DeviceBackend& sim_ = backend(Device("sim:0"));
  std::unique_ptr<Stream> stream_ = sim_.create_stream();

  cudaStream_t stream() { return static_cast<CudaStream&>(*stream_).activate(); }
  Tensor on_device(const Tensor& host) { return host.to(sim_.device()); }
  // Runs `plan` with a workspace of the size that it asks for.
  template <typename Plan, typename F>
  void run(const Plan& plan, F&& f) {
    void* workspace = sim_.allocate(plan.workspace_bytes());
    f(workspace);
    stream_->synchronize();
    sim_.free(workspace);
  }
};

// Two activations that the definitions below know, and none.
constexpr Activation kActivations[] = {
    {}, {ActivationKind::leaky_relu, {0.5f}}, {ActivationKind::clip, {-0.25f, 1.5f}}};

double activated(const Activation& activation, double x) {
  const float* p = activation.parameters;
  if (activation.kind == ActivationKind::leaky_relu) return x < 0 ? x * p[0] : x;
  return activation.kind == ActivationKind::clip ? std::clamp<double>(x, p[0], p[1]) : x;
}

// By the definition, in double.
Tensor expected_product(const GemmProblem& p, const Tensor& a, const Tensor& b, const Tensor& c) {
  const Tensor wa = a.to(float64), wb = b.to(float64);
  Tensor result = c.to(float64, {.copy = true});
  const double* pa = wa.span<double>().data();
  const double* pb = wb.span<double>().data();
  double* pc = result.mutable_span<double>().data();
  for (int64_t i = 0; i < p.batch; ++i) {
    for (int64_t row = 0; row < p.m; ++row) {
      for (int64_t column = 0; column < p.n; ++column) {
        double sum = 0;
        for (int64_t k = 0; k < p.k; ++k) {
          const double x = pa[i * p.stride_a + (p.transpose_a ? k * p.m + row : row * p.k + k)];
          const double y =
              pb[i * p.stride_b + (p.transpose_b ? column * p.k + k : k * p.n + column)];
          sum += x * y;
        }
        double& out = pc[i * p.stride_c + row * p.n + column];
        out =
            activated(p.activation, static_cast<double>(p.alpha) * sum + (p.accumulate ? out : 0));
      }
    }
  }
  return result.to(c.dtype());
}

test::Tolerance tolerance_of(DType dtype) {
  switch (dtype) {
    case float16:
      return {2e-3, 2e-3};
    case bfloat16:
      return {1.6e-2, 1.6e-2};
    case float64:
      return {1e-13, 1e-13};
    case float32:
      return {2e-5, 2e-5};
    default:
      return test::kExact;
  }
}

TEST_F(SeamTest, ProductsFollowTheDefinition) {
  Random random;
  SCOPED_TRACE("FERRY_TEST_SEED=" + std::to_string(random.seed()));
  constexpr DType kTypes[] = {float32, float64, float16, bfloat16, int32, int64, uint32, uint64};
  for (int round = 0; round < 60; ++round) {
    GemmProblem p;
    p.dtype = kTypes[round % std::size(kTypes)];
    const bool exact = is_integer(p.dtype);
    p.m = random.integer(1, 40);
    p.n = random.integer(1, 40);
    p.k = random.integer(round % 7 == 0 ? 0 : 1, 50);
    p.transpose_a = random.integer(0, 1) == 1;
    p.transpose_b = random.integer(0, 1) == 1;
    p.alpha = exact ? 1 : static_cast<float>(random.real(-2, 2));
    p.accumulate = random.integer(0, 1) == 1;
    if (!exact) p.activation = kActivations[random.integer(0, 2)];
    p.batch = random.integer(1, 3);
    p.stride_a = p.m * p.k;
    p.stride_b = random.integer(0, 1) * p.k * p.n;
    p.stride_c = p.m * p.n;
    const double low = is_signed(p.dtype) ? -2 : 0;
    const Tensor a = random.tensor({p.batch * p.m * p.k}, p.dtype, low, 2);
    const Tensor b = random.tensor({p.batch * p.k * p.n}, p.dtype, low, 2);
    const Tensor c = random.tensor({p.batch * p.m * p.n}, p.dtype, low, 2);
    const Tensor wanted = expected_product(p, a, b, c);
    for (const bool library : {true, false}) {
      for (const auto order : {emulation::ThreadOrder::forward, emulation::ThreadOrder::reverse}) {
        SCOPED_TRACE(std::string(to_string(p.dtype)) + (library ? " library" : " plain") +
                     " round " + std::to_string(round));
        emulation::configure({.order = order, .alignment = 16});
        const auto plan = library ? make_library_gemm(p, 0) : make_plain_gemm(p);
        if (!plan) continue;  // the library does not do this type
        const Tensor da = on_device(a), db = on_device(b), dc = on_device(c);
        run(*plan, [&](void* workspace) {
          plan->run(stream(), da.data(), db.data(), const_cast<void*>(dc.data()), workspace);
        });
        EXPECT_EQ(test::difference(dc.cpu(), wanted, tolerance_of(p.dtype)), "");
      }
    }
  }
}

TEST_F(SeamTest, TheLibraryDoesWhatNetworksNeed) {
  for (const DType dtype : {float32, float64}) {
    GemmProblem product;
    product.dtype = dtype;
    product.m = product.n = product.k = 1;
    EXPECT_NE(make_library_gemm(product, 0), nullptr);
    ConvProblem convolution;
    convolution.dtype = dtype;
    convolution.batch = convolution.in_channels = convolution.out_channels = 1;
    convolution.window.axes.push_back({1, 1, 1, 1, 1, 0, 0});
    EXPECT_NE(make_library_conv(convolution, 0), nullptr);
  }
}

// Every tap of every position, by the definition, in double.
Tensor expected_convolution(const ConvProblem& p, const Tensor& x, const Tensor& w,
                            const Tensor& bias) {
  const Tensor wx = x.to(float64), ww = w.to(float64), wb = bias.to(float64);
  const double* px = wx.span<double>().data();
  const double* pw = ww.span<double>().data();
  const double* pb = wb.span<double>().data();
  const int64_t in = p.groups * p.in_channels, out = p.groups * p.out_channels;
  Tensor result = Tensor::zeros({p.batch * out * p.y_size()}, float64);
  double* py = result.mutable_span<double>().data();
  for (int64_t i = 0; i < p.batch * out * p.y_size(); ++i) {
    if (p.bias) py[i] = pb[i / p.y_size() % out];
  }
  const auto& axes = p.window.axes;
  const auto position = [&](int64_t index, bool of_output) {
    std::vector<int64_t> at(axes.size());
    for (size_t a = axes.size(); a-- > 0;) {
      const int64_t size = of_output ? axes[a].output : axes[a].input;
      at[a] = index % size;
      index /= size;
    }
    return at;
  };
  // `o` runs over the window's output, `t` over its taps; the input position follows.
  for (int64_t n = 0; n < p.batch; ++n) {
    for (int64_t o = 0; o < p.window.output_size(); ++o) {
      const auto at = position(o, true);
      for (int64_t t = 0; t < p.window.kernel_size(); ++t) {
        int64_t from = 0, rest = t, scale = 1;
        bool inside = true;
        for (size_t a = axes.size(); a-- > 0;) {
          const int64_t place =
              at[a] * axes[a].stride - axes[a].pad + rest % axes[a].kernel * axes[a].dilation;
          rest /= axes[a].kernel;
          inside = inside && place >= 0 && place < axes[a].input;
          from += place * scale;
          scale *= axes[a].input;
        }
        if (!inside) continue;
        for (int64_t g = 0; g < p.groups; ++g) {
          for (int64_t ci = 0; ci < p.in_channels; ++ci) {
            for (int64_t co = 0; co < p.out_channels; ++co) {
              const int64_t x_channel = g * p.in_channels + ci;
              const int64_t y_channel = g * p.out_channels + co;
              const int64_t weight =
                  p.transposed ? x_channel * p.out_channels + co : y_channel * p.in_channels + ci;
              const double tap = pw[weight * p.window.kernel_size() + t];
              const int64_t x_at = p.transposed ? o : from, y_at = p.transposed ? from : o;
              py[(n * out + y_channel) * p.y_size() + y_at] +=
                  px[(n * in + x_channel) * p.x_size() + x_at] * tap;
            }
          }
        }
      }
    }
  }
  for (double& y : result.mutable_span<double>()) y = activated(p.activation, y);
  return result.to(x.dtype());
}

TEST_F(SeamTest, ConvolutionsFollowTheDefinition) {
  Random random;
  SCOPED_TRACE("FERRY_TEST_SEED=" + std::to_string(random.seed()));
  constexpr DType kTypes[] = {float32, float64, float16, bfloat16};
  for (int round = 0; round < 40; ++round) {
    ConvProblem p;
    p.dtype = kTypes[round % std::size(kTypes)];
    p.transposed = random.integer(0, 1) == 1;
    p.bias = random.integer(0, 1) == 1;
    p.activation = kActivations[random.integer(0, 2)];
    p.batch = random.integer(1, 2);
    p.groups = random.integer(1, 2);
    p.in_channels = random.integer(1, 3);
    p.out_channels = random.integer(1, 3);
    const int64_t rank = random.integer(1, 3);
    for (int64_t i = 0; i < rank; ++i) {
      Window::Axis axis{};
      axis.kernel = random.integer(1, 3);
      axis.stride = random.integer(1, 2);
      axis.dilation = random.integer(1, 2);
      axis.pad = random.integer(0, 2);
      axis.pad_end = random.integer(0, 2);
      const int64_t reach = (axis.kernel - 1) * axis.dilation + 1;
      axis.output = random.integer(1, 4);
      axis.input = (axis.output - 1) * axis.stride + reach - axis.pad - axis.pad_end;
      if (axis.input < 1) axis.input = 1;
      p.window.axes.push_back(axis);
    }
    const int64_t in = p.groups * p.in_channels, out = p.groups * p.out_channels;
    const Tensor x = random.tensor({p.batch * in * p.x_size()}, p.dtype, -1, 1);
    const Tensor w = random.tensor(
        {(p.transposed ? in * p.out_channels : out * p.in_channels) * p.window.kernel_size()},
        p.dtype, -1, 1);
    const Tensor bias = random.tensor({out}, p.dtype, -1, 1);
    const Tensor wanted = expected_convolution(p, x, w, bias);
    for (const bool library : {true, false}) {
      SCOPED_TRACE(std::string(to_string(p.dtype)) + (library ? " library" : " plain") +
                   (p.transposed ? " transposed" : "") + " round " + std::to_string(round));
      const auto plan = library ? make_library_conv(p, 0) : make_plain_conv(p);
      if (!plan) continue;  // the library does not do this problem
      const Tensor dx = on_device(x), dw = on_device(w), db = on_device(bias);
      Tensor y = Tensor::empty(wanted.shape(), p.dtype, sim_.device());
      run(*plan, [&](void* workspace) {
        plan->run(stream(), dx.data(), dw.data(), p.bias ? db.data() : nullptr, y.mutable_data(),
                  workspace);
      });
      EXPECT_EQ(test::difference(y.cpu(), wanted, tolerance_of(p.dtype)), "");
    }
  }
}

}  // namespace
}  // namespace ferry::cuda
