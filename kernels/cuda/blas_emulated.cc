// The library under emulation: the CPU's matrix products, in the order of the stream.
#include "devices/cuda/error.h"
#include "devices/emulation/emulation.h"
#include "kernels/cpu/engine/gemm.h"
#include "kernels/cuda/blas.h"
#include "kernels/cuda/emulated_pool.h"

namespace ferry::cuda {
namespace {

template <typename T>
class EmulatedGemm final : public GemmPlan {
 public:
  explicit EmulatedGemm(const GemmProblem& problem) : problem_(problem) {}

  void run(cudaStream_t stream, const void* a, const void* b, void* c, void*) const override {
    const auto view = [](const void* p) { return static_cast<T*>(emulation::kernel_view(p)); };
    // A copy of the problem: the plan may be gone when the work runs.
    check(emulation::queue_host_work(
              "matrix product", stream,
              [p = problem_, a = view(a), b = view(b), c = view(c)] { multiply(p, a, b, c); }),
          "queue a matrix product");
  }

 private:
  static void multiply(const GemmProblem& p, const T* a, const T* b, T* c) {
    cpu::Gemm<T> gemm;
    gemm.m = p.m;
    gemm.n = p.n;
    gemm.k = p.k;
    gemm.alpha = p.alpha;
    gemm.c_stride = p.n;
    gemm.activation = cpu::activation_function(p.activation, p.dtype);
    gemm.start = p.accumulate ? cpu::GemmStart::accumulate : cpu::GemmStart::zero;
    gemm.a = p.transpose_a ? cpu::MatrixView<T>{a, 1, p.m} : cpu::MatrixView<T>{a, p.k, 1};
    gemm.b = p.transpose_b ? cpu::MatrixView<T>{b, 1, p.k} : cpu::MatrixView<T>{b, p.n, 1};
    for (int64_t i = 0; i < p.batch; ++i) {
      gemm.c = c + i * p.stride_c;
      cpu::gemm(gemm, &emulated_pool());
      gemm.a.data += p.stride_a;
      gemm.b.data += p.stride_b;
    }
  }

  GemmProblem problem_;
};

}  // namespace

std::unique_ptr<GemmPlan> make_library_gemm(const GemmProblem& problem, int) {
  if (problem.dtype == float32) return std::make_unique<EmulatedGemm<float>>(problem);
  if (problem.dtype == float64) return std::make_unique<EmulatedGemm<double>>(problem);
  return nullptr;
}

std::string missing_blas() { return ""; }

}  // namespace ferry::cuda
