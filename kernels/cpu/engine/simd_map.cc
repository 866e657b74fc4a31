#include "kernels/cpu/engine/simd_map.h"

#include "kernels/cpu/engine/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/engine/simd_map.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/cpu/engine/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ferry::cpu {
namespace HWY_NAMESPACE {
namespace {

struct Abs {
  HWY_INLINE Vec operator()(Vec x, const float*) const { return hn::Abs(x); }
};
// min(max(x, low), high); NaN stays.
HWY_INLINE Vec limit(Vec x, Vec low, Vec high) {
  const Vec raised = hn::IfThenElse(hn::Lt(x, low), low, x);
  return hn::IfThenElse(hn::Lt(high, raised), high, raised);
}
struct Clip {
  HWY_INLINE Vec operator()(Vec x, const float* parameters) const {
    return limit(x, constant(parameters[0]), constant(parameters[1]));
  }
};
struct Exp {
  HWY_INLINE Vec operator()(Vec x, const float*) const { return exp(x); }
};
struct Erf {
  HWY_INLINE Vec operator()(Vec x, const float*) const { return erf(x); }
};
struct Gelu {
  HWY_INLINE Vec operator()(Vec x, const float*) const {
    const Vec half = hn::Mul(x, constant(0.5f));
    return hn::MulAdd(half, erf(hn::Mul(x, constant(0.707106781f))), half);
  }
};
struct GeluTanh {
  HWY_INLINE Vec operator()(Vec x, const float*) const {
    const Vec cube = hn::Mul(hn::Mul(x, x), x);
    const Vec inner =
        hn::Mul(constant(0.797884561f), hn::MulAdd(cube, constant(0.044715f), x));  // sqrt(2/pi)
    const Vec half = hn::Mul(x, constant(0.5f));
    return hn::MulAdd(half, tanh(inner), half);
  }
};
struct HardSigmoid {
  HWY_INLINE Vec operator()(Vec x, const float* parameters) const {
    const Vec line = hn::MulAdd(x, constant(parameters[0]), constant(parameters[1]));
    return limit(line, hn::Zero(F32()), constant(1.0f));
  }
};
struct HardSwish {
  HWY_INLINE Vec operator()(Vec x, const float*) const {
    const Vec line = hn::Add(hn::Div(x, constant(6.0f)), constant(0.5f));
    return hn::Mul(x, limit(line, hn::Zero(F32()), constant(1.0f)));
  }
};
struct LeakyRelu {
  HWY_INLINE Vec operator()(Vec x, const float* parameters) const {
    return hn::IfThenElse(hn::Lt(x, hn::Zero(F32())), hn::Mul(x, constant(parameters[0])), x);
  }
};
struct Neg {
  HWY_INLINE Vec operator()(Vec x, const float*) const { return hn::Neg(x); }
};
struct Reciprocal {
  HWY_INLINE Vec operator()(Vec x, const float*) const { return hn::Div(constant(1.0f), x); }
};
struct Relu {
  // Keeps NaN: x < 0 is false for it.
  HWY_INLINE Vec operator()(Vec x, const float*) const {
    return hn::IfThenZeroElse(hn::Lt(x, hn::Zero(F32())), x);
  }
};
struct Sigmoid {
  HWY_INLINE Vec operator()(Vec x, const float*) const { return sigmoid(x); }
};
struct Sqrt {
  HWY_INLINE Vec operator()(Vec x, const float*) const { return hn::Sqrt(x); }
};
struct Swish {
  HWY_INLINE Vec operator()(Vec x, const float* parameters) const {
    return hn::Mul(x, sigmoid(hn::Mul(x, constant(parameters[0]))));
  }
};
struct Tanh {
  HWY_INLINE Vec operator()(Vec x, const float*) const { return tanh(x); }
};

struct Add {
  HWY_INLINE Vec operator()(Vec a, Vec b) const { return hn::Add(a, b); }
};
struct Sub {
  HWY_INLINE Vec operator()(Vec a, Vec b) const { return hn::Sub(a, b); }
};
struct Mul {
  HWY_INLINE Vec operator()(Vec a, Vec b) const { return hn::Mul(a, b); }
};
struct Div {
  HWY_INLINE Vec operator()(Vec a, Vec b) const { return hn::Div(a, b); }
};
// Max and Min give NaN where either side is NaN.
struct Max {
  HWY_INLINE Vec operator()(Vec a, Vec b) const {
    return hn::IfThenElse(hn::Or(hn::Gt(a, b), hn::IsNaN(a)), a, b);
  }
};
struct Min {
  HWY_INLINE Vec operator()(Vec a, Vec b) const {
    return hn::IfThenElse(hn::Or(hn::Lt(a, b), hn::IsNaN(a)), a, b);
  }
};

// The last elements go through a buffer of one vector, so that every element meets the same
// instructions wherever it stands.
template <typename Op>
void map(const void* input, void* output, int64_t count, const float* parameters) {
  const F32 d;
  const Op op;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const float* in = static_cast<const float*>(input);
  float* out = static_cast<float*>(output);
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes)
    hn::StoreU(op(hn::LoadU(d, in + i), parameters), d, out + i);
  if (i == count) return;
  HWY_ALIGN float buffer[hn::MaxLanes(d)] = {};
  for (int64_t k = i; k < count; ++k) buffer[k - i] = in[k];
  hn::Store(op(hn::Load(d, buffer), parameters), d, buffer);
  for (int64_t k = i; k < count; ++k) out[k] = buffer[k - i];
}

template <typename Op>
void row(const void* a_data, const void* b_data, void* output, int64_t count, int a_step,
         int b_step) {
  const F32 d;
  const Op op;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const float* a = static_cast<const float*>(a_data);
  const float* b = static_cast<const float*>(b_data);
  float* out = static_cast<float*>(output);
  int64_t i = 0;
  if (a_step == 1 && b_step == 1) {
    for (; i + lanes <= count; i += lanes) {
      hn::StoreU(op(hn::LoadU(d, a + i), hn::LoadU(d, b + i)), d, out + i);
    }
  } else if (a_step == 1) {
    const Vec scalar = hn::Set(d, *b);
    for (; i + lanes <= count; i += lanes) hn::StoreU(op(hn::LoadU(d, a + i), scalar), d, out + i);
  } else {
    const Vec scalar = hn::Set(d, *a);
    const Vec other = hn::Set(d, *b);
    for (; i + lanes <= count; i += lanes) {
      hn::StoreU(op(scalar, b_step == 1 ? hn::LoadU(d, b + i) : other), d, out + i);
    }
  }
  if (i == count) return;
  HWY_ALIGN float left[hn::MaxLanes(d)] = {};
  HWY_ALIGN float right[hn::MaxLanes(d)] = {};
  for (int64_t k = i; k < count; ++k) {
    left[k - i] = a[k * a_step];
    right[k - i] = b[k * b_step];
  }
  hn::Store(op(hn::Load(d, left), hn::Load(d, right)), d, left);
  for (int64_t k = i; k < count; ++k) out[k] = left[k - i];
}

MapFunction find_map(SimdMap op) {
  switch (op) {
    case SimdMap::abs:
      return map<Abs>;
    case SimdMap::clip:
      return map<Clip>;
    case SimdMap::exp:
      return map<Exp>;
    case SimdMap::erf:
      return map<Erf>;
    case SimdMap::gelu:
      return map<Gelu>;
    case SimdMap::gelu_tanh:
      return map<GeluTanh>;
    case SimdMap::hard_sigmoid:
      return map<HardSigmoid>;
    case SimdMap::hard_swish:
      return map<HardSwish>;
    case SimdMap::leaky_relu:
      return map<LeakyRelu>;
    case SimdMap::neg:
      return map<Neg>;
    case SimdMap::reciprocal:
      return map<Reciprocal>;
    case SimdMap::relu:
      return map<Relu>;
    case SimdMap::sigmoid:
      return map<Sigmoid>;
    case SimdMap::sqrt:
      return map<Sqrt>;
    case SimdMap::swish:
      return map<Swish>;
    case SimdMap::tanh:
      return map<Tanh>;
  }
  return nullptr;
}

RowFunction find_row(SimdRow op) {
  switch (op) {
    case SimdRow::add:
      return row<Add>;
    case SimdRow::sub:
      return row<Sub>;
    case SimdRow::mul:
      return row<Mul>;
    case SimdRow::div:
      return row<Div>;
    case SimdRow::max:
      return row<Max>;
    case SimdRow::min:
      return row<Min>;
  }
  return nullptr;
}

}  // namespace
// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace ferry::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ferry::cpu {

HWY_EXPORT(find_map);
HWY_EXPORT(find_row);

MapFunction simd_map(SimdMap op) { return HWY_DYNAMIC_DISPATCH(find_map)(op); }
RowFunction simd_row(SimdRow op) { return HWY_DYNAMIC_DISPATCH(find_row)(op); }

}  // namespace ferry::cpu
#endif
