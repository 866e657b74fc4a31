// Matrix products by a kernel of our own: tiles of both operands go through shared memory.
#include <algorithm>

#include "devices/cuda/error.h"
#include "devices/cuda/launch.h"
#include "kernels/cuda/arithmetic.h"
#include "kernels/cuda/blas.h"
#include "kernels/cuda/element.h"
#include "kernels/cuda/unary_operators.h"

namespace ferry::cuda {
namespace {

constexpr int kTile = 16;
constexpr int64_t kMaxGrid = 65535;  // blocks along y and z

struct GemmArguments {
  const void* a;
  const void* b;
  void* c;
  int64_t m, n, k;
  int64_t row_a, column_a, row_b, column_b;  // strides of op(A) and op(B)
  int64_t stride_a, stride_b, stride_c;      // from batch to batch
  int64_t batch;
  float alpha;
  bool accumulate;
  Activation activation;
};

// The blocks stride over row tiles and batches beyond the grid's limits.
template <typename T>
__global__ void gemm_kernel(GemmArguments p) {
  using C = Compute<T>;
  __shared__ C tile_a[kTile][kTile + 1];
  __shared__ C tile_b[kTile][kTile + 1];
  const int tx = threadIdx.x, ty = threadIdx.y;
  const int64_t column = int64_t{blockIdx.x} * kTile + tx;
  for (int64_t batch = blockIdx.z; batch < p.batch; batch += gridDim.z) {
    const T* a = static_cast<const T*>(p.a) + batch * p.stride_a;
    const T* b = static_cast<const T*>(p.b) + batch * p.stride_b;
    T* c = static_cast<T*>(p.c) + batch * p.stride_c;
    for (int64_t first = int64_t{blockIdx.y} * kTile; first < p.m;
         first += int64_t{gridDim.y} * kTile) {
      const int64_t row = first + ty;
      C sum = C(0);
      for (int64_t step = 0; step < p.k; step += kTile) {
        const bool in_a = row < p.m && step + tx < p.k;
        const bool in_b = column < p.n && step + ty < p.k;
        tile_a[ty][tx] = in_a ? static_cast<C>(a[row * p.row_a + (step + tx) * p.column_a]) : C(0);
        tile_b[ty][tx] =
            in_b ? static_cast<C>(b[(step + ty) * p.row_b + column * p.column_b]) : C(0);
        __syncthreads();
        for (int i = 0; i < kTile; ++i) {
          sum = Add::apply(sum, Mul::apply(tile_a[ty][i], tile_b[i][tx]));
        }
        __syncthreads();
      }
      if (row < p.m && column < p.n) {
        T& out = c[row * p.n + column];
        if (p.alpha != 1.0f) sum = static_cast<C>(static_cast<C>(p.alpha) * sum);
        if (p.accumulate) sum = Add::apply(sum, static_cast<C>(out));
        out = static_cast<T>(activate(p.activation, sum));
      }
    }
  }
}

class PlainGemm final : public GemmPlan {
 public:
  explicit PlainGemm(const GemmProblem& problem) : problem_(problem) {}

  void run(cudaStream_t stream, const void* a, const void* b, void* c, void*) const override {
    const GemmProblem& p = problem_;
    const GemmArguments arguments{
        .a = a,
        .b = b,
        .c = c,
        .m = p.m,
        .n = p.n,
        .k = p.k,
        .row_a = p.transpose_a ? 1 : p.k,
        .column_a = p.transpose_a ? p.m : 1,
        .row_b = p.transpose_b ? 1 : p.n,
        .column_b = p.transpose_b ? p.k : 1,
        .stride_a = p.stride_a,
        .stride_b = p.stride_b,
        .stride_c = p.stride_c,
        .batch = p.batch,
        .alpha = p.alpha,
        .accumulate = p.accumulate,
        .activation = p.activation,
    };
    const auto tiles = [](int64_t size) { return (size + kTile - 1) / kTile; };
    const dim3 grid(static_cast<unsigned>(tiles(p.n)),
                    static_cast<unsigned>(std::min(tiles(p.m), kMaxGrid)),
                    static_cast<unsigned>(std::min(p.batch, kMaxGrid)));
    visit(p.dtype, MatrixTypes(), [&]<typename T>() {
      check(launch<gemm_kernel<T>>(grid, dim3(kTile, kTile), 0, stream, arguments),
            "launch a matrix product");
    });
  }

 private:
  GemmProblem problem_;
};

}  // namespace

std::unique_ptr<GemmPlan> make_plain_gemm(const GemmProblem& problem) {
  return std::make_unique<PlainGemm>(problem);
}

}  // namespace ferry::cuda
