#include "ferry/dtype.h"

#include <array>
#include <string>
#include <vector>

#include "core/checked.h"
#include "core/nearest.h"
#include "ferry/error.h"

namespace ferry {
namespace {

enum Class : uint8_t { kNone, kFloating, kSignedInt, kUnsignedInt, kComplex };

struct Row {
  std::string_view name;
  int bits;
  Class cls;
};

// By number of onnx.TensorProto.DataType.
constexpr std::array<Row, kDTypeCount> kRows{{
    {"undefined", 0, kNone},
    {"float32", 32, kFloating},
    {"uint8", 8, kUnsignedInt},
    {"int8", 8, kSignedInt},
    {"uint16", 16, kUnsignedInt},
    {"int16", 16, kSignedInt},
    {"int32", 32, kSignedInt},
    {"int64", 64, kSignedInt},
    {"string", 0, kNone},
    {"bool", 8, kNone},
    {"float16", 16, kFloating},
    {"float64", 64, kFloating},
    {"uint32", 32, kUnsignedInt},
    {"uint64", 64, kUnsignedInt},
    {"complex64", 64, kComplex},
    {"complex128", 128, kComplex},
    {"bfloat16", 16, kFloating},
    {"float8_e4m3fn", 8, kFloating},
    {"float8_e4m3fnuz", 8, kFloating},
    {"float8_e5m2", 8, kFloating},
    {"float8_e5m2fnuz", 8, kFloating},
    {"uint4", 4, kUnsignedInt},
    {"int4", 4, kSignedInt},
    {"float4_e2m1", 4, kFloating},
    {"float8_e8m0", 8, kFloating},
    {"uint2", 2, kUnsignedInt},
    {"int2", 2, kSignedInt},
}};

struct Alias {
  std::string_view name;
  DType dtype;
};
constexpr Alias kAliases[] = {
    {"float", DType::float32}, {"f32", DType::float32},  {"double", DType::float64},
    {"f64", DType::float64},   {"half", DType::float16}, {"f16", DType::float16},
    {"bf16", DType::bfloat16}, {"long", DType::int64},   {"i64", DType::int64},
    {"int", DType::int32},     {"i32", DType::int32},    {"i16", DType::int16},
    {"i8", DType::int8},       {"u8", DType::uint8},     {"u16", DType::uint16},
    {"u32", DType::uint32},    {"u64", DType::uint64},   {"boolean", DType::boolean},
    {"str", DType::string},
};

const Row& row(DType dtype) {
  const size_t i = static_cast<size_t>(dtype);
  return kRows[i < kRows.size() ? i : 0];
}

}  // namespace

std::string_view to_string(DType dtype) { return row(dtype).name; }

DType dtype_from_string(std::string_view name) {
  for (size_t i = 1; i < kRows.size(); ++i) {
    if (kRows[i].name == name) return static_cast<DType>(i);
  }
  for (const Alias& alias : kAliases) {
    if (alias.name == name) return alias.dtype;
  }
  std::vector<std::string> names;
  for (size_t i = 1; i < kRows.size(); ++i) names.emplace_back(kRows[i].name);
  throw Error(ErrorCode::invalid_argument,
              "'" + std::string(name) +
                  "' is not an element type: expected a name such as float32, float16, int64 or "
                  "bool." +
                  did_you_mean(name, names));
}

int dtype_bits(DType dtype) { return row(dtype).bits; }

size_t dtype_bytes(DType dtype, int64_t count) {
  if (dtype == DType::string) {
    if (const auto bytes = checked_mul<int64_t>(count, sizeof(std::string)); bytes && count >= 0) {
      return static_cast<size_t>(*bytes);
    }
  } else if (const auto bits = checked_mul<int64_t>(count, dtype_bits(dtype)); bits && count >= 0) {
    return static_cast<size_t>(*bits / 8 + (*bits % 8 != 0));
  }
  throw Error(ErrorCode::invalid_argument, std::to_string(count) + " elements of " +
                                               std::string(to_string(dtype)) +
                                               " do not fit in memory: the size overflows.");
}

bool is_floating(DType dtype) { return row(dtype).cls == kFloating; }
bool is_complex(DType dtype) { return row(dtype).cls == kComplex; }
bool is_integer(DType dtype) {
  return row(dtype).cls == kSignedInt || row(dtype).cls == kUnsignedInt;
}
bool is_signed(DType dtype) {
  return row(dtype).cls == kSignedInt || is_floating(dtype) || is_complex(dtype);
}

}  // namespace ferry
