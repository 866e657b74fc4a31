// Conv and ConvTranspose.
#include <algorithm>

#include "core/storage.h"
#include "kernels/cpu/element.h"
#include "kernels/cpu/engine/conv.h"
#include "kernels/cpu/engine/loop.h"
#include "kernels/cpu/engine/through_float.h"
#include "kernels/cpu/families.h"
#include "kernels/epilogue.h"

namespace ferry::cpu {
namespace {

Support supports(const NodeFacts& node) {
  const TensorFacts& x = node.input(0);
  if (x.has_shape && x.rank() - 2 > kMaxSpatialRank) {
    return Support::no(ReasonCode::rank_or_layout,
                       "the input has " + std::to_string(x.rank() - 2) + " spatial axes");
  }
  return supports_activation(node);
}

std::vector<int64_t> kernel_of(const NodeFacts& node) {
  const Shape& w = node.input(1).shape;
  return {w.begin() + 2, w.end()};
}

// What every row here keeps; `run` knows the type.
struct State : KernelState {
  Convolution shape;
  bool has_bias = false;
  ActivationFunction activation;
  void (*run)(const State&, const RunContext&) = nullptr;
  std::shared_ptr<const void> packed;
};

void run_state(const KernelState* kernel_state, const RunContext& context) {
  const State& state = *static_cast<const State*>(kernel_state);
  state.run(state, context);
}

// ---- Conv ---------------------------------------------------------------------------------------

template <typename T>
void run_conv(const State& state, const RunContext& context) {
  convolve(
      state.shape,
      ConvolutionTensors<T>{context.input<T>(0), context.input<T>(1),
                            state.has_bias ? context.input<T>(2) : nullptr, context.output<T>(0),
                            static_cast<const std::vector<PackedMatrix<T>>*>(state.packed.get()),
                            state.activation},
      context.threads);
}

template <typename T>
std::shared_ptr<const void> packed_weights(const Convolution& shape, const NodeFacts& node,
                                           Prepare& prepare) {
  const Tensor* weights = node.input(1).constant;
  if (weights == nullptr || weights->numel() == 0 || is_depthwise(shape)) return nullptr;
  return prepare.cached(1, "convolution rows", [&]() -> std::shared_ptr<const void> {
    return std::make_shared<const std::vector<PackedMatrix<T>>>(pack_weights(
        shape, static_cast<const T*>(weights->storage()->unaligned()), &prepare.threads()));
  });
}

std::unique_ptr<KernelState> prepare_conv(const NodeFacts& node, Prepare& prepare) {
  auto state = std::make_unique<State>();
  const Shape& w = node.input(1).shape;
  state->shape.groups = node.attributes->get_int("group");
  state->shape.batch = node.input(0).shape[0];
  state->shape.in_channels = w[1];
  state->shape.out_channels = w[0] / state->shape.groups;
  state->shape.window = Window::forward(node, kernel_of(node));
  state->has_bias = node.has_input(2);
  const DType dtype = node.input(0).dtype;
  state->activation = activation_function(activation_of(*node.attributes), dtype);
  visit(dtype, RealTypes(), [&]<typename T>() {
    state->run = run_conv<T>;
    state->packed = packed_weights<T>(state->shape, node, prepare);
  });
  return state;
}

// ---- ConvTranspose ------------------------------------------------------------------------------

// One product per batch and group, W^T [out_channels * kernel, in_channels] by x [in_channels,
// positions], into the workspace; each of its rows is then added where its kernel element lands.
template <typename T>
void scatter(const Window& window, int64_t channel_rows, const T* columns, T* y) {
  const size_t rank = window.axes.size();
  const int64_t positions = window.output_size();
  const int64_t size = window.input_size();
  for (int64_t row = 0; row < channel_rows; ++row) {
    std::array<int64_t, kMaxSpatialRank> tap, strides, at{};
    int64_t rest = row;
    int64_t stride = 1;
    for (size_t i = rank; i-- > 0;) {
      const Window::Axis& axis = window.axes[i];
      tap[i] = rest % axis.kernel * axis.dilation - axis.pad;
      rest /= axis.kernel;
      strides[i] = stride;
      stride *= axis.input;
    }
    T* out = y + rest * size;
    const T* from = columns + row * positions;
    for (int64_t p = 0; p < positions; ++p) {
      uint64_t offset = 0;  // wraps where the place is far outside
      bool inside = true;
      for (size_t i = 0; i < rank; ++i) {
        const int64_t place = at[i] * window.axes[i].stride + tap[i];
        inside = inside && place >= 0 && place < window.axes[i].input;
        offset += static_cast<uint64_t>(place) * static_cast<uint64_t>(strides[i]);
      }
      if (inside) out[offset] += from[p];
      for (size_t i = rank; i-- > 0;) {
        if (++at[i] < window.axes[i].output) break;
        at[i] = 0;
      }
    }
  }
}

template <typename T>
void run_conv_transpose(const State& state, const RunContext& context) {
  const Convolution& shape = state.shape;
  const int64_t positions = shape.window.output_size();
  const int64_t size = shape.window.input_size();
  const int64_t rows = shape.out_channels * shape.window.kernel_size();
  const T* bias = state.has_bias ? context.input<T>(2) : nullptr;
  T* columns = static_cast<T*>(context.workspace);
  for (int64_t i = 0; i < shape.batch * shape.groups; ++i) {
    const int64_t group = i % shape.groups;
    T* y = context.output<T>(0) + i * shape.out_channels * size;
    for (int64_t c = 0; c < shape.out_channels; ++c) {
      std::fill_n(y + c * size, size,
                  bias != nullptr ? bias[group * shape.out_channels + c] : T(0));
    }
    const auto activate = [&](int64_t begin, int64_t end) {
      if (state.activation) state.activation(y + begin * size, (end - begin) * size);
    };
    if (positions == 0 || rows == 0 || size == 0) {
      activate(0, shape.out_channels);
      continue;
    }
    Gemm<T> product;
    product.m = rows;
    product.n = positions;
    product.k = shape.in_channels;
    product.a = {context.input<T>(1) + group * shape.in_channels * rows, 1, rows};
    product.b = {context.input<T>(0) + i * shape.in_channels * positions, positions, 1};
    product.c = columns;
    product.c_stride = positions;
    gemm(product, context.threads);
    // Channels do not overlap, so they are shared.
    const int64_t taps = shape.window.kernel_size();
    for_range(context, shape.out_channels, taps * positions * 2, [&](int64_t begin, int64_t end) {
      for (int64_t c = begin; c < end; ++c) {
        scatter(shape.window, taps, columns + c * taps * positions, y + c * size);
      }
      activate(begin, end);
    });
  }
}

std::unique_ptr<KernelState> prepare_conv_transpose(const NodeFacts& node, Prepare& prepare) {
  auto state = std::make_unique<State>();
  const Shape& w = node.input(1).shape;
  Convolution& shape = state->shape;
  shape.groups = node.attributes->get_int("group");
  shape.batch = node.input(0).shape[0];
  shape.in_channels = w[0] / shape.groups;
  shape.out_channels = w[1];
  shape.window = Window::transposed(node, kernel_of(node));
  state->has_bias = node.has_input(2);
  const DType dtype = node.input(0).dtype;
  state->activation = activation_function(activation_of(*node.attributes), dtype);
  visit(dtype, RealTypes(), [&]<typename T>() { state->run = run_conv_transpose<T>; });
  prepare.set_workspace(dtype_bytes(
      dtype,
      numel_of(Shape{shape.out_channels, shape.window.kernel_size(), shape.window.output_size()})));
  return state;
}

constexpr Kernel kKernels[] = {
    {.op = "Conv", .types = kReal, .prepare = prepare_conv, .run = run_state, .supports = supports},
    low_float_row<prepare_conv, run_state>("Conv", supports),
    {.op = "ConvTranspose",
     .types = kReal,
     .prepare = prepare_conv_transpose,
     .run = run_state,
     .supports = supports},
    low_float_row<prepare_conv_transpose, run_state>("ConvTranspose", supports),
};

}  // namespace

KernelFamily nn_conv_kernels() { return kKernels; }

}  // namespace ferry::cpu
