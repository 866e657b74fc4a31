// Resize (ONNX 19): every mode is separable, so each axis gets a table of source positions and
// weights, and the axes are walked one after the other.
#include <algorithm>
#include <cmath>
#include <optional>

#include "core/convert.h"
#include "kernels/cpu/element.h"
#include "kernels/cpu/families.h"
#include "kernels/cpu/host_input.h"
#include "kernels/cpu/loop.h"

namespace ferry::cpu {
namespace {

enum class Mode : uint8_t { nearest, linear, cubic };

struct Form {
  Mode mode = Mode::nearest;
  std::string transform, nearest;
  float cubic_a = -0.75f;
  bool exclude_outside = false, antialias = false;
};

// Where one output position of an axis comes from: `count` weights from `first` on in the axis'
// lists; `outside` where tf_crop_and_resize leaves the input.
struct Source {
  int64_t first = 0, count = 0;
  bool outside = false;
};
struct AxisTable {
  int64_t axis = 0, input = 0, output = 0;
  std::vector<Source> sources;
  std::vector<int64_t> positions;
  std::vector<double> weights;
};

// The input coordinate of output position x. Formulas: ONNX Resize 19,
// coordinate_transformation_mode; `width` is the output's size before rounding.
double original(const Form& form, double x, double scale, double width, int64_t input,
                int64_t output, double roi_start, double roi_end) {
  const double in = static_cast<double>(input);
  if (form.transform == "half_pixel") return (x + 0.5) / scale - 0.5;
  if (form.transform == "half_pixel_symmetric") {
    const double adjustment = static_cast<double>(output) / width;
    return in / 2 * (1 - adjustment) + (x + 0.5) / scale - 0.5;
  }
  if (form.transform == "pytorch_half_pixel") return width > 1 ? (x + 0.5) / scale - 0.5 : 0;
  if (form.transform == "align_corners") return width == 1 ? 0 : x * (in - 1) / (width - 1);
  if (form.transform == "asymmetric") return x / scale;
  // tf_crop_and_resize
  if (width > 1) {
    return roi_start * (in - 1) + x * (roi_end - roi_start) * (in - 1) / (width - 1);
  }
  return (roi_start + roi_end) * (in - 1) / 2;
}

double round_nearest(const std::string& mode, double x) {
  if (mode == "floor") return std::floor(x);
  if (mode == "ceil") return std::ceil(x);
  const double below = std::floor(x);
  if (x - below == 0.5) return mode == "round_prefer_ceil" ? below + 1 : below;
  return std::floor(x + 0.5);
}

double cubic(double x, double a) {
  x = std::abs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

AxisTable make_table(const Form& form, int64_t axis, int64_t input, int64_t output, double scale,
                     double roi_start, double roi_end) {
  AxisTable table{axis, input, output, {}, {}, {}};
  const double width = scale * static_cast<double>(input);
  // With antialias, a shrinking filter is stretched so that it covers what it skips.
  const double stretch = form.antialias && scale < 1 ? scale : 1;
  const double support = (form.mode == Mode::cubic ? 2 : 1) / stretch;
  const bool crops = form.transform == "tf_crop_and_resize";
  for (int64_t o = 0; o < output; ++o) {
    const double at =
        original(form, static_cast<double>(o), scale, width, input, output, roi_start, roi_end);
    Source source;
    source.first = static_cast<int64_t>(table.positions.size());
    source.outside = crops && (at < 0 || at > static_cast<double>(input - 1));
    const auto clamp = [&](double position) {
      return static_cast<int64_t>(std::clamp(position, 0.0, static_cast<double>(input - 1)));
    };
    if (form.mode == Mode::nearest) {
      table.positions.push_back(clamp(round_nearest(form.nearest, at)));
      table.weights.push_back(1);
    } else {
      // Integer positions closer than the filter reaches.
      const double low = form.antialias ? std::ceil(at - support) : std::floor(at) - (support - 1);
      const double high = form.antialias ? std::floor(at + support) : std::floor(at) + support;
      double sum = 0;
      for (double p = low; p <= high; ++p) {
        const double distance = (at - p) * stretch;
        double weight = form.mode == Mode::cubic
                            ? cubic(distance, static_cast<double>(form.cubic_a))
                            : std::max(0.0, 1 - std::abs(distance));
        const bool inside = p >= 0 && p <= static_cast<double>(input - 1);
        if (form.exclude_outside && !inside) weight = 0;
        if (weight == 0) continue;
        sum += weight;
        table.positions.push_back(clamp(p));
        table.weights.push_back(weight);
      }
      if (sum != 0 && (form.exclude_outside || form.antialias)) {
        for (size_t i = source.first; i < table.weights.size(); ++i) table.weights[i] /= sum;
      }
    }
    source.count = static_cast<int64_t>(table.positions.size()) - source.first;
    table.sources.push_back(source);
  }
  return table;
}

struct State : KernelState {
  Form form;
  DType dtype = DType::undefined, roi_dtype = DType::undefined;
  Shape input, output;
  std::vector<int64_t> axes;
  bool has_roi = false, by_scale = false;
  std::string policy;  // keep_aspect_ratio_policy
  HostInts sizes;
  float extrapolation = 0;
  bool planned = false;
  std::vector<AxisTable> tables;
  int64_t largest = 0;  // elements of the largest tensor between two axes
  void (*run)(const State&, const std::vector<AxisTable>&, const RunContext&) = nullptr;
};

// The one scale of a policy that keeps the aspect ratio.
std::optional<double> common_scale(const State& state, const RunContext* context) {
  if (state.by_scale || state.policy == "stretch") return std::nullopt;
  const std::vector<int64_t> sizes = state.sizes.read(context);
  std::optional<double> scale;
  for (size_t i = 0; i < sizes.size(); ++i) {
    const double ratio =
        static_cast<double>(sizes[i]) / static_cast<double>(state.input[state.axes[i]]);
    if (!scale || (state.policy == "not_larger" ? ratio < *scale : ratio > *scale)) scale = ratio;
  }
  return scale;
}

std::vector<AxisTable> make_tables(const State& state, const void* roi, const float* scales,
                                   const RunContext* context) {
  std::vector<AxisTable> tables;
  const size_t count = state.axes.size();
  const std::optional<double> common = common_scale(state, context);
  for (size_t i = 0; i < count; ++i) {
    const int64_t axis = state.axes[i];
    const int64_t in = state.input[axis];
    const int64_t out = state.output[axis];
    double scale = 1;
    if (common) {
      scale = *common;
    } else if (scales != nullptr) {
      scale = static_cast<double>(scales[i]);
    } else if (in > 0) {
      scale = static_cast<double>(out) / static_cast<double>(in);
    }
    double start = 0, end = 1;
    if (state.has_roi && roi != nullptr) {
      start = load_as_double(state.roi_dtype, roi, static_cast<int64_t>(i));
      end = load_as_double(state.roi_dtype, roi, static_cast<int64_t>(i + count));
    }
    const bool crops = state.form.transform == "tf_crop_and_resize";
    if (in == out && scale == 1 && !(crops && (start != 0 || end != 1))) continue;
    tables.push_back(make_table(state.form, axis, in, out, scale, start, end));
  }
  return tables;
}

// One axis of a tensor of doubles or floats: `shape` has the axis' input size.
template <typename From, typename To>
void resize_axis(const RunContext& context, const From* in, To* out, const Shape& shape,
                 const AxisTable& table, double extrapolation) {
  const AxisView view(shape, table.axis);
  const int64_t inner = view.inner;
  for_range(context, view.outer * table.output, inner * 4, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Source& source = table.sources[i % table.output];
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
void run_weighted(const State& state, const std::vector<AxisTable>& tables,
                  const RunContext& context) {
  constexpr DType kWork = kDTypeOf<Work>;
  Work* halves[2] = {static_cast<Work*>(context.workspace),
                     static_cast<Work*>(context.workspace) + state.largest};
  const bool direct = state.dtype == kWork;
  const int64_t in_count = product(state.input);
  const int64_t out_count = product(state.output);
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
void run_nearest(const State& state, const std::vector<AxisTable>& tables,
                 const RunContext& context) {
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
  std::vector<const AxisTable*> by_axis(rank, nullptr);
  for (const AxisTable& table : tables) by_axis[table.axis] = &table;
  const int64_t width = state.output.back();
  const int64_t rows = width == 0 ? 0 : product(state.output) / width;
  for_range(context, rows, width, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      int64_t rest = row;
      int64_t base = 0;
      int64_t stride = state.input.back();
      bool left = false;
      const auto source = [&](size_t axis, int64_t o) {
        if (by_axis[axis] == nullptr) return o;
        const Source& from = by_axis[axis]->sources[o];
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
  const Attributes& attributes = *node.attributes;
  const std::string& mode = attributes.get_string("mode");
  state->form.mode =
      mode == "nearest" ? Mode::nearest : (mode == "cubic" ? Mode::cubic : Mode::linear);
  state->form.transform = attributes.get_string("coordinate_transformation_mode");
  state->form.nearest = attributes.get_string("nearest_mode");
  state->form.cubic_a = attributes.get_float("cubic_coeff_a");
  state->form.exclude_outside = attributes.get_int("exclude_outside") != 0;
  state->form.antialias = attributes.get_int("antialias") != 0;
  state->extrapolation = attributes.get_float("extrapolation_value");
  state->dtype = node.input(0).dtype;
  state->input = node.input(0).shape;
  state->output = node.output(0).shape;
  const int64_t rank = static_cast<int64_t>(state->input.size());
  state->axes = attributes.get_ints("axes");
  for (int64_t& axis : state->axes) axis = axis_of(axis, rank);
  if (state->axes.empty()) {
    for (int64_t i = 0; i < rank; ++i) state->axes.push_back(i);
  }
  state->has_roi = node.has_input(1) && numel_of(node.input(1).shape) > 0;
  if (state->has_roi) state->roi_dtype = node.input(1).dtype;
  state->by_scale = node.has_input(2) && numel_of(node.input(2).shape) > 0;
  const Tensor* roi = state->has_roi ? node.input(1).constant : nullptr;
  const Tensor* scales = state->by_scale ? node.input(2).constant : nullptr;
  state->policy = attributes.get_string("keep_aspect_ratio_policy");
  state->sizes = HostInts(node, 3);
  state->planned = (!state->has_roi || roi != nullptr) && (!state->by_scale || scales != nullptr) &&
                   (state->policy == "stretch" || state->sizes.constant());
  if (state->planned) {
    state->tables =
        make_tables(*state, roi != nullptr ? roi->data() : nullptr,
                    scales != nullptr ? scales->span<float>().data() : nullptr, nullptr);
  }
  if (state->form.mode == Mode::nearest) {
    state->run = visit_unit(state->dtype, []<typename T>() { return run_nearest<T>; });
    return state;
  }
  // Each axis either grows or shrinks: no tensor on the way exceeds the larger size of every axis.
  state->largest = 1;
  for (int64_t i = 0; i < rank; ++i) {
    state->largest *= std::max(state->input[i], state->output[i]);
  }
  const bool wide = state->dtype == float64;
  state->run = wide ? run_weighted<double> : run_weighted<float>;
  prepare.set_workspace(dtype_bytes(wide ? float64 : float32, state->largest) * 2);
  return state;
}

void run(const KernelState* kernel_state, const RunContext& context) {
  const State& state = *static_cast<const State*>(kernel_state);
  if (product(state.output) == 0) return;
  if (product(state.input) == 0) {
    throw Error(ErrorCode::runtime, "an input without elements cannot be resized");
  }
  if (state.planned) return state.run(state, state.tables, context);
  const auto tables = make_tables(state, state.has_roi ? context.inputs[1] : nullptr,
                                  state.by_scale ? context.input<float>(2) : nullptr, &context);
  state.run(state, tables, context);
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
     .supports = interpolates,
     .host_inputs = {1, 2, 3}},
};

}  // namespace

KernelFamily tensor_resize_kernels() { return kKernels; }

}  // namespace ferry::cpu
