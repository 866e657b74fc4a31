// Products of quantized tensors: MatMulInteger, QLinearMatMul, ConvInteger, QLinearConv. The
// integers go through the float64 rows of MatMul and Conv, where their sums are exact.
#include <algorithm>
#include <cmath>

#include "core/convert.h"
#include "kernels/cpu/element.h"
#include "kernels/cpu/engine/loop.h"
#include "kernels/cpu/engine/quantize.h"
#include "kernels/cpu/families.h"
#include "kernels/scalar.h"
#include "kernels/scratch.h"

namespace ferry::cpu {
namespace {

// Where an operator has its inputs; -1 where it has none. Zero points and scales are one for all,
// one for each row of A, or one for each column of B or output channel.
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
  size_t product_offset = 0;
  Side a, b;
  Ports4 ports{};
  bool linear = false;
  DType y = DType::undefined, scales[2] = {};
  ScalarInput y_scale, y_zero;
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

Side make_side(const NodeFacts& node, int input, int zero, ScratchLayout& scratch) {
  Side side;
  side.input = input;
  side.dtype = node.input(input).dtype;
  side.count = numel_of(node.input(input).shape);
  side.offset = scratch.take(float64, side.count);
  if (node.has_input(zero)) {
    side.zero = zero;
    side.zero_dtype = node.input(zero).dtype;
  }
  return side;
}

// The product of float64 that a node goes through.
template <bool kConvolution>
NodeFacts inner_node(const NodeFacts& node, const Ports4& ports) {
  NodeFacts inner;
  inner.op = kConvolution ? "Conv" : "MatMul";
  inner.attributes = node.attributes;
  inner.inputs = {node.input(ports.a), node.input(ports.b)};
  inner.outputs = {node.output(0)};
  for (TensorFacts* facts : {&inner.inputs[0], &inner.inputs[1], &inner.outputs[0]}) {
    facts->dtype = float64;
    facts->constant = nullptr;
  }
  return inner;
}

template <bool kConvolution>
const Kernel* inner_kernel(const NodeFacts& inner, Support* why) {
  static const KernelFamily families[] = {kConvolution ? nn_conv_kernels() : math_matrix_kernels()};
  static const KernelTable table(families);
  return table.find(inner, why);
}

// Whatever the product of float64 does.
template <bool kConvolution, const Ports4& kPorts>
Support supports(const NodeFacts& node) {
  Support why;
  inner_kernel<kConvolution>(inner_node<kConvolution>(node, kPorts), &why);
  return why;
}

template <bool kConvolution, const Ports4& kPorts>
std::unique_ptr<KernelState> prepare(const NodeFacts& node, Prepare& prepare) {
  constexpr const Ports4& ports = kPorts;
  auto state = std::make_unique<State>();
  state->ports = ports;
  state->linear = ports.a_scale >= 0;
  state->y = node.output(0).dtype;
  state->count = numel_of(node.output(0).shape);
  const Shape& a = node.input(ports.a).shape;
  const Shape& b = node.input(ports.b).shape;
  const Shape& y = node.output(0).shape;

  const NodeFacts inner = inner_node<kConvolution>(node, ports);
  Support why;
  state->inner = inner_kernel<kConvolution>(inner, &why);
  if (state->inner == nullptr) throw Error(ErrorCode::unsupported, why.detail);
  InnerPrepare inner_prepare(prepare);
  state->inner_state = state->inner->prepare(inner, inner_prepare);
  ScratchLayout scratch;
  scratch.take_bytes(inner_prepare.workspace);
  state->a = make_side(node, ports.a, ports.a_zero, scratch);
  state->b = make_side(node, ports.b, ports.b_zero, scratch);
  state->product_offset = scratch.take(float64, state->count);
  prepare.set_workspace(scratch.bytes());

  const auto numbers = [&](int port) {
    return node.has_input(port) ? numel_of(node.input(port).shape) : int64_t{1};
  };
  if constexpr (kConvolution) {
    state->b.group = b[0] == 0 ? 1 : std::max<int64_t>(1, state->b.count / b[0]);
    state->b.period = numbers(ports.b_zero) > 1 ? b[0] : 1;
    state->channels = y[1];
    state->channel_size = std::max<int64_t>(1, numel_of(std::span(y).subspan(2)));
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
    state->scales[0] = node.input(ports.a_scale).dtype;
    state->scales[1] = node.input(ports.b_scale).dtype;
    state->y_scale = ScalarInput(node, ports.y_scale, "scale of Y");
    state->y_zero = ScalarInput(node, ports.y_zero, "zero point of Y");
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
  const double y_scale = state.y_scale.as_double(context, 1);
  const double y_zero = state.y_zero.as_double(context, 0);
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

inline constexpr TypeSet kBytes{int8, uint8};
inline constexpr TypeSet kFloat8{float8_e4m3fn, float8_e4m3fnuz, float8_e5m2, float8_e5m2fnuz};

template <bool kConvolution, const Ports4& kPorts>
constexpr Kernel product(std::string_view op, TypeSet types) {
  return {.op = op,
          .types = types,
          .prepare = prepare<kConvolution, kPorts>,
          .run = run,
          .supports = supports<kConvolution, kPorts>};
}

constexpr Kernel kKernels[] = {
    product<true, kInteger>("ConvInteger", kBytes),
    product<false, kInteger>("MatMulInteger", kBytes),
    product<true, kLinear>("QLinearConv", kBytes),
    product<false, kLinear>("QLinearMatMul", kBytes | kFloat8),
};

}  // namespace

KernelFamily quantization_product_kernels() { return kKernels; }

}  // namespace ferry::cpu
