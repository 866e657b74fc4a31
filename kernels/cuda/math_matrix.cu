// MatMul and Gemm, through the seam to the matrix library (blas.h).
#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include "kernels/cuda/blas.h"
#include "kernels/cuda/element.h"
#include "kernels/cuda/families.h"
#include "kernels/cuda/map.h"
#include "kernels/cuda/walk.h"
#include "kernels/epilogue.h"

namespace ferry::cuda {
namespace {

const void* element(const void* data, int64_t index, DType dtype) {
  return static_cast<const std::byte*>(data) + index * (dtype_bits(dtype) / 8);
}
void* element(void* data, int64_t index, DType dtype) {
  return static_cast<std::byte*>(data) + index * (dtype_bits(dtype) / 8);
}

// What the product is added to: scale * C, where C broadcasts to the output.
template <typename T>
struct ScaledBroadcastMap {
  Walk<1> walk;
  const T* in;
  T* out;
  float scale;

  __device__ void operator()(uint32_t index) const {
    int64_t from[1];
    walk.offsets(index, from);
    const auto value = static_cast<Compute<T>>(in[from[0]]);
    out[index] = static_cast<T>(scale == 1.0f ? value : static_cast<Compute<T>>(scale) * value);
  }
};

void queue_scaled_broadcast(const RunContext& context, DType dtype, const Walk<1>& walk,
                            float scale) {
  visit(dtype, MatrixTypes(), [&]<typename T>() {
    launch_map(context, walk.count,
               ScaledBroadcastMap<T>{walk, context.input<T>(2), context.output<T>(0), scale});
  });
}

// ---- MatMul: matrices in the last two axes, the others broadcast
// ----------------------------------

struct MatMulState : KernelState {
  std::unique_ptr<GemmPlan> plan;
  DType dtype = DType::undefined;
  // Offsets of A and B in elements: one strided batch of products each.
  std::vector<std::array<int64_t, 2>> groups;
  int64_t group_stride = 0;  // elements of the output from group to group
  bool has_bias = false;
  Walk<1> bias;  // over the output
};

// The largest power of two, up to that of allocations, that divides all offsets in bytes.
uint32_t alignment_of(const MatMulState& state, DType dtype) {
  int64_t bits = 256;
  const auto add = [&](int64_t elements) { bits |= elements * (dtype_bits(dtype) / 8); };
  for (size_t i = 0; i < state.groups.size(); ++i) {
    add(state.groups[i][0]);
    add(state.groups[i][1]);
    add(static_cast<int64_t>(i) * state.group_stride);
  }
  return static_cast<uint32_t>(bits & -bits);
}

Shape batch_shape(const Shape& a, const Shape& b) {
  Shape batch(std::max(a.size(), b.size()), 1);
  for (const Shape* shape : {&a, &b}) {
    const size_t missing = batch.size() - shape->size();
    for (size_t i = 0; i < shape->size(); ++i) {
      if ((*shape)[i] != 1) batch[missing + i] = (*shape)[i];
    }
  }
  return batch;
}

Walk<2> batch_walk(Shape a, Shape b) {
  for (Shape* shape : {&a, &b}) shape->resize(std::max<size_t>(shape->size(), 2) - 2);
  return broadcast_walk<2>(batch_shape(a, b), {&a, &b});
}

Support stackable(const NodeFacts& node) {
  const Support support = countable(node);
  return support.ok ? within_axes(node, kMaxAxes,
                                  [&] { batch_walk(node.input(0).shape, node.input(1).shape); })
                    : support;
}

std::unique_ptr<GemmPlan> make_plan(const GemmProblem& problem, Prepare& prepare) {
  auto plan = make_library_gemm(problem, prepare.backend()->device().index());
  if (!plan) plan = make_plain_gemm(problem);
  prepare.set_workspace(plan->workspace_bytes());
  return plan;
}

std::unique_ptr<KernelState> prepare_matmul(const NodeFacts& node, Prepare& prepare) {
  auto state = std::make_unique<MatMulState>();
  const Walk<2> walk = batch_walk(node.input(0).shape, node.input(1).shape);
  Shape a = node.input(0).shape, b = node.input(1).shape;
  if (a.size() == 1) a.insert(a.begin(), 1);
  if (b.size() == 1) b.push_back(1);
  GemmProblem problem;
  problem.dtype = state->dtype = node.input(0).dtype;
  problem.activation = activation_of(*node.attributes);
  problem.m = a[a.size() - 2];
  problem.k = a.back();
  problem.n = b.back();
  if (walk.count == 0 || problem.m == 0 || problem.n == 0) return state;

  state->has_bias = problem.accumulate = node.has_input(2);
  if (state->has_bias) {
    state->bias = broadcast_walk<1>(node.output(0).shape, {&node.input(2).shape});
  }

  // The innermost axes that both operands walk evenly are one strided batch.
  const int64_t a_matrix = problem.m * problem.k, b_matrix = problem.k * problem.n;
  const uint32_t inner = walk.axes > 0 ? walk.sizes[0].divisor : 1;
  problem.batch = inner;
  if (walk.axes > 0) {
    problem.stride_a = walk.strides[0][0] * a_matrix;
    problem.stride_b = walk.strides[0][1] * b_matrix;
  }
  problem.stride_c = problem.m * problem.n;
  state->group_stride = problem.batch * problem.stride_c;
  for (uint32_t group = 0; group < walk.count / inner; ++group) {
    std::array<int64_t, 2> offsets{};
    uint32_t rest = group;
    for (int axis = 1; axis < walk.axes; ++axis) {
      const int64_t coordinate = rest % walk.sizes[axis].divisor;
      rest /= walk.sizes[axis].divisor;
      offsets[0] += coordinate * walk.strides[axis][0] * a_matrix;
      offsets[1] += coordinate * walk.strides[axis][1] * b_matrix;
    }
    state->groups.push_back(offsets);
  }
  problem.alignment = alignment_of(*state, problem.dtype);
  // One matrix B for all rows of a dense A: one product with many rows.
  if (problem.batch > 1 && problem.stride_b == 0 && problem.stride_a == a_matrix) {
    problem.m *= problem.batch;
    problem.batch = 1;
  }
  state->plan = make_plan(problem, prepare);
  return state;
}

void run_matmul(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const MatMulState*>(kernel_state);
  if (state.has_bias) queue_scaled_broadcast(context, state.dtype, state.bias, 1.0f);
  for (size_t i = 0; i < state.groups.size(); ++i) {
    const int64_t out = static_cast<int64_t>(i) * state.group_stride;
    state.plan->run(stream_of(context).activate(),
                    element(context.inputs[0], state.groups[i][0], state.dtype),
                    element(context.inputs[1], state.groups[i][1], state.dtype),
                    element(context.outputs[0], out, state.dtype), context.workspace);
  }
}

// ---- Gemm: alpha * A' * B' + beta * C, where C broadcasts
// -----------------------------------------

struct GemmState : KernelState {
  std::unique_ptr<GemmPlan> plan;  // nullptr: the output is empty
  DType dtype = DType::undefined;
  float beta = 0;  // 0: there is no C
  Walk<1> walk;    // of C over the output
};

std::unique_ptr<KernelState> prepare_gemm(const NodeFacts& node, Prepare& prepare) {
  auto state = std::make_unique<GemmState>();
  const Shape& a = node.input(0).shape;
  const Shape& output = node.output(0).shape;
  GemmProblem problem;
  problem.dtype = state->dtype = node.input(0).dtype;
  problem.transpose_a = node.attributes->get_int("transA") != 0;
  problem.transpose_b = node.attributes->get_int("transB") != 0;
  problem.alpha = node.attributes->get_float("alpha");
  problem.activation = activation_of(*node.attributes);
  problem.m = output[0];
  problem.n = output[1];
  problem.k = problem.transpose_a ? a[0] : a[1];
  if (problem.m == 0 || problem.n == 0) return state;
  if (node.has_input(2)) state->beta = node.attributes->get_float("beta");
  problem.accumulate = state->beta != 0.0f;
  if (problem.accumulate) state->walk = broadcast_walk<1>(output, {&node.input(2).shape});
  state->plan = make_plan(problem, prepare);
  return state;
}

void run_gemm(const KernelState* kernel_state, const RunContext& context) {
  const auto& state = *static_cast<const GemmState*>(kernel_state);
  if (!state.plan) return;
  if (state.beta != 0.0f) queue_scaled_broadcast(context, state.dtype, state.walk, state.beta);
  state.plan->run(stream_of(context).activate(), context.inputs[0], context.inputs[1],
                  context.outputs[0], context.workspace);
}

constexpr Kernel kKernels[] = {
    {.op = "Gemm",
     .types = type_set(MatrixTypes()),
     .prepare = prepare_gemm,
     .run = run_gemm,
     .supports = all_of<supports_activation, countable>},
    {.op = "MatMul",
     .types = type_set(MatrixTypes()),
     .prepare = prepare_matmul,
     .run = run_matmul,
     .supports = all_of<supports_matmul_epilogue, stackable>},
};

}  // namespace

KernelFamily math_matrix_kernels() { return kKernels; }

}  // namespace ferry::cuda
