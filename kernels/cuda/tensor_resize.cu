// Resize, by the tables of kernels/resize.h: nearest positions are looked up for all axes at once,
// weighted ones are summed axis by axis.
#include <algorithm>
#include <cstring>

#include "core/convert.h"
#include "kernels/axis.h"
#include "kernels/cuda/arithmetic.h"
#include "kernels/cuda/cast.h"
#include "kernels/cuda/families.h"
#include "kernels/cuda/map.h"
#include "kernels/cuda/unit.h"
#include "kernels/cuda/walk.h"
#include "kernels/resize.h"

namespace ferry::cuda {
namespace {

// ---- tables on the device

struct DeviceSource {
  int32_t first, count;  // count is -1 where the input is left
};

// The tables of every axis in one block of memory, and where each begins.
struct PackedTables {
  struct Axis {
    int64_t axis, input, output;
    size_t sources, positions, weights;  // offsets in bytes
  };
  std::vector<Axis> axes;
  std::vector<std::byte> bytes;

  explicit PackedTables(const std::vector<ResizeAxis>& tables) {
    for (const ResizeAxis& table : tables) {
      Axis axis{table.axis, table.input, table.output, 0, 0, 0};
      axis.weights = append(table.weights);  // the widest first
      std::vector<DeviceSource> sources;
      for (const ResizeAxis::Source& source : table.sources) {
        sources.push_back({static_cast<int32_t>(source.first),
                           source.outside ? -1 : static_cast<int32_t>(source.count)});
      }
      axis.sources = append(sources);
      axis.positions = append(table.positions);
      axes.push_back(axis);
    }
  }

 private:
  template <typename T>
  size_t append(const std::vector<T>& values) {
    const size_t at = (bytes.size() + 15) / 16 * 16;
    bytes.resize(at + values.size() * sizeof(T));
    if (!values.empty()) std::memcpy(bytes.data() + at, values.data(), values.size() * sizeof(T));
    return at;
  }
};

struct State : KernelState {
  ResizeMode mode = ResizeMode::nearest;
  DType dtype = DType::undefined;
  Shape input, output;
  float extrapolation = 0;
  int64_t largest = 0;  // elements of the largest tensor between two axes
  std::vector<PackedTables::Axis> axes;
  std::shared_ptr<const void> tables;  // on the device
};

// ---- nearest: elements move as they are

template <typename T>
struct NearestMap {
  struct Axis {
    FastDivide output;
    int64_t stride;               // of the input
    const DeviceSource* sources;  // or nullptr: the position stays
    const int64_t* positions;
  };
  Axis axes[kMaxAxes];  // innermost first
  int32_t rank;
  const T* in;
  T outside;
  T* out;

  __device__ void operator()(uint32_t index) const {
    int64_t from = 0;
    bool left = false;
    uint32_t rest = index;
    for (int i = 0; i < rank; ++i) {
      const uint32_t next = axes[i].output.divide(rest);
      int64_t position = rest - next * axes[i].output.divisor;
      rest = next;
      if (axes[i].sources) {
        const DeviceSource source = axes[i].sources[position];
        left = left || source.count < 0;
        position = axes[i].positions[source.first];
      }
      from += position * axes[i].stride;
    }
    out[index] = left ? outside : in[from];
  }
};

template <typename T>
void run_nearest(const State& state, const RunContext& context) {
  const auto* memory = static_cast<const std::byte*>(state.tables.get());
  NearestMap<T> map{.rank = static_cast<int32_t>(state.output.size()),
                    .in = context.input<T>(0),
                    .outside = {},
                    .out = context.output<T>(0)};
  if (state.dtype != complex64 && state.dtype != complex128) {
    store_from_double(state.dtype, &map.outside, 0, static_cast<double>(state.extrapolation));
  }
  const Shape strides = contiguous_strides(state.input);
  for (int32_t i = 0; i < map.rank; ++i) {
    const size_t axis = static_cast<size_t>(map.rank - 1 - i);
    map.axes[i] = {FastDivide(state.output[axis]), strides[axis], nullptr, nullptr};
    for (const PackedTables::Axis& table : state.axes) {
      if (table.axis != static_cast<int64_t>(axis)) continue;
      map.axes[i].sources = reinterpret_cast<const DeviceSource*>(memory + table.sources);
      map.axes[i].positions = reinterpret_cast<const int64_t*>(memory + table.positions);
    }
  }
  launch_map(context, map_count(state.output), map);
}

// ---- weighted: one axis of [outer, size, inner] at a time

template <typename To>
struct WeightedMap {
  FastDivide inner, output;
  int64_t input;
  const DeviceSource* sources;
  const int64_t* positions;
  const double* weights;
  const void* in;
  DType in_dtype;
  double extrapolation;
  To* out;

  __device__ void operator()(uint32_t index) const {
    const uint32_t line = inner.divide(index);
    const uint32_t column = index - line * inner.divisor;
    const uint32_t outer = output.divide(line);
    const DeviceSource source = sources[line - outer * output.divisor];
    double sum = source.count < 0 ? extrapolation : 0.0;
    for (int32_t i = source.first; i < source.first + source.count; ++i) {
      const int64_t at = (outer * input + positions[i]) * inner.divisor + column;
      sum += weights[i] * load_as<double>(in, in_dtype, at);
    }
    if constexpr (std::is_same_v<To, double>) {
      out[index] = sum;
    } else {
      out[index] = cast<To>(static_cast<float>(sum));
    }
  }
};

template <typename To>
void launch_weighted(const State& state, const RunContext& context, const PackedTables::Axis& axis,
                     const Shape& shape, const void* in, DType in_dtype, void* out) {
  const AxisView view(shape, axis.axis);
  const auto* memory = static_cast<const std::byte*>(state.tables.get());
  launch_map(context, map_count({view.outer, axis.output, view.inner}),
             WeightedMap<To>{FastDivide(view.inner), FastDivide(axis.output), axis.input,
                             reinterpret_cast<const DeviceSource*>(memory + axis.sources),
                             reinterpret_cast<const int64_t*>(memory + axis.positions),
                             reinterpret_cast<const double*>(memory + axis.weights), in, in_dtype,
                             static_cast<double>(state.extrapolation), static_cast<To*>(out)});
}

using WeightedTypes = TypeList<float, double, __half, __nv_bfloat16, int8_t, int16_t, int32_t,
                               int64_t, uint8_t, uint16_t, uint32_t, uint64_t, bool>;

void run_weighted(const State& state, const RunContext& context) {
  const DType work = state.dtype == float64 ? float64 : float32;
  auto* scratch = static_cast<std::byte*>(context.workspace);
  std::byte* halves[2] = {scratch, scratch + dtype_bytes(work, state.largest)};
  const auto& axes = state.axes;
  if (axes.empty()) {
    return context.stream->copy(context.outputs[0], context.inputs[0],
                                dtype_bytes(state.dtype, numel_of(state.output)),
                                CopyDirection::device_to_device);
  }
  const void* in = context.inputs[0];
  DType in_dtype = state.dtype;
  Shape shape = state.input;
  for (size_t i = 0; i < axes.size(); ++i) {
    if (i + 1 == axes.size()) {
      visit(state.dtype, WeightedTypes(), [&]<typename T>() {
        launch_weighted<T>(state, context, axes[i], shape, in, in_dtype, context.outputs[0]);
      });
    } else if (work == float64) {
      launch_weighted<double>(state, context, axes[i], shape, in, in_dtype, halves[i % 2]);
    } else {
      launch_weighted<float>(state, context, axes[i], shape, in, in_dtype, halves[i % 2]);
    }
    shape[axes[i].axis] = axes[i].output;
    in = halves[i % 2];
    in_dtype = work;
  }
}

// ---- the node

std::unique_ptr<KernelState> prepare(const NodeFacts& node, Prepare& prepare) {
  auto state = std::make_unique<State>();
  const ResizeGeometry geometry(node);
  state->mode = geometry.mode();
  state->extrapolation = node.attributes->get_float("extrapolation_value");
  state->dtype = node.input(0).dtype;
  state->input = node.input(0).shape;
  state->output = node.output(0).shape;
  map_count(state->input);
  map_count(state->output);
  PackedTables packed(geometry.tables());
  state->axes = std::move(packed.axes);
  state->tables = prepare.upload(packed.bytes);
  if (state->mode != ResizeMode::nearest) {
    // Each axis either grows or shrinks: no tensor on the way exceeds the larger size of every
    // axis.
    Shape larger = state->input;
    for (size_t i = 0; i < larger.size(); ++i) larger[i] = std::max(larger[i], state->output[i]);
    state->largest = map_count(larger);
    const DType work = state->dtype == float64 ? float64 : float32;
    prepare.set_workspace(dtype_bytes(work, 2 * state->largest));
  }
  return state;
}

int64_t table_bytes(const NodeFacts& node) {
  if (!ResizeGeometry::known(node)) return -1;
  try {
    return static_cast<int64_t>(PackedTables(ResizeGeometry(node).tables()).bytes.size());
  } catch (const Error&) {
    return -1;  // prepare() says why there are none
  }
}

void run(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const State*>(kernel_state);
  if (numel_of(state.output) == 0) return;
  if (state.mode != ResizeMode::nearest) return run_weighted(state, context);
  visit_unit(state.dtype, [&]<typename T>() { run_nearest<T>(state, context); });
}

Support supports(const NodeFacts& node) {
  const TensorFacts& x = node.input(0);
  if (x.has_shape && x.rank() > kMaxAxes) {
    return Support::no(ReasonCode::rank_or_layout,
                       "the input has " + std::to_string(x.rank()) + " axes");
  }
  if (node.attributes->get_string("mode") == "nearest" ||
      type_set(WeightedTypes()).contains(x.dtype)) {
    return Support::yes();
  }
  return Support::no(ReasonCode::dtype, "input 0 is " + std::string(to_string(x.dtype)) +
                                            ", which cannot be interpolated");
}

constexpr Kernel kKernels[] = {
    {.op = "Resize",
     .types = kByteTypes,
     .prepare = prepare,
     .run = run,
     .supports = all_of<countable, supports, ResizeGeometry::fits>,
     .host_inputs = {1, 2, 3},
     .table_bytes = table_bytes},
};

}  // namespace

KernelFamily tensor_resize_kernels() { return kKernels; }

}  // namespace ferry::cuda
