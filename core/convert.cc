#include "core/convert.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "ferry/error.h"

namespace ferry {
namespace {

// A binary floating-point format of at most 16 bits.
struct MiniFloat {
  int exponent_bits;
  int mantissa_bits;
  int bias;
  bool has_infinity;
  bool has_nan;
  bool fnuz;   // the only NaN is negative zero's code, and there is no negative zero
  double max;  // largest finite value
};

constexpr MiniFloat kFloat16{5, 10, 15, true, true, false, 65504.0};
constexpr MiniFloat kBFloat16{8, 7, 127, true, true, false, 3.3895313892515355e38};
constexpr MiniFloat kE4M3FN{4, 3, 7, false, true, false, 448.0};
constexpr MiniFloat kE4M3FNUZ{4, 3, 8, false, true, true, 240.0};
constexpr MiniFloat kE5M2{5, 2, 15, true, true, false, 57344.0};
constexpr MiniFloat kE5M2FNUZ{5, 2, 16, false, true, true, 57344.0};
constexpr MiniFloat kE2M1{2, 1, 1, false, false, false, 6.0};

double decode(const MiniFloat& f, uint32_t bits) {
  const int width = 1 + f.exponent_bits + f.mantissa_bits;
  const uint32_t sign = bits >> (width - 1) & 1;
  const uint32_t exponent = bits >> f.mantissa_bits & ((1u << f.exponent_bits) - 1);
  const uint32_t mantissa = bits & ((1u << f.mantissa_bits) - 1);
  const uint32_t top = (1u << f.exponent_bits) - 1;
  if (f.fnuz) {
    if (sign && exponent == 0 && mantissa == 0) return std::numeric_limits<double>::quiet_NaN();
  } else if (f.has_infinity && exponent == top) {
    if (mantissa != 0) return std::numeric_limits<double>::quiet_NaN();
    return sign ? -INFINITY : INFINITY;
  } else if (f.has_nan && exponent == top && mantissa == (1u << f.mantissa_bits) - 1) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  const double magnitude =
      exponent == 0 ? std::ldexp(static_cast<double>(mantissa), 1 - f.bias - f.mantissa_bits)
                    : std::ldexp(static_cast<double>(mantissa + (1u << f.mantissa_bits)),
                                 static_cast<int>(exponent) - f.bias - f.mantissa_bits);
  return sign ? -magnitude : magnitude;
}

uint32_t encode(const MiniFloat& f, double value, bool saturate) {
  const int width = 1 + f.exponent_bits + f.mantissa_bits;
  const uint32_t sign_bit = 1u << (width - 1);
  const uint32_t sign = std::signbit(value) ? sign_bit : 0;
  const uint32_t top = ((1u << f.exponent_bits) - 1) << f.mantissa_bits;
  const uint32_t nan = f.fnuz           ? sign_bit
                       : f.has_infinity ? top | (1u << (f.mantissa_bits - 1))
                                        : top | ((1u << f.mantissa_bits) - 1);
  if (std::isnan(value)) return f.has_nan ? (f.fnuz ? nan : nan | sign) : 0;
  const double magnitude = std::fabs(value);

  // Round to a multiple of the format's step at this magnitude; nearbyint rounds to even.
  int exponent = 0;
  std::frexp(magnitude, &exponent);  // magnitude = m * 2^exponent, 0.5 <= m < 1
  const int step_exponent = std::max(exponent - 1, 1 - f.bias) - f.mantissa_bits;
  const double steps =
      std::isinf(magnitude) ? magnitude : std::nearbyint(std::ldexp(magnitude, -step_exponent));
  const double rounded = std::ldexp(steps, step_exponent);
  if (rounded > f.max) {
    // IEEE formats wider than 8 bits always overflow to infinity.
    const bool clamp = width == 4 || (saturate && width == 8);
    if (!clamp) return f.has_infinity ? top | sign : (f.fnuz ? nan : nan | sign);
    return encode(f, std::copysign(f.max, value), saturate);
  }
  if (rounded == 0) return f.fnuz ? 0 : sign;
  std::frexp(rounded, &exponent);
  const int biased = exponent - 1 + f.bias;
  if (biased <= 0) {
    return sign | static_cast<uint32_t>(std::ldexp(rounded, f.bias - 1 + f.mantissa_bits));
  }
  const uint32_t mantissa =
      static_cast<uint32_t>(std::ldexp(rounded, f.mantissa_bits - (exponent - 1))) -
      (1u << f.mantissa_bits);
  return sign | static_cast<uint32_t>(biased) << f.mantissa_bits | mantissa;
}

// float8_e8m0: an exponent alone, 2^(bits - 127), 255 is NaN.
double decode_e8m0(uint8_t bits) {
  return bits == 255 ? std::numeric_limits<double>::quiet_NaN() : std::ldexp(1.0, bits - 127);
}

uint8_t encode_e8m0(double value, const ConvertOptions& options) {
  value = std::fabs(value);
  if (std::isnan(value)) return 255;
  if (std::isinf(value)) return options.saturate ? 254 : 255;
  if (value == 0) return 0;
  int exponent = 0;
  const double m = std::frexp(value, &exponent);  // value = m * 2^exponent, 0.5 <= m < 1
  int code = exponent - 1 + 127;
  const bool exact = m == 0.5;
  const bool up = options.e8m0_round == RoundMode::up        ? !exact
                  : options.e8m0_round == RoundMode::nearest ? m >= 0.75
                                                             : false;
  code += up ? 1 : 0;
  if (code > 254) return options.saturate ? 254 : 255;
  return static_cast<uint8_t>(std::max(code, 0));
}

int64_t to_int64(double value) {
  if (std::isnan(value)) return 0;
  if (value >= 9223372036854775808.0) return std::numeric_limits<int64_t>::max();
  if (value <= -9223372036854775808.0) return std::numeric_limits<int64_t>::min();
  return static_cast<int64_t>(value);
}

uint64_t to_uint64(double value) {
  if (value >= 9223372036854775808.0) {
    return value >= 18446744073709551616.0 ? std::numeric_limits<uint64_t>::max()
                                           : static_cast<uint64_t>(value);
  }
  return static_cast<uint64_t>(to_int64(value));
}

// How one element type is read and written, through a double for real values and through an
// int64_t (bit pattern for uint64) for integers.
template <typename T>
struct Native {
  static double load(const void* p, int64_t i) {
    return static_cast<double>(static_cast<const T*>(p)[i]);
  }
  static int64_t load_int(const void* p, int64_t i) {
    if constexpr (std::is_floating_point_v<T>) {
      return to_int64(load(p, i));
    } else {
      return static_cast<int64_t>(static_cast<const T*>(p)[i]);
    }
  }
  static void store(void* p, int64_t i, double v, const ConvertOptions&) {
    if constexpr (std::is_floating_point_v<T>) {
      static_cast<T*>(p)[i] = static_cast<T>(v);
    } else if constexpr (std::is_same_v<T, uint64_t>) {
      static_cast<T*>(p)[i] = to_uint64(v);
    } else {
      static_cast<T*>(p)[i] = static_cast<T>(to_int64(v));
    }
  }
  static void store_int(void* p, int64_t i, int64_t v) {
    static_cast<T*>(p)[i] = static_cast<T>(v);
  }
};

struct Bool {
  static double load(const void* p, int64_t i) { return static_cast<const uint8_t*>(p)[i] != 0; }
  static int64_t load_int(const void* p, int64_t i) {
    return static_cast<const uint8_t*>(p)[i] != 0;
  }
  static void store(void* p, int64_t i, double v, const ConvertOptions&) {
    static_cast<uint8_t*>(p)[i] = v != 0;
  }
  static void store_int(void* p, int64_t i, int64_t v) { static_cast<uint8_t*>(p)[i] = v != 0; }
};

// An element of kBits bits inside a packed byte array.
template <int kBits>
uint8_t load_bits(const void* p, int64_t i) {
  constexpr int kPerByte = 8 / kBits;
  return static_cast<const uint8_t*>(p)[i / kPerByte] >> (i % kPerByte * kBits) &
         ((1 << kBits) - 1);
}
template <int kBits>
void store_bits(void* p, int64_t i, uint8_t v) {
  constexpr int kPerByte = 8 / kBits;
  const int shift = static_cast<int>(i % kPerByte) * kBits;
  uint8_t& byte = static_cast<uint8_t*>(p)[i / kPerByte];
  const uint8_t mask = static_cast<uint8_t>(((1 << kBits) - 1) << shift);
  byte = static_cast<uint8_t>((byte & ~mask) | ((v << shift) & mask));
}

template <int kBits, bool kSigned>
struct PackedInt {
  static int64_t load_int(const void* p, int64_t i) {
    const int64_t v = load_bits<kBits>(p, i);
    return kSigned && v >> (kBits - 1) ? v - (1 << kBits) : v;
  }
  static double load(const void* p, int64_t i) { return static_cast<double>(load_int(p, i)); }
  static void store_int(void* p, int64_t i, int64_t v) {
    store_bits<kBits>(p, i, static_cast<uint8_t>(v & ((1 << kBits) - 1)));
  }
  static void store(void* p, int64_t i, double v, const ConvertOptions&) {
    store_int(p, i, to_int64(v));
  }
};

template <typename Word, const MiniFloat& kFormat>
struct Mini {
  static double load(const void* p, int64_t i) {
    return decode(kFormat, static_cast<const Word*>(p)[i]);
  }
  static int64_t load_int(const void* p, int64_t i) { return to_int64(load(p, i)); }
  static void store(void* p, int64_t i, double v, const ConvertOptions& o) {
    static_cast<Word*>(p)[i] = static_cast<Word>(encode(kFormat, v, o.saturate));
  }
  static void store_int(void* p, int64_t i, int64_t v) {
    store(p, i, static_cast<double>(v), ConvertOptions());
  }
};

struct E2M1 {
  static double load(const void* p, int64_t i) { return decode(kE2M1, load_bits<4>(p, i)); }
  static int64_t load_int(const void* p, int64_t i) { return to_int64(load(p, i)); }
  static void store(void* p, int64_t i, double v, const ConvertOptions& o) {
    store_bits<4>(p, i, static_cast<uint8_t>(encode(kE2M1, v, o.saturate)));
  }
  static void store_int(void* p, int64_t i, int64_t v) {
    store(p, i, static_cast<double>(v), ConvertOptions());
  }
};

struct E8M0 {
  static double load(const void* p, int64_t i) {
    return decode_e8m0(static_cast<const uint8_t*>(p)[i]);
  }
  static int64_t load_int(const void* p, int64_t i) { return to_int64(load(p, i)); }
  static void store(void* p, int64_t i, double v, const ConvertOptions& o) {
    static_cast<uint8_t*>(p)[i] = encode_e8m0(v, o);
  }
  static void store_int(void* p, int64_t i, int64_t v) {
    store(p, i, static_cast<double>(v), ConvertOptions());
  }
};

// Codecs as a table, and their block forms: kBlock elements at a time through a double or int64_t
// buffer, so that every pair of types needs no code of its own.
struct Codec {
  double (*load)(const void*, int64_t);
  int64_t (*load_int)(const void*, int64_t);
  void (*store)(void*, int64_t, double, const ConvertOptions&);
  void (*load_block)(const void*, int64_t, int64_t, double*);
  void (*load_int_block)(const void*, int64_t, int64_t, int64_t*);
  void (*store_block)(void*, int64_t, int64_t, const double*, const ConvertOptions&);
  void (*store_int_block)(void*, int64_t, int64_t, const int64_t*);
};

template <typename C>
constexpr Codec codec() {
  return {
      C::load,
      C::load_int,
      C::store,
      [](const void* p, int64_t first, int64_t n, double* out) {
        for (int64_t i = 0; i < n; ++i) out[i] = C::load(p, first + i);
      },
      [](const void* p, int64_t first, int64_t n, int64_t* out) {
        for (int64_t i = 0; i < n; ++i) out[i] = C::load_int(p, first + i);
      },
      [](void* p, int64_t first, int64_t n, const double* in, const ConvertOptions& o) {
        for (int64_t i = 0; i < n; ++i) C::store(p, first + i, in[i], o);
      },
      [](void* p, int64_t first, int64_t n, const int64_t* in) {
        for (int64_t i = 0; i < n; ++i) C::store_int(p, first + i, in[i]);
      },
  };
}

constexpr Codec kNoCodec{};
constexpr Codec kCodecs[kDTypeCount] = {
    kNoCodec,                            // undefined
    codec<Native<float>>(),              // float32
    codec<Native<uint8_t>>(),            // uint8
    codec<Native<int8_t>>(),             // int8
    codec<Native<uint16_t>>(),           // uint16
    codec<Native<int16_t>>(),            // int16
    codec<Native<int32_t>>(),            // int32
    codec<Native<int64_t>>(),            // int64
    kNoCodec,                            // string
    codec<Bool>(),                       // bool
    codec<Mini<uint16_t, kFloat16>>(),   // float16
    codec<Native<double>>(),             // float64
    codec<Native<uint32_t>>(),           // uint32
    codec<Native<uint64_t>>(),           // uint64
    kNoCodec,                            // complex64
    kNoCodec,                            // complex128
    codec<Mini<uint16_t, kBFloat16>>(),  // bfloat16
    codec<Mini<uint8_t, kE4M3FN>>(),     // float8_e4m3fn
    codec<Mini<uint8_t, kE4M3FNUZ>>(),   // float8_e4m3fnuz
    codec<Mini<uint8_t, kE5M2>>(),       // float8_e5m2
    codec<Mini<uint8_t, kE5M2FNUZ>>(),   // float8_e5m2fnuz
    codec<PackedInt<4, false>>(),        // uint4
    codec<PackedInt<4, true>>(),         // int4
    codec<E2M1>(),                       // float4_e2m1
    codec<E8M0>(),                       // float8_e8m0
    codec<PackedInt<2, false>>(),        // uint2
    codec<PackedInt<2, true>>(),         // int2
};

const Codec& codec_of(DType dtype) {
  const Codec& c = kCodecs[static_cast<size_t>(dtype)];
  if (c.load == nullptr) {
    throw Error(ErrorCode::unsupported, "elements of " + std::string(to_string(dtype)) +
                                            " cannot be converted to or from another type.");
  }
  return c;
}

template <typename From, typename To, typename F>
void map(const void* source, void* destination, int64_t count, F f) {
  const From* in = static_cast<const From*>(source);
  To* out = static_cast<To*>(destination);
  for (int64_t i = 0; i < count; ++i) out[i] = f(in[i]);
}

// The pairs that whole models are converted between; true when it did the work.
bool convert_fast(DType from, const void* source, DType to, void* destination, int64_t count) {
  if (from == float32 && to == float16) {
    map<float, uint16_t>(source, destination, count, float_to_half);
  } else if (from == float16 && to == float32) {
    map<uint16_t, float>(source, destination, count, half_to_float);
  } else if (from == float32 && to == bfloat16) {
    map<float, uint16_t>(source, destination, count, float_to_bfloat16);
  } else if (from == bfloat16 && to == float32) {
    map<uint16_t, float>(source, destination, count, bfloat16_to_float);
  } else if (from == float32 && to == float64) {
    map<float, double>(source, destination, count, [](float v) { return double{v}; });
  } else if (from == float64 && to == float32) {
    map<double, float>(source, destination, count, [](double v) { return static_cast<float>(v); });
  } else if (from == int32 && to == int64) {
    map<int32_t, int64_t>(source, destination, count, [](int32_t v) { return int64_t{v}; });
  } else if (from == int64 && to == int32) {
    map<int64_t, int32_t>(source, destination, count,
                          [](int64_t v) { return static_cast<int32_t>(v); });
  } else if (from == int64 && to == float32) {
    map<int64_t, float>(source, destination, count,
                        [](int64_t v) { return static_cast<float>(v); });
  } else {
    return false;
  }
  return true;
}

}  // namespace

float half_to_float(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
  const uint32_t magnitude = bits & 0x7fff;
  if (magnitude >= 0x7c00) {  // infinity and NaN
    return __builtin_bit_cast(float, sign | 0x7f800000 | (magnitude & 0x3ff) << 13);
  }
  if (magnitude >= 0x400) {
    return __builtin_bit_cast(float, sign | ((magnitude << 13) + ((127 - 15) << 23)));
  }
  const float subnormal = static_cast<float>(magnitude) * 0x1p-24f;
  return __builtin_bit_cast(float, sign | __builtin_bit_cast(uint32_t, subnormal));
}

uint16_t float_to_half(float value) {
  const uint32_t bits = __builtin_bit_cast(uint32_t, value);
  const uint32_t sign = bits >> 16 & 0x8000;
  uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) {
    return static_cast<uint16_t>(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
  }
  if (magnitude >= 0x477ff000) return static_cast<uint16_t>(sign | 0x7c00);  // rounds to infinity
  if (magnitude < 0x38800000) {  // below the smallest normal: adding 0.5 rounds at its last bit
    const float shifted = __builtin_bit_cast(float, magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (__builtin_bit_cast(uint32_t, shifted) - 0x3f000000));
  }
  magnitude += 0xfff + (magnitude >> 13 & 1);
  return static_cast<uint16_t>(sign | ((magnitude - ((127 - 15) << 23)) >> 13));
}

uint16_t float_to_bfloat16(float value) {
  const uint32_t bits = __builtin_bit_cast(uint32_t, value);
  if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

bool can_convert(DType from, DType to) {
  return kCodecs[static_cast<size_t>(from)].load != nullptr &&
         kCodecs[static_cast<size_t>(to)].load != nullptr;
}

double load_as_double(DType dtype, const void* data, int64_t index) {
  return codec_of(dtype).load(data, index);
}

int64_t load_as_int64(DType dtype, const void* data, int64_t index) {
  return codec_of(dtype).load_int(data, index);
}

void store_from_double(DType dtype, void* data, int64_t index, double value,
                       ConvertOptions options) {
  codec_of(dtype).store(data, index, value, options);
}

void convert(DType from, const void* source, DType to, void* destination, int64_t count,
             ConvertOptions options) {
  const Codec& reader = codec_of(from);
  const Codec& writer = codec_of(to);
  if (from == to) {
    std::memcpy(destination, source, dtype_bytes(from, count));
    return;
  }
  if (convert_fast(from, source, to, destination, count)) return;
  constexpr int64_t kBlock = 256;  // a multiple of the elements in a packed byte
  const bool integers = !is_floating(from) && !is_floating(to);
  for (int64_t first = 0; first < count; first += kBlock) {
    const int64_t n = std::min(kBlock, count - first);
    if (integers) {
      int64_t block[kBlock];
      reader.load_int_block(source, first, n, block);
      writer.store_int_block(destination, first, n, block);
    } else {
      double block[kBlock];
      // uint64 reads as its bit pattern among integers, as its value here.
      reader.load_block(source, first, n, block);
      writer.store_block(destination, first, n, block, options);
    }
  }
}

}  // namespace ferry
