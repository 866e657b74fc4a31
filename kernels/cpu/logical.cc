// Comparisons and Boolean algebra, and Where, which reads their results.
#include <functional>

#include "kernels/cpu/bool_byte.h"
#include "kernels/cpu/element.h"
#include "kernels/cpu/engine/loop.h"
#include "kernels/cpu/engine/row.h"
#include "kernels/cpu/engine/simd_map.h"
#include "kernels/cpu/engine/through_float.h"
#include "kernels/cpu/families.h"
#include "kernels/cpu/tables.h"
#include "kernels/cpu/unary.h"

namespace ferry::cpu {
namespace {

template <typename Compare>
struct Comparison {
  template <typename T>
  static bool apply(const T& a, const T& b) {
    return Compare()(a, b);
  }
};
using Equal = Comparison<std::equal_to<>>;
using Greater = Comparison<std::greater<>>;
using GreaterOrEqual = Comparison<std::greater_equal<>>;
using Less = Comparison<std::less<>>;
using LessOrEqual = Comparison<std::less_equal<>>;
using And = Comparison<std::logical_and<>>;
using Or = Comparison<std::logical_or<>>;
using Xor = Comparison<std::not_equal_to<>>;

template <typename Op>
std::unique_ptr<KernelState> prepare_boolean(const NodeFacts& node, Prepare&) {
  return prepare_row(node, row<Op, BoolByte, bool>);
}

template <typename Op, typename Types>
std::unique_ptr<KernelState> prepare_comparison(const NodeFacts& node, Prepare&) {
  return prepare_row(node, visit(node.input(0).dtype, Types(),
                                 []<typename T>() -> RowFunction { return row<Op, T, bool>; }));
}

template <typename Op>
constexpr std::array<Kernel, 2> comparison(std::string_view op) {
  constexpr PrepareFunction kPrepare = prepare_comparison<Op, NumericTypes>;
  return {Kernel{.op = op,
                 .types = kDirect,
                 .prepare = kPrepare,
                 .run = run_row_kernel,
                 .supports = broadcastable<2>},
          low_float_row<kPrepare, run_row_kernel>(op, broadcastable<2>)};
}

template <typename Op>
constexpr std::array<Kernel, 1> boolean_row(std::string_view op) {
  return {Kernel{.op = op,
                 .types = kBool,
                 .prepare = prepare_boolean<Op>,
                 .run = run_row_kernel,
                 .supports = broadcastable<2>,
                 .in_place = {0, 1}}};
}

constexpr std::array<Kernel, 2> kEqual{
    Kernel{.op = "Equal",
           .types = kBool,
           .prepare = prepare_boolean<Equal>,
           .run = run_row_kernel,
           .supports = broadcastable<2>,
           .in_place = {0, 1}},
    Kernel{.op = "Equal",
           .types = kString,
           .prepare = prepare_comparison<Equal, TypeList<std::string>>,
           .run = run_row_kernel,
           .supports = broadcastable<2>}};

// ---- bits ---------------------------------------------------------------------------------------

template <typename F>
struct Bitwise {
  template <typename T>
  static T apply(T a, T b) {
    return static_cast<T>(F()(a, b));
  }
};
// Bits that leave the type are gone; a shift by all of them or more leaves none.
struct ShiftLeft {
  template <typename T>
  static T apply(T a, T b) {
    return b >= sizeof(T) * 8 ? T(0) : static_cast<T>(a << b);
  }
};
struct ShiftRight {
  template <typename T>
  static T apply(T a, T b) {
    return b >= sizeof(T) * 8 ? T(0) : static_cast<T>(a >> b);
  }
};

template <typename Op, typename Types>
std::unique_ptr<KernelState> prepare_bits(const NodeFacts& node, Prepare&) {
  return prepare_row(node, visit(node.input(0).dtype, Types(),
                                 []<typename T>() -> RowFunction { return row<Op, T, T>; }));
}

std::unique_ptr<KernelState> prepare_shift(const NodeFacts& node, Prepare& prepare) {
  using Types = TypeList<uint8_t, uint16_t, uint32_t, uint64_t>;
  return node.attributes->get_string("direction") == "LEFT"
             ? prepare_bits<ShiftLeft, Types>(node, prepare)
             : prepare_bits<ShiftRight, Types>(node, prepare);
}

struct BitwiseNot : Unary {
  using Types = IntTypes;
  template <typename T>
  static T apply(T x, const float*) {
    return static_cast<T>(~x);
  }
};

template <typename F>
constexpr std::array<Kernel, 1> bitwise(std::string_view op) {
  return {Kernel{.op = op,
                 .types = kIntTypes,
                 .prepare = prepare_bits<Bitwise<F>, IntTypes>,
                 .run = run_row_kernel,
                 .supports = broadcastable<2>,
                 .in_place = {0, 1}}};
}

constexpr std::array<Kernel, 2> kBits{Kernel{.op = "BitShift",
                                             .types = kUnsignedTypes,
                                             .prepare = prepare_shift,
                                             .run = run_row_kernel,
                                             .supports = broadcastable<2>,
                                             .in_place = {0, 1}},
                                      Kernel{.op = "BitwiseNot",
                                             .types = kIntTypes,
                                             .prepare = prepare_unary<BitwiseNot>,
                                             .run = run_unary,
                                             .in_place = {0}}};

// ---- Not // -------------------------------------------------------------------------------------

struct NotState : KernelState {
  int64_t count = 0;
};

std::unique_ptr<KernelState> prepare_not(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<NotState>();
  state->count = numel_of(node.input(0).shape);
  return state;
}

void run_not(const KernelState* kernel_state, const RunContext& context) {
  const BoolByte* in = context.input<BoolByte>(0);
  bool* out = context.output<bool>(0);
  for_range(context, static_cast<const NotState*>(kernel_state)->count, 1,
            [&](int64_t begin, int64_t end) {
              for (int64_t i = begin; i < end; ++i) out[i] = !in[i];
            });
}

constexpr std::array<Kernel, 1> kNot{
    Kernel{.op = "Not", .types = kBool, .prepare = prepare_not, .run = run_not, .in_place = {0}}};

// ---- Where --------------------------------------------------------------------------------------

struct WhereState : KernelState {
  Broadcast<3> walk;
  int64_t count = 0;
  void (*run)(const WhereState&, const RunContext&) = nullptr;
};

template <typename T>
void run_where(const WhereState& state, const RunContext& context) {
  const BoolByte* condition = context.input<BoolByte>(0);
  const T* x = context.input<T>(1);
  const T* y = context.input<T>(2);
  T* out = context.output<T>(0);
  const int64_t size = state.walk.row_size();
  const auto [c_step, x_step, y_step] = state.walk.steps();
  const auto run_row = [&, c_step = c_step, x_step = x_step, y_step = y_step](
                           int64_t begin, int64_t end, const Broadcast<3>::Offsets& at, T* to) {
    for (int64_t i = begin; i < end; ++i) {
      to[i] = condition[at[0] + i * c_step] ? x[at[1] + i * x_step] : y[at[2] + i * y_step];
    }
  };
  if (state.walk.row_count() == 1) {
    return for_range(context, size, 1, [&](int64_t begin, int64_t end) {
      run_row(begin, end, {0, 0, 0}, out);
    });
  }
  for_range(context, state.walk.row_count(), size, [&](int64_t begin, int64_t end) {
    state.walk.for_rows(begin, end, [&](int64_t index, const Broadcast<3>::Offsets& at) {
      run_row(0, size, at, out + index * size);
    });
  });
}

std::unique_ptr<KernelState> prepare_where(const NodeFacts& node, Prepare&) {
  auto state = std::make_unique<WhereState>();
  state->count = numel_of(node.output(0).shape);
  if (state->count > 0) {
    state->walk = Broadcast<3>(node.output(0).shape,
                               {&node.input(0).shape, &node.input(1).shape, &node.input(2).shape});
  }
  state->run = visit_unit(node.input(1).dtype, []<typename T>() { return run_where<T>; });
  return state;
}

void run_where_kernel(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const WhereState*>(kernel_state);
  if (state.count > 0) state.run(state, context);
}

Support movable_branches(const NodeFacts& node) {
  const DType dtype = node.input(1).dtype;
  if (kMovable.contains(dtype)) return Support::yes();
  return Support::no(ReasonCode::dtype, "input 1 is " + std::string(to_string(dtype)));
}

constexpr std::array<Kernel, 1> kWhere{
    Kernel{.op = "Where",
           .types = kBool,
           .prepare = prepare_where,
           .run = run_where_kernel,
           .supports = all_of<movable_branches, broadcastable<3>>}};

constexpr auto kKernels =
    join(boolean_row<And>("And"), kBits, bitwise<std::bit_and<>>("BitwiseAnd"),
         bitwise<std::bit_or<>>("BitwiseOr"), bitwise<std::bit_xor<>>("BitwiseXor"), kEqual,
         comparison<Equal>("Equal"), comparison<Greater>("Greater"),
         comparison<GreaterOrEqual>("GreaterOrEqual"), comparison<Less>("Less"),
         comparison<LessOrEqual>("LessOrEqual"), kNot, boolean_row<Or>("Or"), kWhere,
         boolean_row<Xor>("Xor"));

}  // namespace

KernelFamily logical_kernels() { return kKernels; }

}  // namespace ferry::cpu
