// Matrix products.
#include <algorithm>

#include "graph/ops/rules.h"

namespace ferry {
namespace {

inline constexpr TypeSet kMatrixTypes = kFloatTypes | TypeSet{int32, int64, uint32, uint64};

// MatMul (opset 13): A, B -> Y, as numpy.matmul. Rewrites add a bias, input 2 [N], where B is
// [K, N], and an activation; both of floating types only.
void infer_matmul(InferContext& context) {
  expect_arity(context, 2, 3);
  const DType dtype = expect_one_dtype(context, kMatrixTypes);
  expect_activation(context, dtype);
  expect_min_rank(context, 0, 1);
  expect_min_rank(context, 1, 1);
  if (context.has_input(2)) {
    expect_dtype(context, 2, kFloatTypes);
    expect_rank(context, 1, 2);
    expect_rank(context, 2, 1);
    if (context.shape(1) && context.shape(2)) {
      expect_equal(context, (*context.shape(2))[0], context.shape(1)->back(),
                   "the size of the bias and the columns of B");
    }
  }
  if (!context.shape(0) || !context.shape(1)) return context.set_output(0, dtype, std::nullopt);
  context.set_output(0, dtype, matmul_shape(context, *context.shape(0), *context.shape(1)));
}

// Gemm (opset 13): A, B, C? -> Y; alpha, beta, transA, transB. C broadcasts to [M, N]. Rewrites add
// an activation.
void infer_gemm(InferContext& context) {
  expect_arity(context, 2, 3);
  const DType dtype = expect_one_dtype(context, kMatrixTypes);
  expect_activation(context, dtype);
  expect_rank(context, 0, 2);
  expect_rank(context, 1, 2);
  const int64_t trans_a = context.attributes().get_int("transA") != 0;
  const int64_t trans_b = context.attributes().get_int("transB") != 0;
  Dims result(2);
  Dim inner_a, inner_b;
  if (context.shape(0)) {
    result[0] = (*context.shape(0))[trans_a];
    inner_a = (*context.shape(0))[1 - trans_a];
  }
  if (context.shape(1)) {
    result[1] = (*context.shape(1))[1 - trans_b];
    inner_b = (*context.shape(1))[trans_b];
  }
  expect_equal(context, inner_a, inner_b, "the inner sizes of the product");
  expect_broadcast(context, 2, result);
  context.set_output(0, dtype, std::move(result));
}

constexpr OpRule kRules[] = {
    {.op = "Gemm", .infer = infer_gemm, .flops = gemm_flops, .takes_activation = true},
    {.op = "MatMul", .infer = infer_matmul, .flops = matmul_flops, .takes_activation = true},
};

}  // namespace

Dims matmul_shape(const InferContext& context, Dims a, Dims b) {
  const bool vector_a = a.size() == 1;
  const bool vector_b = b.size() == 1;
  if (vector_a) a.insert(a.begin(), Dim(1));
  if (vector_b) b.push_back(Dim(1));
  expect_equal(context, a.back(), b[b.size() - 2], "the inner sizes of the product");
  const Dim rows = a[a.size() - 2];
  const Dim columns = b.back();
  a.resize(a.size() - 2);
  b.resize(b.size() - 2);
  Dims result = broadcast(context, a, b);
  if (!vector_a) result.push_back(rows);
  if (!vector_b) result.push_back(columns);
  return result;
}

std::span<const OpRule> math_matrix_rules() { return kRules; }

}  // namespace ferry
