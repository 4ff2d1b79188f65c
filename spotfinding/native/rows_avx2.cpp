#include "rows.h"

#ifdef __x86_64__
#include <immintrin.h>

#pragma GCC target("avx2")
#define SPOTFINDING_ISA avx2
#define SPOTFINDING_LANES 16
#define SPOTFINDING_INTRINSICS 256
#include "rows_simd.h"
#endif
