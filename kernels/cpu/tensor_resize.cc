// Resize: the axes are walked one after the other, by the tables of kernels/resize.h.
#include <algorithm>

#include "core/convert.h"
#include "kernels/cpu/element.h"
#include "kernels/cpu/engine/loop.h"
#include "kernels/cpu/families.h"
#include "kernels/limits.h"
#include "kernels/resize.h"

namespace ferry::cpu {
namespace {

struct State : KernelState {
  DType dtype = DType::undefined;
  Shape input, output;
  float extrapolation = 0;
  std::vector<ResizeAxis> tables;
  int64_t largest = 0;  // elements of the largest tensor between two axes
  void (*run)(const State&, const RunContext&) = nullptr;
};

// One axis of a tensor of doubles or floats: `shape` has the axis' input size.
template <typename From, typename To>
void resize_axis(const RunContext& context, const From* in, To* out, const Shape& shape,
                 const ResizeAxis& table, double extrapolation) {
  const AxisView view(shape, table.axis);
  const int64_t inner = view.inner;
  for_range(context, view.outer * table.output, inner * 4, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const ResizeAxis::Source& source = table.sources[i % table.output];
      const From* from = in + i / table.output * table.input * inner;
      To* to = out + i * inner;
      if (source.outside) {
        std::fill_n(to, inner, static_cast<To>(extrapolation));
        continue;
      }
      const int64_t* positions = table.positions.data() + source.first;
      const double* weights = table.weights.data() + source.first;
      if (source.count == 1 && weights[0] == 1) {
        for (int64_t k = 0; k < inner; ++k) to[k] = static_cast<To>(from[positions[0] * inner + k]);
        continue;
      }
      for (int64_t k = 0; k < inner; ++k) {
        double sum = 0;
        for (int64_t w = 0; w < source.count; ++w) {
          sum += weights[w] * static_cast<double>(from[positions[w] * inner + k]);
        }
        to[k] = static_cast<To>(sum);
      }
    }
  });
}

// Interpolation: through float (float64: double) between the axes, in two halves of the workspace.
template <typename Work>
void run_weighted(const State& state, const RunContext& context) {
  const std::vector<ResizeAxis>& tables = state.tables;
  constexpr DType kWork = kDTypeOf<Work>;
  Work* halves[2] = {static_cast<Work*>(context.workspace),
                     static_cast<Work*>(context.workspace) + state.largest};
  const bool direct = state.dtype == kWork;
  const int64_t in_count = numel_of(state.input);
  const int64_t out_count = numel_of(state.output);
  const Work* current;
  if (direct) {
    current = context.input<Work>(0);
  } else {
    convert(state.dtype, context.inputs[0], kWork, halves[0], in_count);
    current = halves[0];
  }
  Shape shape = state.input;
  for (size_t i = 0; i < tables.size(); ++i) {
    const bool last = i + 1 == tables.size();
    Work* to =
        last && direct ? context.output<Work>(0) : (current == halves[0] ? halves[1] : halves[0]);
    resize_axis(context, current, to, shape, tables[i], static_cast<double>(state.extrapolation));
    shape[tables[i].axis] = tables[i].output;
    current = to;
  }
  if (!direct) {
    convert(kWork, current, state.dtype, context.outputs[0], out_count);
  } else if (tables.empty()) {
    std::copy_n(current, out_count, context.output<Work>(0));
  }
}

// Nearest: elements move as they are, whatever their type.
template <typename T>
void run_nearest(const State& state, const RunContext& context) {
  const T* in = context.input<T>(0);
  T* out = context.output<T>(0);
  const size_t rank = state.output.size();
  if (rank == 0) {
    *out = *in;
    return;
  }
  T outside{};
  if constexpr (!std::is_same_v<T, std::string>) {
    if (state.dtype != complex64 && state.dtype != complex128) {
      store_from_double(state.dtype, &outside, 0, static_cast<double>(state.extrapolation));
    }
  }
  std::vector<const ResizeAxis*> by_axis(rank, nullptr);
  for (const ResizeAxis& table : state.tables) by_axis[table.axis] = &table;
  const int64_t width = state.output.back();
  const int64_t rows = width == 0 ? 0 : numel_of(state.output) / width;
  for_range(context, rows, width, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      int64_t rest = row;
      int64_t base = 0;
      int64_t stride = state.input.back();
      bool left = false;
      const auto source = [&](size_t axis, int64_t o) {
        if (by_axis[axis] == nullptr) return o;
        const ResizeAxis::Source& from = by_axis[axis]->sources[o];
        left = left || from.outside;
        return by_axis[axis]->positions[from.first];
      };
      for (size_t axis = rank - 1; axis-- > 0;) {
        base += source(axis, rest % state.output[axis]) * stride;
        rest /= state.output[axis];
        stride *= state.input[axis];
      }
      const bool row_left = left;
      for (int64_t k = 0; k < width; ++k) {
        left = row_left;
        const int64_t at = base + source(rank - 1, k);
        out[row * width + k] = left ? outside : in[at];
      }
    }
  });
}

std::unique_ptr<KernelState> prepare(const NodeFacts& node, Prepare& prepare) {
  auto state = std::make_unique<State>();
  const ResizeGeometry geometry(node);
  state->extrapolation = node.attributes->get_float("extrapolation_value");
  state->dtype = node.input(0).dtype;
  state->input = node.input(0).shape;
  state->output = node.output(0).shape;
  state->tables = geometry.tables();
  if (geometry.mode() == ResizeMode::nearest) {
    state->run = visit_unit(state->dtype, []<typename T>() { return run_nearest<T>; });
    return state;
  }
  // Each axis either grows or shrinks: no tensor on the way exceeds the larger size of every axis.
  Shape larger = state->input;
  for (size_t i = 0; i < larger.size(); ++i) larger[i] = std::max(larger[i], state->output[i]);
  state->largest = numel_of(larger);
  const bool wide = state->dtype == float64;
  state->run = wide ? run_weighted<double> : run_weighted<float>;
  prepare.set_workspace(dtype_bytes(wide ? float64 : float32, numel_of(Shape{2, state->largest})));
  return state;
}

void run(const KernelState* kernel_state, const RunContext& context) {
  const State& state = *static_cast<const State*>(kernel_state);
  if (numel_of(state.output) == 0) return;
  state.run(state, context);
}

Support interpolates(const NodeFacts& node) {
  const DType dtype = node.input(0).dtype;
  const bool numbers = kNumericTypes.contains(dtype) || dtype == boolean;
  if (node.attributes->get_string("mode") == "nearest" || numbers) return Support::yes();
  return Support::no(ReasonCode::dtype, "input 0 is " + std::string(to_string(dtype)) +
                                            ", which cannot be interpolated");
}

constexpr Kernel kKernels[] = {
    {.op = "Resize",
     .types = kMovable,
     .prepare = prepare,
     .run = run,
     .supports = all_of<interpolates, ResizeGeometry::fits>,
     .host_inputs = {1, 2, 3}},
};

}  // namespace

KernelFamily tensor_resize_kernels() { return kKernels; }

}  // namespace ferry::cpu
