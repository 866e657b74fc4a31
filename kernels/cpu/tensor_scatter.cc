// ScatterElements and ScatterND: a copy of the data, then updates in order.
#include <algorithm>

#include "kernels/cpu/element.h"
#include "kernels/cpu/engine/index.h"
#include "kernels/cpu/engine/loop.h"
#include "kernels/cpu/engine/through_float.h"
#include "kernels/cpu/families.h"
#include "kernels/strides.h"

namespace ferry::cpu {
namespace {

// What an update does with the element that it meets.
struct Replace {
  template <typename T>
  static void apply(T& to, const T& update) {
    to = update;
  }
};
struct AddTo {
  template <typename T>
  static void apply(T& to, const T& update) {
    if constexpr (std::is_integral_v<T>) {
      to = static_cast<T>(static_cast<uint64_t>(to) + static_cast<uint64_t>(update));
    } else {
      to += update;
    }
  }
};
struct MultiplyBy {
  template <typename T>
  static void apply(T& to, const T& update) {
    if constexpr (std::is_integral_v<T>) {
      to = static_cast<T>(static_cast<uint64_t>(to) * static_cast<uint64_t>(update));
    } else {
      to *= update;
    }
  }
};
struct Larger {
  template <typename T>
  static void apply(T& to, const T& update) {
    if (!(to > update) && to == to) to = update;
  }
};
struct Smaller {
  template <typename T>
  static void apply(T& to, const T& update) {
    if (!(to < update) && to == to) to = update;
  }
};

struct State : KernelState {
  int64_t count = 0;  // of the data
  // ScatterElements: the updates' shape, the data's strides, the axis and its size.
  Shape updates, strides;
  int64_t axis = 0, size = 0;
  bool wide = true;
  // ScatterND: tuples of `depth` indices, each of which names `slice` elements.
  int64_t tuples = 0, depth = 0, slice = 0;
  Shape sizes;
  void (*run)(const State&, const RunContext&) = nullptr;
};

template <typename T>
T* copy_data(const State& state, const RunContext& context) {
  const T* data = context.input<T>(0);
  T* out = context.output<T>(0);
  if (data != out) std::copy_n(data, state.count, out);
  return out;
}

template <typename T, typename Op>
void scatter_elements(const State& state, const RunContext& context) {
  T* out = copy_data<T>(state, context);
  const T* updates = context.input<T>(2);
  const int64_t rank = static_cast<int64_t>(state.updates.size());
  const int64_t count = numel_of(state.updates);
  for (int64_t i = 0; i < count; ++i) {
    int64_t rest = i;
    int64_t offset =
        index_at(context.inputs[1], state.wide, i, state.size) * state.strides[state.axis];
    for (int64_t k = rank; k-- > 0;) {
      if (k != state.axis) offset += rest % state.updates[k] * state.strides[k];
      rest /= state.updates[k];
    }
    Op::apply(out[offset], updates[i]);
  }
}

template <typename T, typename Op>
void scatter_nd(const State& state, const RunContext& context) {
  T* out = copy_data<T>(state, context);
  const T* updates = context.input<T>(2);
  for (int64_t i = 0; i < state.tuples; ++i) {
    int64_t offset = 0;
    for (int64_t k = 0; k < state.depth; ++k) {
      offset +=
          index_at(context.inputs[1], true, i * state.depth + k, state.sizes[k]) * state.strides[k];
    }
    for (int64_t k = 0; k < state.slice; ++k)
      Op::apply(out[offset + k], updates[i * state.slice + k]);
  }
}

using Run = void (*)(const State&, const RunContext&);

template <bool kNd, typename Op>
Run run_of(DType dtype) {
  return visit(dtype, NumericTypes(), []<typename T>() -> Run {
    if constexpr (kNd)
      return scatter_nd<T, Op>;
    else
      return scatter_elements<T, Op>;
  });
}

template <bool kNd>
std::unique_ptr<KernelState> prepare(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<State>();
  const Shape& data = node.input(0).shape;
  const DType dtype = node.input(0).dtype;
  state->count = numel_of(data);
  state->strides = contiguous_strides(data);
  if constexpr (kNd) {
    const Shape& indices = node.input(1).shape;
    state->depth = indices.back();
    state->tuples = numel_of(std::span(indices).first(indices.size() - 1));
    state->slice = numel_of(std::span(data).subspan(state->depth));
    state->sizes.assign(data.begin(), data.begin() + state->depth);
  } else {
    state->updates = node.input(1).shape;
    state->axis = axis_of(node.attributes->get_int("axis"), static_cast<int64_t>(data.size()));
    state->size = data[state->axis];
    state->wide = node.input(1).dtype == int64;
  }
  const std::string& reduction = node.attributes->get_string("reduction");
  if (reduction == "none") {
    state->run = visit_unit(dtype, []<typename T>() -> Run {
      if constexpr (kNd)
        return scatter_nd<T, Replace>;
      else
        return scatter_elements<T, Replace>;
    });
  } else if (reduction == "add") {
    state->run = run_of<kNd, AddTo>(dtype);
  } else if (reduction == "mul") {
    state->run = run_of<kNd, MultiplyBy>(dtype);
  } else if (reduction == "max") {
    state->run = run_of<kNd, Larger>(dtype);
  } else {
    state->run = run_of<kNd, Smaller>(dtype);
  }
  return state;
}

void run(const KernelState* kernel_state, const RunContext& context) {
  const State& state = *static_cast<const State*>(kernel_state);
  state.run(state, context);
}

Support replaces(const NodeFacts& node) {
  if (node.attributes->get_string("reduction") == "none") return Support::yes();
  return Support::no(
      ReasonCode::dtype,
      "elements of " + std::string(to_string(node.input(0).dtype)) + " are moved, not reduced");
}

constexpr Kernel kKernels[] = {
    {.op = "ScatterElements",
     .types = kMovable,
     .prepare = prepare<false>,
     .run = run,
     .supports = replaces},
    {.op = "ScatterElements", .types = kDirect, .prepare = prepare<false>, .run = run},
    low_float_row<prepare<false>, run>("ScatterElements"),
    {.op = "ScatterND",
     .types = kMovable,
     .prepare = prepare<true>,
     .run = run,
     .supports = replaces},
    {.op = "ScatterND", .types = kDirect, .prepare = prepare<true>, .run = run},
    low_float_row<prepare<true>, run>("ScatterND"),
};

}  // namespace

KernelFamily tensor_scatter_kernels() { return kKernels; }

}  // namespace ferry::cpu
