// Unique: the slices along an axis, or the elements, sorted so that equal ones are neighbours.
#include <algorithm>
#include <numeric>

#include "core/convert.h"
#include "kernels/axis.h"
#include "kernels/cpu/bool_byte.h"
#include "kernels/cpu/element.h"
#include "kernels/cpu/families.h"
#include "kernels/late_output.h"

namespace ferry::cpu {
namespace {

struct State : KernelState {
  AxisView view{Shape{1}, 0};
  Shape unique;  // of output 0; its size along `axis` is what is found
  int64_t axis = 0;
  bool sorted = true;
  LateOutput values, indices, counts;
  bool has_inverse = false;
  void (*run)(const State&, const RunContext&) = nullptr;
};

// What elements are compared by.
template <typename T>
const T& key(const T& x) {
  return x;
}
float key(Half x) { return half_to_float(x.bits); }
float key(BFloat16 x) { return bfloat16_to_float(x.bits); }
bool key(BoolByte x) { return x; }

// -1, 0 or 1; NaN equals itself and comes last, as in NumPy.
template <typename T>
int compare(const T& a, const T& b) {
  const auto& x = key(a);
  const auto& y = key(b);
  if (x < y) return -1;
  if (y < x) return 1;
  if constexpr (!std::is_same_v<T, std::string>) {
    const bool x_is_nan = x != x, y_is_nan = y != y;
    return (x_is_nan ? 1 : 0) - (y_is_nan ? 1 : 0);
  }
  return 0;
}

template <typename T>
int compare_slices(const AxisView& view, const T* data, int64_t a, int64_t b) {
  for (int64_t outer = 0; outer < view.outer; ++outer) {
    const T* row = data + outer * view.size * view.inner;
    for (int64_t i = 0; i < view.inner; ++i) {
      const int order = compare(row[a * view.inner + i], row[b * view.inner + i]);
      if (order != 0) return order;
    }
  }
  return 0;
}

template <typename T>
void run_unique(const State& state, const RunContext& context) {
  const auto [outer, size, inner] = state.view;
  const T* data = context.input<T>(0);
  int64_t* order = static_cast<int64_t*>(context.workspace);
  int64_t* first = order + size;    // of the slices that equal slice i
  int64_t* number = first + size;   // among the unique ones, of a slice that is the first
  int64_t* unique = number + size;  // the first ones in the order of the output
  std::iota(order, order + size, 0);
  std::sort(order, order + size, [&](int64_t a, int64_t b) {
    const int before = compare_slices(state.view, data, a, b);
    return before != 0 ? before < 0 : a < b;
  });
  for (int64_t i = 0; i < size; ++i) {
    const bool again = i > 0 && compare_slices(state.view, data, order[i - 1], order[i]) == 0;
    first[order[i]] = again ? first[order[i - 1]] : order[i];
  }
  if (!state.sorted) std::iota(order, order + size, 0);
  int64_t found = 0;
  for (int64_t i = 0; i < size; ++i) {
    if (first[order[i]] != order[i]) continue;
    number[order[i]] = found;
    unique[found++] = order[i];
  }

  if (state.values.present()) {
    Shape shape = state.unique;
    shape[state.axis] = found;
    T* values = static_cast<T*>(state.values.memory(context, shape));
    for (int64_t row = 0; row < outer; ++row) {
      for (int64_t i = 0; i < found; ++i) {
        values = std::copy_n(data + (row * size + unique[i]) * inner, inner, values);
      }
    }
  }
  const int64_t count[] = {found};
  if (state.indices.present()) {
    std::copy_n(unique, found, static_cast<int64_t*>(state.indices.memory(context, count)));
  }
  if (state.has_inverse) {
    auto* inverse = context.output<int64_t>(2);
    for (int64_t i = 0; i < size; ++i) inverse[i] = number[first[i]];
  }
  if (state.counts.present()) {
    auto* counts = static_cast<int64_t*>(state.counts.memory(context, count));
    std::fill_n(counts, found, 0);
    for (int64_t i = 0; i < size; ++i) ++counts[number[first[i]]];
  }
}

using UniqueTypes = TypeList<float, double, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t,
                             uint32_t, uint64_t, Half, BFloat16, std::string>;

std::unique_ptr<KernelState> prepare(const NodeFacts& node, Prepare& prepare) {
  auto state = std::make_unique<State>();
  state->unique = node.input(0).shape;
  if (const int64_t* axis = node.attributes->find<int64_t>("axis")) {
    state->axis = axis_of(*axis, static_cast<int64_t>(state->unique.size()));
  } else {
    state->unique = {numel_of(state->unique)};
  }
  state->view = AxisView(state->unique, state->axis);
  state->sorted = node.attributes->get_int("sorted") != 0;
  state->values = LateOutput(node, 0);
  state->indices = LateOutput(node, 1);
  state->has_inverse = node.has_output(2);
  state->counts = LateOutput(node, 3);
  const DType dtype = node.input(0).dtype;
  state->run = dtype == boolean
                   ? run_unique<BoolByte>
                   : visit(dtype, UniqueTypes(), []<typename T>() { return run_unique<T>; });
  prepare.set_workspace(dtype_bytes(int64, numel_of(Shape{4, state->view.size})));
  return state;
}

void run(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const State*>(kernel_state);
  state.run(state, context);
}

constexpr Kernel kKernels[] = {
    {.op = "Unique",
     .types = kNumericTypes | kBool | kString,
     .prepare = prepare,
     .run = run,
     .late_outputs = {0, 1, 3}},
};

}  // namespace

KernelFamily tensor_unique_kernels() { return kKernels; }

}  // namespace ferry::cpu
