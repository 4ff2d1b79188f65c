#include "rows.h"

#ifdef __x86_64__
#include <immintrin.h>

#pragma GCC target("avx2")
#define SPOTFINDING_ISA avx2
#define SPOTFINDING_LANES 16
#define SPOTFINDING_INTRINSICS 256
#include "rows_simd.h"

namespace spotfinding {
template <typename T>
RowFunctions<T> avx2_row_functions() {
    return {avx2::sum_columns<T>, avx2::screen, avx2::valid<T>, avx2::survey<T>};
}
template RowFunctions<uint8_t> avx2_row_functions();
template RowFunctions<uint16_t> avx2_row_functions();
template RowFunctions<uint32_t> avx2_row_functions();
}  // namespace spotfinding
#endif
