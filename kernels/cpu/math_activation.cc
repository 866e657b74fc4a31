// More elementwise operators of one input: trigonometry, rounding and the rarer activations.
// Formulas: each operator's page in ONNX, the newest version.
#include <cmath>
#include <concepts>

#include "kernels/cpu/families.h"
#include "kernels/cpu/tables.h"
#include "kernels/cpu/unary_operators.h"

namespace ferry::cpu {
namespace {

struct Costly : Unary {
  static constexpr int64_t kCost = 8;
};

// Named after the functions of <cmath> that they are.
#define FERRY_CMATH_OPERATOR(Name, function) \
  struct Name : Costly {                     \
    template <typename T>                    \
    static T apply(T x, const float*) {      \
      return std::function(x);               \
    }                                        \
  }
FERRY_CMATH_OPERATOR(Acos, acos);
FERRY_CMATH_OPERATOR(Acosh, acosh);
FERRY_CMATH_OPERATOR(Asin, asin);
FERRY_CMATH_OPERATOR(Asinh, asinh);
FERRY_CMATH_OPERATOR(Atan, atan);
FERRY_CMATH_OPERATOR(Atanh, atanh);
FERRY_CMATH_OPERATOR(Ceil, ceil);
FERRY_CMATH_OPERATOR(Cosh, cosh);
FERRY_CMATH_OPERATOR(Floor, floor);
FERRY_CMATH_OPERATOR(Round, nearbyint);  // halves to even
FERRY_CMATH_OPERATOR(Sinh, sinh);
FERRY_CMATH_OPERATOR(Tan, tan);
#undef FERRY_CMATH_OPERATOR

struct Sign : Unary {
  using Types = NumericTypes;
  template <typename T>
  static T apply(T x, const float*) {
    return x != x ? x : static_cast<T>((x > T(0)) - (x < T(0)));
  }
};

struct Softplus : Costly {
  template <typename T>
  static T apply(T x, const float*) {
    return std::max(x, T(0)) + std::log1p(std::exp(-std::abs(x)));
  }
};

struct Softsign : Unary {
  template <typename T>
  static T apply(T x, const float*) {
    return x / (T(1) + std::abs(x));
  }
};

struct Mish : Costly {
  template <typename T>
  static T apply(T x, const float* parameters) {
    return x * std::tanh(Softplus::apply(x, parameters));
  }
};

// Operators with the attributes alpha and beta, or gamma.
struct WithAlpha : Costly {
  static Parameters parameters(const Attributes& attributes) {
    return {attributes.get_float("alpha")};
  }
};

struct Celu : WithAlpha {
  template <typename T>
  static T apply(T x, const float* p) {
    return std::max(T(0), x) + std::min(T(0), T(p[0]) * std::expm1(x / T(p[0])));
  }
};
struct Elu : WithAlpha {
  template <typename T>
  static T apply(T x, const float* p) {
    return x < T(0) ? T(p[0]) * std::expm1(x) : x;
  }
};
struct ThresholdedRelu : WithAlpha {
  template <typename T>
  static T apply(T x, const float* p) {
    return x > T(p[0]) ? x : T(0);
  }
};
struct Selu : Costly {
  static Parameters parameters(const Attributes& attributes) {
    return {attributes.get_float("alpha"), attributes.get_float("gamma")};
  }
  template <typename T>
  static T apply(T x, const float* p) {
    return T(p[1]) * (x > T(0) ? x : T(p[0]) * std::expm1(x));
  }
};
struct Shrink : Unary {
  using Types = NumericTypes;
  static Parameters parameters(const Attributes& attributes) {
    return {attributes.get_float("bias"), attributes.get_float("lambd")};
  }
  template <typename T>
  static T apply(T x, const float* p) {
    const double value = static_cast<double>(x);
    if (value < -static_cast<double>(p[1]))
      return from_double<T>(value + static_cast<double>(p[0]));
    if (value > static_cast<double>(p[1])) return from_double<T>(value - static_cast<double>(p[0]));
    return T(0);
  }
};

// 1 above the threshold, elsewhere and for NaN 0.
struct Binarizer : Unary {
  using Types = TypeList<float, double, int32_t, int64_t>;
  static Parameters parameters(const Attributes& attributes) {
    return {attributes.get_float("threshold")};
  }
  template <typename T>
  static T apply(T x, const float* p) {
    return static_cast<double>(x) > static_cast<double>(p[0]) ? 1 : 0;
  }
};

constexpr auto kKernels =
    join(unary<Acos>("Acos"), unary<Acosh>("Acosh"), unary<Asin>("Asin"), unary<Asinh>("Asinh"),
         unary<Atan>("Atan"), unary<Atanh>("Atanh"), unary<Binarizer>("ai.onnx.ml.Binarizer"),
         unary<Ceil>("Ceil"), unary<Celu>("Celu"), unary<Cosh>("Cosh"), unary<Elu>("Elu"),
         unary<Floor>("Floor"), unary<HardSigmoid>("HardSigmoid"), unary<HardSwish>("HardSwish"),
         unary<Mish>("Mish"), unary<Round>("Round"), unary<Selu>("Selu"), unary<Shrink>("Shrink"),
         unary<Sign>("Sign"), unary<Sinh>("Sinh"), unary<Softplus>("Softplus"),
         unary<Softsign>("Softsign"), unary<Swish>("Swish"), unary<Tan>("Tan"),
         unary<ThresholdedRelu>("ThresholdedRelu"));

}  // namespace

KernelFamily math_activation_kernels() { return kKernels; }

}  // namespace ferry::cpu
