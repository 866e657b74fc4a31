#pragma once

// CUDA's built-in vector types with CUDA's sizes and alignments, and their make_ functions.

#define FERRY_VECTOR_TYPE(T, name, align4)                           \
  struct name##1 {                                                   \
    T x;                                                             \
  };                                                                 \
  struct alignas(2 * sizeof(T)) name##2 {                            \
    T x, y;                                                          \
  };                                                                 \
  struct name##3 {                                                   \
    T x, y, z;                                                       \
  };                                                                 \
  struct alignas(align4) name##4 {                                   \
    T x, y, z, w;                                                    \
  };                                                                 \
  inline name##1 make_##name##1(T x) { return {x}; }                 \
  inline name##2 make_##name##2(T x, T y) { return {x, y}; }         \
  inline name##3 make_##name##3(T x, T y, T z) { return {x, y, z}; } \
  inline name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }

FERRY_VECTOR_TYPE(signed char, char, 4)
FERRY_VECTOR_TYPE(unsigned char, uchar, 4)
FERRY_VECTOR_TYPE(short, short, 8)
FERRY_VECTOR_TYPE(unsigned short, ushort, 8)
FERRY_VECTOR_TYPE(int, int, 16)
FERRY_VECTOR_TYPE(unsigned int, uint, 16)
FERRY_VECTOR_TYPE(float, float, 16)
FERRY_VECTOR_TYPE(long long, longlong, 16)
FERRY_VECTOR_TYPE(unsigned long long, ulonglong, 16)
FERRY_VECTOR_TYPE(double, double, 16)
#undef FERRY_VECTOR_TYPE

struct dim3 {
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
  unsigned x, y, z;
};
