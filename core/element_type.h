#pragma once

#include <complex>
#include <cstdint>
#include <string>

#include "ferry/tensor.h"

namespace ferry {

// The C++ type of an element and the DType that it is. bool tensors hold bool (one byte, 0 or 1);
// packed types have no C++ type.
template <typename T>
inline constexpr DType kDTypeOf = DType::undefined;
template <>
inline constexpr DType kDTypeOf<float> = DType::float32;
template <>
inline constexpr DType kDTypeOf<double> = DType::float64;
template <>
inline constexpr DType kDTypeOf<Half> = DType::float16;
template <>
inline constexpr DType kDTypeOf<BFloat16> = DType::bfloat16;
template <>
inline constexpr DType kDTypeOf<int8_t> = DType::int8;
template <>
inline constexpr DType kDTypeOf<int16_t> = DType::int16;
template <>
inline constexpr DType kDTypeOf<int32_t> = DType::int32;
template <>
inline constexpr DType kDTypeOf<int64_t> = DType::int64;
template <>
inline constexpr DType kDTypeOf<uint8_t> = DType::uint8;
template <>
inline constexpr DType kDTypeOf<uint16_t> = DType::uint16;
template <>
inline constexpr DType kDTypeOf<uint32_t> = DType::uint32;
template <>
inline constexpr DType kDTypeOf<uint64_t> = DType::uint64;
template <>
inline constexpr DType kDTypeOf<bool> = DType::boolean;
template <>
inline constexpr DType kDTypeOf<std::string> = DType::string;
template <>
inline constexpr DType kDTypeOf<std::complex<float>> = DType::complex64;
template <>
inline constexpr DType kDTypeOf<std::complex<double>> = DType::complex128;

}  // namespace ferry
