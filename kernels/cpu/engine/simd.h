#pragma once

// Included before hwy/foreach_target.h: the instruction sets that the float kernels are compiled
// for. SSE2 is the floor of x86-64; AVX2 and AVX-512 are chosen at run time.
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL)
#endif
