// Vectors of SPOTFINDING_LANES pixels, in the namespace SPOTFINDING_ISA; for rows_simd.h.
//
// GCC's vector types do most; SPOTFINDING_INTRINSICS (256, 512; 0 = none, by loops) chooses the rest.

namespace spotfinding {
namespace SPOTFINDING_ISA {
namespace {

constexpr int kLanes = SPOTFINDING_LANES, kHalf = kLanes / 2;
typedef uint8_t U8 __attribute__((vector_size(kLanes)));
typedef uint16_t U16 __attribute__((vector_size(2 * kLanes)));
typedef int16_t I16 __attribute__((vector_size(2 * kLanes)));
typedef uint32_t U32 __attribute__((vector_size(4 * kHalf)));
typedef int32_t I32 __attribute__((vector_size(4 * kHalf)));
typedef float F32 __attribute__((vector_size(4 * kHalf)));

#define SPOTFINDING_INLINE inline __attribute__((always_inline))

template <typename V>
SPOTFINDING_INLINE V load(const void* from) {
    V v;
    __builtin_memcpy(&v, from, sizeof v);
    return v;
}

template <typename V>
SPOTFINDING_INLINE void store(void* to, V v) {
    __builtin_memcpy(to, &v, sizeof v);
}

/// a * a + b * b of two vectors, for the lanes that the unpack instructions put into the lower (higher) half; those from
/// 2^15 up give nonsense.
template <bool kHigh>
SPOTFINDING_INLINE U32 half_products(U16 a, U16 b) {
#if SPOTFINDING_INTRINSICS == 512
    const __m512i c = __m512i(a), d = __m512i(b);
    const __m512i pairs = kHigh ? _mm512_unpackhi_epi16(c, d) : _mm512_unpacklo_epi16(c, d);
    return U32(_mm512_madd_epi16(pairs, pairs));
#elif SPOTFINDING_INTRINSICS == 256
    const __m256i c = __m256i(a), d = __m256i(b);
    const __m256i pairs = kHigh ? _mm256_unpackhi_epi16(c, d) : _mm256_unpacklo_epi16(c, d);
    return U32(_mm256_madd_epi16(pairs, pairs));
#else
    U32 sum;
    for (int i = 0; i < kHalf; ++i) {
        const int lane = i / 4 * 8 + i % 4 + (kHigh ? 4 : 0);
        sum[i] = uint32_t(a[lane]) * a[lane] + uint32_t(b[lane]) * b[lane];
    }
    return sum;
#endif
}

/// a * b of two neighbours together, for numbers below 2^15.
SPOTFINDING_INLINE U32 pair_products(U16 a, U16 b) {
#if SPOTFINDING_INTRINSICS == 512
    return U32(_mm512_madd_epi16(__m512i(a), __m512i(b)));
#elif SPOTFINDING_INTRINSICS == 256
    return U32(_mm256_madd_epi16(__m256i(a), __m256i(b)));
#else
    U32 sum;
    for (int i = 0; i < kHalf; ++i) sum[i] = uint32_t(a[2 * i]) * b[2 * i] + uint32_t(a[2 * i + 1]) * b[2 * i + 1];
    return sum;
#endif
}

/// Every other lane of two vectors, from lane `kFirst` on.
template <int kFirst>
SPOTFINDING_INLINE U32 every_other(U32 a, U32 b) {
    U32 which;
    for (int i = 0; i < kHalf; ++i) which[i] = uint32_t(2 * i + kFirst);
    return U32(__builtin_shuffle(a, b, which));
}

/// Two vectors of numbers below 2^16 in one.
SPOTFINDING_INLINE U16 narrow(U32 a, U32 b) {
#if SPOTFINDING_INTRINSICS == 512
    const __m512i low = _mm512_castsi256_si512(_mm512_cvtepi32_epi16(__m512i(a)));
    return U16(_mm512_inserti64x4(low, _mm512_cvtepi32_epi16(__m512i(b)), 1));
#elif SPOTFINDING_INTRINSICS == 256
    return U16(_mm256_permute4x64_epi64(_mm256_packus_epi32(__m256i(a), __m256i(b)), 0xD8));
#else
    U16 both;
    for (int i = 0; i < kHalf; ++i) both[i] = uint16_t(a[i]), both[i + kHalf] = uint16_t(b[i]);
    return both;
#endif
}

template <typename V>
SPOTFINDING_INLINE V smaller(V a, V b) {
    return a < b ? a : b;
}

template <typename V>
SPOTFINDING_INLINE V larger(V a, V b) {
    return a > b ? a : b;
}

template <typename V>
SPOTFINDING_INLINE bool any(V v) {
    uint64_t words[sizeof(V) / 8], all = 0;
    store(words, v);
    for (const uint64_t word : words) all |= word;
    return all != 0;
}

SPOTFINDING_INLINE U16 splat(uint16_t value) { return U16{} + value; }

/// Half of a vector, as 32-bit numbers.
SPOTFINDING_INLINE I32 load_half(U16 v, int half) {
    typedef uint16_t Half __attribute__((vector_size(2 * kHalf)));
    uint16_t lanes[kLanes];
    store(lanes, v);
    return __builtin_convertvector(load<Half>(lanes + half * kHalf), I32);
}

/// One bit per lane that is all ones.
SPOTFINDING_INLINE uint32_t bits(I32 lanes) {
#if SPOTFINDING_INTRINSICS == 512
    return _mm512_movepi32_mask(__m512i(lanes));
#elif SPOTFINDING_INTRINSICS == 256
    return uint32_t(_mm256_movemask_ps(__m256(lanes)));
#else
    uint32_t all = 0;
    for (int i = 0; i < kHalf; ++i) all |= (lanes[i] < 0 ? 1U : 0U) << i;
    return all;
#endif
}

}  // namespace
}  // namespace SPOTFINDING_ISA
}  // namespace spotfinding
