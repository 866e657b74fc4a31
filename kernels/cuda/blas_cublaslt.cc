// Matrix products by cuBLASLt.
#include <algorithm>
#include <array>

#include "devices/cuda/error.h"
#include "ferry/error.h"
#include "kernels/cuda/activation.h"
#include "kernels/cuda/blas.h"
#include "kernels/cuda/cublaslt_abi.h"
#include "kernels/cuda/library.h"

namespace ferry::cuda {
namespace {

using namespace cublaslt;

constexpr size_t kMaxWorkspace = size_t{32} << 20;

struct CublasLt {
  Library library{{"libcublasLt.so.13", "libcublasLt.so.12"}};
  CreateFn* create;
  MatmulDescCreateFn* desc_create;
  DestroyFn* desc_destroy;
  SetAttributeFn* desc_set;
  MatrixLayoutCreateFn* layout_create;
  DestroyFn* layout_destroy;
  SetAttributeFn* layout_set;
  PreferenceCreateFn* preference_create;
  DestroyFn* preference_destroy;
  SetAttributeFn* preference_set;
  GetHeuristicFn* get_heuristic;
  MatmulFn* matmul;

  CublasLt() {
    library.find(create, "cublasLtCreate");
    library.find(desc_create, "cublasLtMatmulDescCreate");
    library.find(desc_destroy, "cublasLtMatmulDescDestroy");
    library.find(desc_set, "cublasLtMatmulDescSetAttribute");
    library.find(layout_create, "cublasLtMatrixLayoutCreate");
    library.find(layout_destroy, "cublasLtMatrixLayoutDestroy");
    library.find(layout_set, "cublasLtMatrixLayoutSetAttribute");
    library.find(preference_create, "cublasLtMatmulPreferenceCreate");
    library.find(preference_destroy, "cublasLtMatmulPreferenceDestroy");
    library.find(preference_set, "cublasLtMatmulPreferenceSetAttribute");
    library.find(get_heuristic, "cublasLtMatmulAlgoGetHeuristic");
    library.find(matmul, "cublasLtMatmul");
  }
};

const CublasLt& cublas() { return loaded<CublasLt>(); }

// The handle of a device, which is current; nullptr when the library refuses it. cuBLASLt's handles
// may be used by several threads.
Handle handle_of(int device) {
  static auto& handles = *new PerDevice<Handle>;
  return handles.of(device, [](Handle& handle) {
    if (cublas().create(&handle) != kSuccess) handle = nullptr;
  });
}

// An opaque object of the library with the function that destroys it.
class Object {
 public:
  explicit Object(DestroyFn* destroy) : destroy_(destroy) {}
  ~Object() {
    if (object_) destroy_(object_);
  }
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  void* get() const { return object_; }
  void** put() { return &object_; }

 private:
  void* object_ = nullptr;
  DestroyFn* destroy_;
};

int data_type(DType dtype) {
  switch (dtype) {
    case float32:
      return kReal32F;
    case float64:
      return kReal64F;
    case float16:
      return kReal16F;
    case bfloat16:
      return kReal16BF;
    default:
      return -1;
  }
}

// Row-major C = A * B is column-major C' = B' * A': the library's first operand is our B.
class CublasLtGemm final : public GemmPlan {
 public:
  CublasLtGemm(const GemmProblem& problem, int device)
      : problem_(problem), handle_(handle_of(device)) {}

  // False when the library has no algorithm for the problem.
  bool prepare() {
    const GemmProblem& p = problem_;
    const bool wide = p.dtype == float64;
    if (!handle_ || cublas().desc_create(desc_.put(), wide ? kCompute64F : kCompute32F,
                                         wide ? kReal64F : kReal32F) != kSuccess) {
      return false;
    }
    const int32_t first = p.transpose_b ? kOpT : kOpN, second = p.transpose_a ? kOpT : kOpN;
    if (!set(cublas().desc_set, desc_, kDescTransA, first) ||
        !set(cublas().desc_set, desc_, kDescTransB, second) ||
        !layout(b_, p.transpose_b ? p.k : p.n, p.transpose_b ? p.n : p.k, p.stride_b) ||
        !layout(a_, p.transpose_a ? p.m : p.k, p.transpose_a ? p.k : p.m, p.stride_a) ||
        !layout(c_, p.n, p.m, p.stride_c)) {
      return false;
    }
    Object preference(cublas().preference_destroy);
    if (cublas().preference_create(preference.put()) != kSuccess ||
        !set(cublas().preference_set, preference, kPreferenceMaxWorkspace, kMaxWorkspace)) {
      return false;
    }
    for (const int attribute : {kPreferenceAlignmentA, kPreferenceAlignmentB, kPreferenceAlignmentC,
                                kPreferenceAlignmentD}) {
      if (!set(cublas().preference_set, preference, attribute, p.alignment)) return false;
    }
    HeuristicResult result{};
    int found = 0;
    if (cublas().get_heuristic(handle_, desc_.get(), b_.get(), a_.get(), c_.get(), c_.get(),
                               preference.get(), 1, &result, &found) != kSuccess ||
        found == 0 || result.state != kSuccess) {
      return false;
    }
    algorithm_ = result.algorithm;
    workspace_bytes_ = result.workspace_bytes;
    return true;
  }

  size_t workspace_bytes() const override { return workspace_bytes_; }

  void run(cudaStream_t stream, const void* a, const void* b, void* c,
           void* workspace) const override {
    // The scale type is double for double, float for all others.
    const double wide[] = {problem_.alpha, problem_.accumulate ? 1.0 : 0.0};
    const float narrow[] = {problem_.alpha, problem_.accumulate ? 1.0f : 0.0f};
    const bool is_wide = problem_.dtype == float64;
    const void* alpha = is_wide ? static_cast<const void*>(&wide[0]) : &narrow[0];
    const void* beta = is_wide ? static_cast<const void*>(&wide[1]) : &narrow[1];
    const int status =
        cublas().matmul(handle_, desc_.get(), alpha, b, b_.get(), a, a_.get(), beta, c, c_.get(), c,
                        c_.get(), &algorithm_, workspace, workspace_bytes_, stream);
    if (status != kSuccess) {
      throw Error(ErrorCode::device_failed,
                  "cuBLASLt refused a matrix product with status " + std::to_string(status) + ".");
    }
    // The library's own epilogues are not used: nothing says that their Relu keeps NaN and that
    // their Gelu is ONNX's. The matrices of the batch follow one another.
    queue_activation(stream, problem_.activation, problem_.dtype, c,
                     problem_.batch * problem_.m * problem_.n);
  }

 private:
  template <typename T>
  static bool set(SetAttributeFn* function, const Object& object, int attribute, const T& value) {
    return function(object.get(), attribute, &value, sizeof value) == kSuccess;
  }

  // A dense column-major matrix.
  bool layout(Object& object, int64_t rows, int64_t columns, int64_t stride) const {
    if (cublas().layout_create(object.put(), data_type(problem_.dtype), static_cast<uint64_t>(rows),
                               static_cast<uint64_t>(columns), rows) != kSuccess) {
      return false;
    }
    if (problem_.batch == 1) return true;
    return set(cublas().layout_set, object, kLayoutBatchCount,
               static_cast<int32_t>(problem_.batch)) &&
           set(cublas().layout_set, object, kLayoutBatchOffset, stride);
  }

  GemmProblem problem_;
  Handle handle_;
  Object desc_{cublas().desc_destroy};
  Object a_{cublas().layout_destroy}, b_{cublas().layout_destroy}, c_{cublas().layout_destroy};
  Algorithm algorithm_{};
  size_t workspace_bytes_ = 0;
};

}  // namespace

std::unique_ptr<GemmPlan> make_library_gemm(const GemmProblem& problem, int device) {
  if (data_type(problem.dtype) < 0 || problem.k == 0 || problem.batch > INT32_MAX) return nullptr;
  if (!cublas().library.error().empty()) return nullptr;
  const DeviceScope scope(device);
  auto plan = std::make_unique<CublasLtGemm>(problem, device);
  if (!plan->prepare()) return nullptr;
  return plan;
}

std::string missing_blas() {
  const std::string& error = cublas().library.error();
  return error.empty() ? "" : "cuBLASLt: " + error;
}

}  // namespace ferry::cuda
