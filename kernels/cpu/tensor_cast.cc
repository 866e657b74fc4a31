// Cast between all element types, and IsNaN, which asks of any floating type.
#include <charconv>
#include <cmath>
#include <cstring>

#include "core/convert.h"
#include "kernels/cpu/bool_byte.h"
#include "kernels/cpu/element.h"
#include "kernels/cpu/engine/loop.h"
#include "kernels/cpu/families.h"
#include "kernels/cpu/tables.h"

namespace ferry::cpu {
namespace {

struct State : KernelState {
  DType from = DType::undefined, to = DType::undefined;
  int64_t count = 0;
  ConvertOptions options;
};

// Tiles begin at whole bytes of packed types.
inline constexpr int64_t kPackedElements = 4;

std::unique_ptr<KernelState> prepare_cast(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<State>();
  state->from = node.input(0).dtype;
  state->to = node.output(0).dtype;
  state->count = numel_of(node.input(0).shape);
  state->options.saturate = node.attributes->get_int("saturate") != 0;
  const std::string& mode = node.attributes->get_string("round_mode");
  state->options.e8m0_round =
      mode == "nearest" ? RoundMode::nearest : (mode == "down" ? RoundMode::down : RoundMode::up);
  return state;
}

void run_cast(const KernelState* kernel_state, const RunContext& context) {
  const State& state = *static_cast<const State*>(kernel_state);
  const auto* in = context.input<std::byte>(0);
  auto* out = context.output<std::byte>(0);
  const int64_t groups = (state.count + kPackedElements - 1) / kPackedElements;
  for_range(context, groups, kPackedElements, [&](int64_t begin, int64_t end) {
    const int64_t first = begin * kPackedElements;
    const int64_t last = std::min(state.count, end * kPackedElements);
    const auto* source = in + dtype_bytes(state.from, first);
    auto* target = out + dtype_bytes(state.to, first);
    if (state.from == state.to) {
      std::memcpy(target, source, dtype_bytes(state.to, last - first));
    } else {
      convert(state.from, source, state.to, target, last - first, state.options);
    }
  });
}

// ---- strings ------------------------------------------------------------------------------------

// The shortest digits that read back as the same number of this type, as numpy writes them: fixed
// from 1e-4 to below 1e16, with a fraction; scientific beyond.
template <typename T>
std::string float_text(T value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[64];
  const double magnitude = std::abs(static_cast<double>(value));
  const bool fixed = magnitude == 0 || (magnitude >= 1e-4 && magnitude < 1e16);
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value,
                                 fixed ? std::chars_format::fixed : std::chars_format::scientific)
                       .ptr;
  std::string text(buffer, end);
  if (fixed && text.find('.') == std::string::npos) text += ".0";
  return text;
}

std::string text_of(DType dtype, const void* data, int64_t i) {
  switch (dtype) {
    case float64:
      return float_text(static_cast<const double*>(data)[i]);
    case boolean:
      return static_cast<const BoolByte*>(data)[i] ? "True" : "False";
    case uint64:
      return std::to_string(static_cast<const uint64_t*>(data)[i]);
    default:
      break;
  }
  if (is_floating(dtype)) return float_text(static_cast<float>(load_as_double(dtype, data, i)));
  return std::to_string(load_as_int64(dtype, data, i));
}

[[noreturn]] void no_number(const std::string& text, DType to) {
  throw Error(ErrorCode::runtime, "the string \"" + text + "\" is no number that " +
                                      std::string(to_string(to)) + " could hold");
}

template <typename T>
T number_in(const std::string& text, DType to) {
  const char* begin = text.data();
  const char* end = begin + text.size();
  while (begin != end && std::isspace(static_cast<unsigned char>(*begin))) ++begin;
  while (begin != end && std::isspace(static_cast<unsigned char>(end[-1]))) --end;
  if (begin != end && *begin == '+') ++begin;
  T value{};
  const auto [stop, error] = std::from_chars(begin, end, value);
  if (error == std::errc() && stop == end && begin != end) return value;
  if constexpr (std::is_floating_point_v<T>) {
    if (error == std::errc::result_out_of_range && stop == end) return std::strtod(begin, nullptr);
  }
  no_number(text, to);
}

void store_text(const std::string& text, DType to, void* data, int64_t i,
                const ConvertOptions& options) {
  if (to == int64 || to == uint64) {
    if (to == int64) static_cast<int64_t*>(data)[i] = number_in<int64_t>(text, to);
    if (to == uint64) static_cast<uint64_t*>(data)[i] = number_in<uint64_t>(text, to);
    return;
  }
  store_from_double(to, data, i, number_in<double>(text, to), options);
}

void run_to_string(const KernelState* kernel_state, const RunContext& context) {
  const State& state = *static_cast<const State*>(kernel_state);
  auto* out = context.output<std::string>(0);
  for (int64_t i = 0; i < state.count; ++i) {
    out[i] = state.from == DType::string ? context.input<std::string>(0)[i]
                                         : text_of(state.from, context.inputs[0], i);
  }
}

void run_from_string(const KernelState* kernel_state, const RunContext& context) {
  const State& state = *static_cast<const State*>(kernel_state);
  for (int64_t i = 0; i < state.count; ++i) {
    store_text(context.input<std::string>(0)[i], state.to, context.outputs[0], i, state.options);
  }
}

Support to_string_only(const NodeFacts& node) {
  return node.output(0).dtype == DType::string
             ? Support::yes()
             : Support::no(ReasonCode::dtype, "the output is no string");
}

Support between_numbers(const NodeFacts& node) {
  const DType from = node.input(0).dtype;
  const DType to = node.output(0).dtype;
  if (from == to || can_convert(from, to)) return Support::yes();
  return Support::no(ReasonCode::dtype,
                     std::string(to_string(from)) + " to " + std::string(to_string(to)));
}

// ---- IsNaN, IsInf -------------------------------------------------------------------------------

struct ClassState : KernelState {
  DType dtype = DType::undefined;
  int64_t count = 0;
  bool nan = false, positive_infinity = false, negative_infinity = false;
};

void run_class(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const ClassState*>(kernel_state);
  bool* out = context.output<bool>(0);
  for_range(context, state.count, 4, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const double x = load_as_double(state.dtype, context.inputs[0], i);
      out[i] = (state.nan && x != x) || (state.positive_infinity && x == INFINITY) ||
               (state.negative_infinity && x == -INFINITY);
    }
  });
}

std::unique_ptr<ClassState> class_state(const NodeFacts& node) {
  auto state = std::make_unique<ClassState>();
  state->dtype = node.input(0).dtype;
  state->count = numel_of(node.input(0).shape);
  return state;
}

std::unique_ptr<KernelState> prepare_is_nan(const NodeFacts& node, Prepare&) {
  auto state = class_state(node);
  state->nan = true;
  return state;
}

std::unique_ptr<KernelState> prepare_is_inf(const NodeFacts& node, Prepare&) {
  auto state = class_state(node);
  state->positive_infinity = node.attributes->get_int("detect_positive") != 0;
  state->negative_infinity = node.attributes->get_int("detect_negative") != 0;
  return state;
}

inline constexpr TypeSet kFloat8{float8_e4m3fn, float8_e4m3fnuz, float8_e5m2, float8_e5m2fnuz};

constexpr std::array<Kernel, 3> cast(std::string_view op, Ports metadata) {
  return {Kernel{.op = op,
                 .types = kAnyType,
                 .prepare = prepare_cast,
                 .run = run_to_string,
                 .supports = to_string_only,
                 .metadata_inputs = metadata},
          Kernel{.op = op,
                 .types = kString,
                 .prepare = prepare_cast,
                 .run = run_from_string,
                 .metadata_inputs = metadata},
          Kernel{.op = op,
                 .types = kAnyType,
                 .prepare = prepare_cast,
                 .run = run_cast,
                 .supports = between_numbers,
                 .metadata_inputs = metadata}};
}

constexpr std::array<Kernel, 2> kClasses{
    Kernel{
        .op = "IsInf", .types = kFloatTypes | kFloat8, .prepare = prepare_is_inf, .run = run_class},
    Kernel{
        .op = "IsNaN", .types = kFloatTypes | kFloat8, .prepare = prepare_is_nan, .run = run_class},
};

constexpr auto kKernels = join(cast("Cast", {}), cast("CastLike", {1}), kClasses);

}  // namespace

KernelFamily tensor_cast_kernels() { return kKernels; }

}  // namespace ferry::cpu
