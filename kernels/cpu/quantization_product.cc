// Products of quantized tensors: MatMulInteger, QLinearMatMul, ConvInteger, QLinearConv. The
// integers go through the float64 rows of MatMul and Conv, where their sums are exact.
#include <algorithm>
#include <cmath>

#include "core/convert.h"
#include "kernels/cpu/element.h"
#include "kernels/cpu/families.h"
#include "kernels/cpu/loop.h"
#include "kernels/cpu/quantize.h"

namespace ferry::cpu {
namespace {

// Where an operator has its inputs; -1 where it has none.
struct Ports4 {
  int a, b, a_zero, b_zero;
  int a_scale = -1, b_scale = -1, y_scale = -1, y_zero = -1, bias = -1;
};
constexpr Ports4 kInteger{0, 1, 2, 3};
constexpr Ports4 kLinear{0, 3, 2, 5, 1, 4, 6, 7, 8};

// One side of the product as doubles without its zero point. Element i has the zero point
// [i / (group * period) * stride + i / group % period].
struct Side {
  int input = 0, zero = -1;
  DType dtype = DType::undefined, zero_dtype = DType::undefined;
  int64_t count = 0, group = 1, period = 1, stride = 0;
  size_t offset = 0;  // in the workspace
};

struct State : KernelState {
  const Kernel* inner = nullptr;
  std::unique_ptr<KernelState> inner_state;
  size_t inner_workspace = 0, product_offset = 0;
  Side a, b;
  Ports4 ports{};
  bool linear = false;
  DType y = DType::undefined, scales[3] = {};
  int64_t count = 0;
  // Output element i is in row i / row_size % rows (for per-row scales of A) and in channel
  // i / channel_size % channels.
  int64_t row_size = 1, rows = 1, channel_size = 1, channels = 1;
  int64_t a_scales = 1, b_scales = 1;
  bool has_bias = false;
};

class InnerPrepare : public Prepare {
 public:
  explicit InnerPrepare(Prepare& outer) : outer_(outer) {}
  void set_workspace(size_t bytes) override { workspace = bytes; }
  ThreadPool& threads() override { return outer_.threads(); }
  DeviceBackend* backend() const override { return outer_.backend(); }
  std::shared_ptr<const void> cached(int, std::string_view,
                                     FunctionRef<std::shared_ptr<const void>()> make) override {
    return make();
  }
  size_t workspace = 0;

 private:
  Prepare& outer_;
};

size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

Side make_side(const NodeFacts& node, int input, int zero, size_t& workspace) {
  Side side;
  side.input = input;
  side.dtype = node.input(input).dtype;
  side.count = numel_of(node.input(input).shape);
  side.offset = workspace;
  workspace = aligned(workspace + dtype_bytes(float64, side.count));
  if (node.has_input(zero)) {
    side.zero = zero;
    side.zero_dtype = node.input(zero).dtype;
  }
  return side;
}

template <bool kConvolution>
std::unique_ptr<KernelState> prepare(const NodeFacts& node, Prepare& prepare, Ports4 ports) {
  auto state = std::make_unique<State>();
  state->ports = ports;
  state->linear = ports.a_scale >= 0;
  state->y = node.output(0).dtype;
  state->count = numel_of(node.output(0).shape);
  const Shape& a = node.input(ports.a).shape;
  const Shape& b = node.input(ports.b).shape;
  const Shape& y = node.output(0).shape;

  NodeFacts inner;
  inner.op = kConvolution ? "Conv" : "MatMul";
  inner.attributes = node.attributes;
  inner.inputs = {node.input(ports.a), node.input(ports.b)};
  inner.outputs = {node.output(0)};
  for (TensorFacts* facts : {&inner.inputs[0], &inner.inputs[1], &inner.outputs[0]}) {
    facts->dtype = float64;
    facts->constant = nullptr;
  }
  state->inner = find_kernel(cpu_kernels(), inner);
  InnerPrepare inner_prepare(prepare);
  state->inner_state = state->inner->prepare(inner, inner_prepare);
  size_t workspace = aligned(inner_prepare.workspace);
  state->inner_workspace = workspace;
  state->a = make_side(node, ports.a, ports.a_zero, workspace);
  state->b = make_side(node, ports.b, ports.b_zero, workspace);
  state->product_offset = workspace;
  workspace += dtype_bytes(float64, state->count);
  prepare.set_workspace(workspace);

  const auto numbers = [&](int port) {
    return node.has_input(port) ? numel_of(node.input(port).shape) : int64_t{1};
  };
  if constexpr (kConvolution) {
    state->b.group = b[0] == 0 ? 1 : std::max<int64_t>(1, state->b.count / b[0]);
    state->b.period = numbers(ports.b_zero) > 1 ? b[0] : 1;
    state->channels = y[1];
    state->channel_size = std::max<int64_t>(1, product(std::span(y).subspan(2)));
  } else {
    // Zero points of A are one a row, of B one a column.
    state->a.group = a.back() == 0 ? 1 : a.back();
    state->a.period = std::max<int64_t>(1, numbers(ports.a_zero));
    const int64_t n = b.size() > 1 ? b.back() : 1;
    if (const int64_t count = numbers(ports.b_zero); count > 1) {
      const int64_t k = b[b.size() - 2];
      state->b.period = n;
      // A zero point for each column of each matrix.
      if (count > n) state->b.stride = n, state->b.group = -k;
    }
    state->channels = n;
    state->rows = a.size() > 1 ? a[a.size() - 2] : 1;
    state->row_size = n;
  }
  if (state->linear) {
    for (int i = 0; i < 3; ++i) {
      const int port = i == 0 ? ports.a_scale : (i == 1 ? ports.b_scale : ports.y_scale);
      state->scales[i] = node.input(port).dtype;
    }
    state->a_scales = numbers(ports.a_scale);
    state->b_scales = numbers(ports.b_scale);
    state->has_bias = kConvolution && node.has_input(ports.bias);
  }
  return state;
}

double* fill(const Side& side, const RunContext& context) {
  auto* out = reinterpret_cast<double*>(static_cast<std::byte*>(context.workspace) + side.offset);
  const void* zeros = side.zero >= 0 ? context.inputs[side.zero] : nullptr;
  for_range(context, side.count, 3, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      double value = load_as_double(side.dtype, context.inputs[side.input], i);
      if (zeros != nullptr) {
        const int64_t at = side.group < 0
                               ? i / (-side.group * side.period) * side.stride + i % side.period
                               : i / side.group % side.period;
        value -= load_as_double(side.zero_dtype, zeros, at);
      }
      out[i] = value;
    }
  });
  return out;
}

void run(const KernelState* kernel_state, const RunContext& context) {
  const State& state = *static_cast<const State*>(kernel_state);
  const void* inputs[] = {fill(state.a, context), fill(state.b, context), nullptr};
  auto* sums =
      reinterpret_cast<double*>(static_cast<std::byte*>(context.workspace) + state.product_offset);
  void* outputs[] = {sums};
  RunContext inner = context;
  inner.inputs = inputs;
  inner.outputs = outputs;
  state.inner->run(state.inner_state.get(), inner);
  if (!state.linear) {
    int32_t* y = context.output<int32_t>(0);
    // Beyond 32 bits the low bits stay.
    for (int64_t i = 0; i < state.count; ++i) {
      y[i] = static_cast<int32_t>(static_cast<int64_t>(sums[i]));
    }
    return;
  }
  const Ports4& p = state.ports;
  const double y_scale = load_as_double(state.scales[2], context.inputs[p.y_scale], 0);
  const double y_zero = load_as_double(state.y, context.inputs[p.y_zero], 0);
  for_range(context, state.count, 8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t channel = i / state.channel_size % state.channels;
      const int64_t row = i / state.row_size % state.rows;
      double sum = sums[i];
      if (state.has_bias) sum += context.input<int32_t>(p.bias)[channel];
      const double scale =
          load_as_double(state.scales[0], context.inputs[p.a_scale], state.a_scales > 1 ? row : 0) *
          load_as_double(state.scales[1], context.inputs[p.b_scale],
                         state.b_scales > 1 ? channel : 0) /
          y_scale;
      const double value = std::nearbyint(sum * scale) + y_zero;
      store_from_double(state.y, context.outputs[0], i,
                        is_floating(state.y) ? sum * scale + y_zero : saturate_to(state.y, value));
    }
  });
}

// Zero points and scales that this walk knows: for all, for each row of A, for each column of B or
// channel.
std::unique_ptr<KernelState> prepare_matmul_integer(const NodeFacts& node, Prepare& p) {
  return prepare<false>(node, p, kInteger);
}
std::unique_ptr<KernelState> prepare_linear_matmul(const NodeFacts& node, Prepare& p) {
  return prepare<false>(node, p, kLinear);
}
std::unique_ptr<KernelState> prepare_conv_integer(const NodeFacts& node, Prepare& p) {
  return prepare<true>(node, p, kInteger);
}
std::unique_ptr<KernelState> prepare_linear_conv(const NodeFacts& node, Prepare& p) {
  return prepare<true>(node, p, kLinear);
}

inline constexpr TypeSet kBytes{int8, uint8};
inline constexpr TypeSet kFloat8{float8_e4m3fn, float8_e4m3fnuz, float8_e5m2, float8_e5m2fnuz};

constexpr Kernel kKernels[] = {
    {.op = "ConvInteger", .types = kBytes, .prepare = prepare_conv_integer, .run = run},
    {.op = "MatMulInteger", .types = kBytes, .prepare = prepare_matmul_integer, .run = run},
    {.op = "QLinearConv", .types = kBytes, .prepare = prepare_linear_conv, .run = run},
    {.op = "QLinearMatMul",
     .types = kBytes | kFloat8,
     .prepare = prepare_linear_matmul,
     .run = run},
};

}  // namespace

KernelFamily quantization_product_kernels() { return kKernels; }

}  // namespace ferry::cpu
