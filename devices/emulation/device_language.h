#pragma once

#include <math.h>  // the overloads of exp, pow, ... in the global namespace, as in CUDA

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <source_location>
#include <type_traits>

#include "devices/emulation/thread_block.h"

// The CUDA device language for g++: qualifiers, warp functions, atomics and intrinsics, with the
// meaning that the CUDA C++ Programming Guide gives them. Fast-math intrinsics (__expf, ...) are as
// exact as libm here. What is not listed does not exist under emulation.

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __shared__ static thread_local
#define __constant__ static const
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __restrict__ __restrict

constexpr int warpSize = ferry::emulation::kWarpSize;

// ---- barriers and warps ---------------------------------------------------------------------
inline void __syncthreads(const std::source_location& where = std::source_location::current()) {
  ferry::emulation::barrier(where);
}
inline void __syncwarp(unsigned mask = ~0u) {
  ferry::emulation::warp_exchange(mask, 0, 0, nullptr);
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
  uint32_t lanes = 0;
  ferry::emulation::warp_exchange(mask, predicate != 0, 0, &lanes);
  return lanes;
}
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, !predicate) == 0; }
inline unsigned __activemask() {
  using ferry::emulation::thread_block;
  return thread_block.warp_alive[thread_block.linear / ferry::emulation::kWarpSize];
}

namespace ferry::emulation {

inline int lane() { return static_cast<int>(thread_block.linear % kWarpSize); }

template <typename T>
T shuffle(unsigned mask, T value, int source) {
  static_assert(sizeof(T) <= sizeof(uint64_t) && std::is_trivially_copyable_v<T>);
  uint64_t word = 0;
  std::memcpy(&word, &value, sizeof value);
  word = warp_exchange(mask, word, static_cast<unsigned>(source), nullptr);
  std::memcpy(&value, &word, sizeof value);
  return value;
}

}  // namespace ferry::emulation

// `width` (a power of two) cuts the warp into segments; a source outside the caller's segment
// gives the caller its own value.
template <typename T>
T __shfl_sync(unsigned mask, T value, int source, int width = warpSize) {
  const int lane = ferry::emulation::lane();
  return ferry::emulation::shuffle(mask, value, (lane & ~(width - 1)) | (source & (width - 1)));
}
template <typename T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = warpSize) {
  const int lane = ferry::emulation::lane();
  const bool outside = (lane & (width - 1)) < static_cast<int>(delta);
  return ferry::emulation::shuffle(mask, value, outside ? lane : lane - static_cast<int>(delta));
}
template <typename T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = warpSize) {
  const int lane = ferry::emulation::lane();
  const bool outside = (lane & (width - 1)) + static_cast<int>(delta) >= width;
  return ferry::emulation::shuffle(mask, value, outside ? lane : lane + static_cast<int>(delta));
}
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = warpSize) {
  const int lane = ferry::emulation::lane();
  const int source = lane ^ lane_mask;
  const bool outside = (source & ~(width - 1)) > (lane & ~(width - 1));
  return ferry::emulation::shuffle(mask, value, outside ? lane : source);
}

// ---- atomics: blocks of other streams run on other host threads -------------------------------
template <typename T>
T atomicAdd(T* address, std::type_identity_t<T> value) {
  return std::atomic_ref<T>(*address).fetch_add(value, std::memory_order_relaxed);
}
template <typename T>
T atomicExch(T* address, std::type_identity_t<T> value) {
  return std::atomic_ref<T>(*address).exchange(value, std::memory_order_relaxed);
}
template <typename T>
T atomicCAS(T* address, std::type_identity_t<T> expected, std::type_identity_t<T> value) {
  std::atomic_ref<T>(*address).compare_exchange_strong(expected, value, std::memory_order_relaxed);
  return expected;
}
template <typename T>
T atomicMax(T* address, std::type_identity_t<T> value) {
  T old = std::atomic_ref<T>(*address).load(std::memory_order_relaxed);
  while (old < value) {
    const T seen = atomicCAS(address, old, value);
    if (seen == old) break;
    old = seen;
  }
  return old;
}
template <typename T>
T atomicMin(T* address, std::type_identity_t<T> value) {
  T old = std::atomic_ref<T>(*address).load(std::memory_order_relaxed);
  while (value < old) {
    const T seen = atomicCAS(address, old, value);
    if (seen == old) break;
    old = seen;
  }
  return old;
}
inline void __threadfence() { std::atomic_thread_fence(std::memory_order_seq_cst); }
inline void __threadfence_block() { std::atomic_signal_fence(std::memory_order_seq_cst); }

// ---- arithmetic -------------------------------------------------------------------------------
using std::isfinite;
using std::isinf;
using std::isnan;
using std::max;
using std::min;

inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }

// glibc declares functions of its own with these names; macros keep out of their way.
#define __expf(x) ::expf(x)
#define __logf(x) ::logf(x)
#define __sinf(x) ::sinf(x)
#define __cosf(x) ::cosf(x)
#define __powf(x, y) ::powf(x, y)

inline float __fdividef(float x, float y) { return x / y; }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __saturatef(float x) { return x > 0.0f ? std::min(x, 1.0f) : 0.0f; }  // NaN gives 0
inline float __int_as_float(int bits) { return std::bit_cast<float>(bits); }
inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline float __uint_as_float(unsigned bits) { return std::bit_cast<float>(bits); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline unsigned __umulhi(unsigned x, unsigned y) {
  return static_cast<unsigned>(static_cast<uint64_t>(x) * y >> 32);
}
inline int __popc(unsigned x) { return std::popcount(x); }
inline int __clz(int x) { return std::countl_zero(static_cast<unsigned>(x)); }
inline int __ffs(int x) { return __builtin_ffs(x); }

template <typename T>
T __ldg(const T* address) {
  return *address;
}
