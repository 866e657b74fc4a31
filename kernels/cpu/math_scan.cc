// CumSum and CumProd.
#include "kernels/cpu/element.h"
#include "kernels/cpu/engine/loop.h"
#include "kernels/cpu/engine/through_float.h"
#include "kernels/cpu/families.h"
#include "kernels/cpu/tables.h"
#include "kernels/host_input.h"
#include "kernels/scalar.h"

namespace ferry::cpu {
namespace {

struct State : KernelState {
  explicit State(const AxisView& lines) : view(lines) {}
  AxisView view;
  bool exclusive = false, reverse = false;
  void (*run)(const State&, const RunContext&) = nullptr;
};

template <typename T, bool kProduct>
void run_scan(const State& state, const RunContext& context) {
  const auto [outer, size, inner] = state.view;
  using Sum = std::conditional_t<std::is_floating_point_v<T>, double, uint64_t>;
  const T* in = context.input<T>(0);
  T* out = context.output<T>(0);
  for_range(context, outer * inner, size * 2,
            [&, size = size, inner = inner](int64_t begin, int64_t end) {
              for (int64_t i = begin; i < end; ++i) {
                const int64_t base = i / inner * size * inner + i % inner;
                Sum sum = kProduct ? 1 : 0;
                for (int64_t k = 0; k < size; ++k) {
                  const int64_t at = base + (state.reverse ? size - 1 - k : k) * inner;
                  const Sum before = sum;
                  if constexpr (kProduct) {
                    sum *= static_cast<Sum>(in[at]);
                  } else {
                    sum += static_cast<Sum>(in[at]);
                  }
                  out[at] = static_cast<T>(state.exclusive ? before : sum);
                }
              }
            });
}

template <bool kProduct>
std::unique_ptr<KernelState> prepare(const NodeFacts& node, Prepare&) {
  const Shape& shape = node.input(0).shape;
  const int64_t axis = host_axis(*host_scalar(node, 1, "axis"), static_cast<int64_t>(shape.size()));
  auto state = std::make_unique<State>(AxisView(shape, axis));
  state->exclusive = node.attributes->get_int("exclusive") != 0;
  state->reverse = node.attributes->get_int("reverse") != 0;
  state->run =
      visit(node.input(0).dtype, WideTypes(), []<typename T>() { return run_scan<T, kProduct>; });
  return state;
}

void run(const KernelState* kernel_state, const RunContext& context) {
  const State& state = *static_cast<const State*>(kernel_state);
  state.run(state, context);
}

template <bool kProduct>
constexpr std::array<Kernel, 2> scan(std::string_view op) {
  return {Kernel{.op = op,
                 .types = kReal | TypeSet{int32, int64, uint32, uint64},
                 .prepare = prepare<kProduct>,
                 .run = run,
                 .host_inputs = {1}},
          low_float_row<prepare<kProduct>, run>(op, nullptr, {1})};
}

constexpr auto kKernels = join(scan<true>("CumProd"), scan<false>("CumSum"));

}  // namespace

KernelFamily math_scan_kernels() { return kKernels; }

}  // namespace ferry::cpu
