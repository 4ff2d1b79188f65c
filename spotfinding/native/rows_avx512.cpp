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

namespace spotfinding {
template <typename T>
RowFunctions<T> avx512_row_functions() {
    return {avx512::sum_columns<T>, avx512::screen, avx512::valid<T>, avx512::survey<T>};
}
template RowFunctions<uint8_t> avx512_row_functions();
template RowFunctions<uint16_t> avx512_row_functions();
template RowFunctions<uint32_t> avx512_row_functions();
}  // namespace spotfinding
#endif
