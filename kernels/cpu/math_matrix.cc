// Matrix products: float32 and float64 through gemm.h, integers by a plain loop.
#include <algorithm>

#include "core/storage.h"
#include "kernels/cpu/element.h"
#include "kernels/cpu/engine/broadcast.h"
#include "kernels/cpu/engine/gemm.h"
#include "kernels/cpu/engine/loop.h"
#include "kernels/cpu/engine/through_float.h"
#include "kernels/cpu/families.h"
#include "kernels/cpu/tables.h"
#include "kernels/epilogue.h"

namespace ferry::cpu {
namespace {

// Calls store(i, j, sum over p of A[i, p] * B[p, j]) for each element of the product; wraps.
template <typename T, typename Store>
void multiply_integers(MatrixView<T> a, MatrixView<T> b, int64_t m, int64_t n, int64_t k,
                       Store&& store) {
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      std::make_unsigned_t<T> sum = 0;
      for (int64_t p = 0; p < k; ++p) {
        sum +=
            static_cast<std::make_unsigned_t<T>>(a.data[i * a.row_stride + p * a.column_stride]) *
            static_cast<std::make_unsigned_t<T>>(b.data[p * b.row_stride + j * b.column_stride]);
      }
      store(i, j, static_cast<T>(sum));
    }
  }
}

// The constant B of a node as panels, once per model; nullptr where B is better read as it lies.
template <typename T>
std::shared_ptr<const void> packed_columns(const TensorFacts& b, int64_t m, bool transposed,
                                           Prepare& prepare) {
  if (b.constant == nullptr || b.rank() != 2 || numel_of(b.shape) == 0 || is_narrow(m)) {
    return nullptr;
  }
  const auto make = [&]() -> std::shared_ptr<const void> {
    const auto* data = static_cast<const T*>(b.constant->storage()->unaligned());
    const int64_t k = b.shape[transposed ? 1 : 0];
    const int64_t n = b.shape[transposed ? 0 : 1];
    const MatrixView<T> view{data, transposed ? 1 : n, transposed ? k : 1};
    return std::make_shared<const PackedMatrix<T>>(
        PackedMatrix<T>::columns(view, k, n, &prepare.threads()));
  };
  return prepare.cached(1, transposed ? "gemm columns, transposed" : "gemm columns", make);
}

std::shared_ptr<const void> packed_columns(const NodeFacts& node, int64_t m, bool transposed,
                                           Prepare& prepare) {
  if (node.input(0).dtype == float32) {
    return packed_columns<float>(node.input(1), m, transposed, prepare);
  }
  if (node.input(0).dtype == float64) {
    return packed_columns<double>(node.input(1), m, transposed, prepare);
  }
  return nullptr;
}

// ---- MatMul -------------------------------------------------------------------------------------

struct MatMulState : KernelState {
  int64_t m = 0, n = 0, k = 0;
  Broadcast<2> batches;  // over the products: offsets in units of one matrix
  int64_t batch_count = 1;
  void (*run)(const MatMulState&, const RunContext&) = nullptr;
  std::shared_ptr<const void> packed_b;
  bool has_bias = false;
  ActivationFunction activation;
};

// f(batch, a offset, b offset) in matrices for every product from begin to end.
template <typename F>
void for_products(const MatMulState& state, int64_t begin, int64_t end, F&& f) {
  const int64_t size = state.batches.row_size();
  const auto [a_step, b_step] = state.batches.steps();
  const int64_t first_row = begin / size;
  const int64_t last_row = (end + size - 1) / size;
  state.batches.for_rows(first_row, last_row,
                         [&](int64_t row, const Broadcast<2>::Offsets& offsets) {
                           for (int64_t i = 0; i < size; ++i) {
                             const int64_t product = row * size + i;
                             if (product < begin || product >= end) continue;
                             f(product, offsets[0] + i * a_step, offsets[1] + i * b_step);
                           }
                         });
}

template <typename T>
void run_matmul_gemm(const MatMulState& state, const RunContext& context) {
  Gemm<T> shape;
  shape.m = state.m;
  shape.n = state.n;
  shape.k = state.k;
  shape.a = {context.input<T>(0), state.k, 1};
  shape.b = {context.input<T>(1), state.n, 1};
  shape.packed_b = static_cast<const PackedMatrix<T>*>(state.packed_b.get());
  shape.c = context.output<T>(0);
  shape.c_stride = state.n;
  shape.activation = state.activation;
  if (state.has_bias) {
    shape.start = GemmStart::column_bias;
    shape.bias = context.input<T>(2);
  }
  if (state.batch_count == 1) return gemm(shape, context.threads);
  const int pool = context.threads != nullptr ? context.threads->size() : 1;
  const GemmTiles tiles = gemm_tiles(shape, state.batch_count >= 4 * pool ? 1 : pool);
  const auto run = [&](int64_t begin, int64_t end) {
    for_products(state, begin / tiles.count(), (end - 1) / tiles.count() + 1,
                 [&](int64_t product, int64_t a, int64_t b) {
                   Gemm<T> one = shape;
                   one.a.data += a * state.m * state.k;
                   one.b.data += b * state.k * state.n;
                   one.c += product * state.m * state.n;
                   const int64_t first = std::max(begin, product * tiles.count());
                   const int64_t last = std::min(end, (product + 1) * tiles.count());
                   for (int64_t i = first; i < last; ++i) {
                     gemm_tile(one, tiles, i - product * tiles.count());
                   }
                 });
  };
  const int64_t work = std::max<int64_t>(1, state.m * state.n * state.k / tiles.count());
  const int64_t grain = std::max<int64_t>(1, 64 * 1024 / work);
  const int64_t count = state.batch_count * tiles.count();
  if (context.threads == nullptr || count <= grain) return run(0, count);
  context.threads->parallel_for(count, grain, run);
}

template <typename T>
void run_matmul_integers(const MatMulState& state, const RunContext& context) {
  for_products(state, 0, state.batch_count, [&](int64_t product, int64_t a, int64_t b) {
    T* out = context.output<T>(0) + product * state.m * state.n;
    multiply_integers<T>({context.input<T>(0) + a * state.m * state.k, state.k, 1},
                         {context.input<T>(1) + b * state.k * state.n, state.n, 1}, state.m,
                         state.n, state.k,
                         [&](int64_t i, int64_t j, T sum) { out[i * state.n + j] = sum; });
  });
}

Shape batch_shape(const Shape& a, const Shape& b) {
  Shape batch(std::max(a.size(), b.size()));
  for (size_t i = 0; i < batch.size(); ++i) {
    const int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1;
    const int64_t y = i < b.size() ? b[b.size() - 1 - i] : 1;
    batch[batch.size() - 1 - i] = x == 1 ? y : x;
  }
  return batch;
}

Support stackable(const NodeFacts& node) {
  return within_axes(node, Broadcast<2>::kMaxAxes, [&] {
    const auto stack = [](Shape shape) {
      shape.resize(std::max<size_t>(shape.size(), 2) - 2);
      return shape;
    };
    const Shape a = stack(node.input(0).shape), b = stack(node.input(1).shape);
    Broadcast<2>(batch_shape(a, b), {&a, &b});
  });
}

std::unique_ptr<KernelState> prepare_matmul(const NodeFacts& node, Prepare& prepare) {
  auto state = std::make_unique<MatMulState>();
  Shape a = node.input(0).shape;
  Shape b = node.input(1).shape;
  if (a.size() == 1) a.insert(a.begin(), 1);
  if (b.size() == 1) b.push_back(1);
  state->m = a[a.size() - 2];
  state->k = a.back();
  state->n = b.back();
  a.resize(a.size() - 2);
  b.resize(b.size() - 2);
  if (numel_of(b) == 1) {
    // One B for all: the batches are more rows of A.
    state->m *= numel_of(a);
  } else {
    const Shape batch = batch_shape(a, b);
    state->batch_count = numel_of(batch);
    if (state->batch_count > 0) state->batches = Broadcast<2>(batch, {&a, &b});
  }
  if (numel_of(node.output(0).shape) == 0) state->batch_count = 0;
  const DType dtype = node.input(0).dtype;
  state->has_bias = node.has_input(2);
  state->activation = activation_function(activation_of(*node.attributes), dtype);
  state->run = visit(dtype, WideTypes(), []<typename T>() {
    if constexpr (std::is_floating_point_v<T>)
      return run_matmul_gemm<T>;
    else
      return run_matmul_integers<T>;
  });
  state->packed_b = packed_columns(node, state->m, /*transposed=*/false, prepare);
  return state;
}

void run_matmul(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const MatMulState*>(kernel_state);
  if (state.batch_count > 0) state.run(state, context);
}

// ---- Gemm ---------------------------------------------------------------------------------------

struct GemmState : KernelState {
  int64_t m = 0, n = 0, k = 0;
  bool trans_a = false, trans_b = false;
  float alpha = 1, beta = 1;
  Broadcast<1> bias;  // C over [m, n]
  bool has_bias = false, bias_is_row = false;
  ActivationFunction activation;
  std::shared_ptr<const void> packed_b;
  void (*run)(const GemmState&, const RunContext&) = nullptr;
};

template <typename T>
MatrixView<T> view_of(const RunContext& context, int input, bool transposed, int64_t rows,
                      int64_t columns) {
  return transposed ? MatrixView<T>{context.input<T>(input), 1, rows}
                    : MatrixView<T>{context.input<T>(input), columns, 1};
}

// output = beta * C, broadcast.
template <typename T>
void write_bias(const GemmState& state, const RunContext& context, T* out) {
  const T* c = context.input<T>(2);
  const int64_t size = state.bias.row_size();
  const int step = state.bias.steps()[0];
  state.bias.for_rows(0, state.bias.row_count(),
                      [&](int64_t row, const Broadcast<1>::Offsets& offsets) {
                        const T* from = c + offsets[0];
                        T* to = out + row * size;
                        for (int64_t i = 0; i < size; ++i) {
                          if constexpr (std::is_floating_point_v<T>) {
                            to[i] = static_cast<T>(state.beta) * from[i * step];
                          } else {
                            to[i] = from_double<T>(static_cast<double>(state.beta) *
                                                   static_cast<double>(from[i * step]));
                          }
                        }
                      });
}

template <typename T>
void run_gemm_floats(const GemmState& state, const RunContext& context) {
  Gemm<T> problem;
  problem.m = state.m;
  problem.n = state.n;
  problem.k = state.k;
  problem.alpha = static_cast<T>(state.alpha);
  problem.a = view_of<T>(context, 0, state.trans_a, state.m, state.k);
  problem.b = view_of<T>(context, 1, state.trans_b, state.k, state.n);
  problem.packed_b = static_cast<const PackedMatrix<T>*>(state.packed_b.get());
  problem.c = context.output<T>(0);
  problem.c_stride = state.n;
  problem.activation = state.activation;
  if (state.has_bias && state.bias_is_row) {
    problem.start = GemmStart::column_bias;
    problem.bias = context.input<T>(2);
  } else if (state.has_bias) {
    write_bias(state, context, problem.c);
    problem.start = GemmStart::accumulate;
  }
  gemm(problem, context.threads);
}

template <typename T>
void run_gemm_integers(const GemmState& state, const RunContext& context) {
  using Unsigned = std::make_unsigned_t<T>;
  T* out = context.output<T>(0);
  if (state.has_bias) {
    write_bias(state, context, out);
  } else {
    std::fill_n(out, state.m * state.n, T(0));
  }
  multiply_integers(
      view_of<T>(context, 0, state.trans_a, state.m, state.k),
      view_of<T>(context, 1, state.trans_b, state.k, state.n), state.m, state.n, state.k,
      [&](int64_t i, int64_t j, T sum) {
        if (state.alpha != 1) {
          sum = from_double<T>(static_cast<double>(state.alpha) * static_cast<double>(sum));
        }
        T& to = out[i * state.n + j];
        to = static_cast<T>(static_cast<Unsigned>(to) + static_cast<Unsigned>(sum));
      });
}

std::unique_ptr<KernelState> prepare_gemm(const NodeFacts& node, Prepare& prepare) {
  auto state = std::make_unique<GemmState>();
  const Attributes& attributes = *node.attributes;
  state->trans_a = attributes.get_int("transA") != 0;
  state->trans_b = attributes.get_int("transB") != 0;
  state->alpha = attributes.get_float("alpha");
  state->beta = attributes.get_float("beta");
  const Shape& a = node.input(0).shape;
  const Shape& output = node.output(0).shape;
  state->m = output[0];
  state->n = output[1];
  state->k = a[state->trans_a ? 0 : 1];
  // beta = 0 means that C is not read: NaN there must not spread.
  state->has_bias = node.has_input(2) && state->beta != 0;
  if (state->has_bias && numel_of(output) > 0) {
    const Shape& c = node.input(2).shape;
    state->bias = Broadcast<1>(output, {&c});
    // A scalar C is a row where the rows have one element.
    state->bias_is_row =
        state->beta == 1 && numel_of(c) == state->n && (c.empty() || c.back() == state->n);
  }
  const DType dtype = node.input(0).dtype;
  state->activation = activation_function(activation_of(attributes), dtype);
  state->run = visit(dtype, WideTypes(), []<typename T>() {
    if constexpr (std::is_floating_point_v<T>)
      return run_gemm_floats<T>;
    else
      return run_gemm_integers<T>;
  });
  state->packed_b = packed_columns(node, state->m, state->trans_b, prepare);
  return state;
}

void run_gemm(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const GemmState*>(kernel_state);
  if (state.m * state.n > 0) state.run(state, context);
}

inline constexpr TypeSet kWide{float32, float64, int32, int64, uint32, uint64};

constexpr auto kMatMulSupports = all_of<supports_matmul_epilogue, stackable>;

constexpr Kernel kKernels[] = {
    {.op = "Gemm",
     .types = kWide,
     .prepare = prepare_gemm,
     .run = run_gemm,
     .supports = supports_activation},
    low_float_row<prepare_gemm, run_gemm>("Gemm", supports_activation),
    {.op = "MatMul",
     .types = kWide,
     .prepare = prepare_matmul,
     .run = run_matmul,
     .supports = kMatMulSupports},
    low_float_row<prepare_matmul, run_matmul>("MatMul", kMatMulSupports),
};

}  // namespace

KernelFamily math_matrix_kernels() { return kKernels; }

}  // namespace ferry::cpu
