// Float functions on vectors, for inclusion by files that highway compiles once per instruction
// set. Errors are below 2 units in the last place on the whole range (tests/kernels/math_test.cc).
// The polynomials are minimax fits of our own, named by what they approximate.
#if defined(FERRY_SIMD_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FERRY_SIMD_MATH_INL_H_
#undef FERRY_SIMD_MATH_INL_H_
#else
#define FERRY_SIMD_MATH_INL_H_
#endif

#include <cstddef>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace ferry::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::ScalableTag<float>;
using Vec = hn::Vec<F32>;

HWY_INLINE Vec constant(float value) { return hn::Set(F32(), value); }

// c[0] + c[1]*x + ... by Horner's rule.
template <size_t N>
HWY_INLINE Vec polynomial(Vec x, const float (&c)[N]) {
  Vec result = constant(c[N - 1]);
  for (size_t i = N - 1; i-- > 0;) result = hn::MulAdd(result, x, constant(c[i]));
  return result;
}

HWY_INLINE Vec keep_nan(Vec x, Vec result) { return hn::IfThenElse(hn::IsNaN(x), x, result); }

HWY_INLINE Vec exp(Vec x) {
  // exp(x) = 2^n * exp(r), |r| <= ln(2)/2; (exp(r) - 1 - r) / r^2 is the polynomial.
  static constexpr float kCoefficients[] = {0.5f,          0.16666666f,   0.041666295f,
                                            0.0083334977f, 0.0013944693f, 0.0001979032f};
  const hn::RebindToSigned<F32> i32;
  const Vec limited = hn::Min(hn::Max(x, constant(-104.0f)), constant(89.0f));
  const Vec n = hn::Round(hn::Mul(limited, constant(1.44269504f)));
  Vec r = hn::NegMulAdd(n, constant(0.693145752f), limited);  // ln(2), upper bits
  r = hn::NegMulAdd(n, constant(1.42860677e-6f), r);          // and the rest
  const Vec p = hn::MulAdd(hn::Mul(r, r), polynomial(r, kCoefficients), hn::Add(r, constant(1.0f)));
  // 2^n in two factors, so that results below the normal range round once.
  const auto exponent = hn::ConvertTo(i32, n);
  const auto half = hn::ShiftRight<1>(exponent);
  const auto bias = hn::Set(i32, 127);
  const auto power = [&](auto e) HWY_ATTR {
    return hn::BitCast(F32(), hn::ShiftLeft<23>(hn::Add(e, bias)));
  };
  return keep_nan(x, hn::Mul(hn::Mul(p, power(half)), power(hn::Sub(exponent, half))));
}

HWY_INLINE Vec sigmoid(Vec x) {
  // From exp(-|x|), which cannot overflow: both sides keep their precision.
  const Vec e = exp(hn::Neg(hn::Abs(x)));
  const Vec one = constant(1.0f);
  const Vec positive = hn::Div(one, hn::Add(one, e));
  return hn::IfThenElse(hn::Lt(x, hn::Zero(F32())), hn::Mul(e, positive), positive);
}

HWY_INLINE Vec tanh(Vec x) {
  // |x| < 0.625: x + x^3 * P(x^2); beyond, 1 - 2 / (exp(2|x|) + 1) with the sign of x.
  static constexpr float kCoefficients[] = {-0.33333331f, 0.13333206f,    -0.05394676f,
                                            0.021700693f, -0.0081773726f, 0.0021429373f};
  const Vec z = hn::Mul(x, x);
  const Vec small = hn::MulAdd(hn::Mul(x, z), polynomial(z, kCoefficients), x);
  const Vec magnitude = hn::Abs(x);
  const Vec one = constant(1.0f);
  const Vec e = exp(hn::Add(magnitude, magnitude));
  const Vec large = hn::CopySign(hn::Sub(one, hn::Div(constant(2.0f), hn::Add(e, one))), x);
  return hn::IfThenElse(hn::Lt(magnitude, constant(0.625f)), small, keep_nan(x, large));
}

HWY_INLINE Vec erf(Vec x) {
  // |x| < 1: x * P(x^2); beyond, 1 - exp(Q(|x|)), Q fitted to log(erfc) on [1, 4].
  static constexpr float kSmall[] = {1.1283792f,     -0.37612638f,  0.11283782f,
                                     -0.026865399f,  0.0052209431f, -0.00084827986f,
                                     0.00011256743f, -9.6409649e-6f};
  static constexpr float kLarge[] = {0.00018803682f, -1.1295784f,   -0.6332199f,
                                     -0.10841855f,   0.02520824f,   -0.0042045559f,
                                     0.00044133526f, -2.1686759e-5f};
  const Vec z = hn::Mul(x, x);
  const Vec small = hn::Mul(x, polynomial(z, kSmall));
  const Vec magnitude = hn::Min(hn::Abs(x), constant(4.0f));
  const Vec complement = exp(polynomial(magnitude, kLarge));
  const Vec large = hn::CopySign(hn::Sub(constant(1.0f), complement), x);
  return hn::IfThenElse(hn::Lt(magnitude, constant(1.0f)), small, keep_nan(x, large));
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace ferry::cpu
HWY_AFTER_NAMESPACE();

#endif  // include guard per target
