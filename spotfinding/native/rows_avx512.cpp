#include "rows.h"

#ifdef __x86_64__
#include <immintrin.h>

#ifdef SPOTFINDING_EMULATE_AVX512  // the same vectors on a processor without: tests only
#pragma GCC target("avx2")
#define SPOTFINDING_INTRINSICS 0
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl")
#define SPOTFINDING_INTRINSICS 512
#endif
#define SPOTFINDING_ISA avx512
#define SPOTFINDING_LANES 32
#include "rows_simd.h"
#endif
