// The functions of rows.h in vectors of SPOTFINDING_LANES pixels, in the namespace SPOTFINDING_ISA. Included once per
// instruction set, behind a pragma that names it; so nothing here may be a function that other files share.
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

/// a * a + b * b of two vectors, for the lanes that the unpack instructions put into the lower (higher) half; values
/// are below 2^15.
template <bool kHigh>
SPOTFINDING_INLINE I32 half_products(U16 a, U16 b) {
#if SPOTFINDING_INTRINSICS == 512
    const __m512i pairs = kHigh ? _mm512_unpackhi_epi16(__m512i(a), __m512i(b)) : _mm512_unpacklo_epi16(__m512i(a), __m512i(b));
    return I32(_mm512_madd_epi16(pairs, pairs));
#elif SPOTFINDING_INTRINSICS == 256
    const __m256i pairs = kHigh ? _mm256_unpackhi_epi16(__m256i(a), __m256i(b)) : _mm256_unpacklo_epi16(__m256i(a), __m256i(b));
    return I32(_mm256_madd_epi16(pairs, pairs));
#else
    I32 sum;
    for (int i = 0; i < kHalf; ++i) {
        const int lane = i / 4 * 8 + i % 4 + (kHigh ? 4 : 0);
        sum[i] = int32_t(a[lane]) * a[lane] + int32_t(b[lane]) * b[lane];
    }
    return sum;
#endif
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

/// Half of a vector, as 32-bit numbers.
SPOTFINDING_INLINE I32 load_half(U16 v, int half) {
    typedef uint16_t Half __attribute__((vector_size(2 * kHalf)));
    uint16_t lanes[kLanes];
    store(lanes, v);
    return __builtin_convertvector(load<Half>(lanes + half * kHalf), I32);
}

/// Pixels, cut to 65535, and which of them are within the limits (all bits set).
struct Pixels {
    U16 v, ok;
};

SPOTFINDING_INLINE Pixels load_pixels(const Band<uint16_t>& band, const uint16_t* from) {
    const U16 v = load<U16>(from);
    return {v, U16(U16(v - band.low) <= U16{} + band.span)};
}

SPOTFINDING_INLINE Pixels load_pixels(const Band<uint8_t>& band, const uint8_t* from) {
    const U16 v = __builtin_convertvector(load<U8>(from), U16);
    return {v, U16(U16(v - band.low) <= U16{} + band.span)};
}

SPOTFINDING_INLINE Pixels load_pixels(const Band<uint32_t>& band, const uint32_t* from) {
    const U32 a = load<U32>(from), b = load<U32>(from + kHalf), most = U32{} + 65535;
    const U32 ok_a = U32(U32(a - band.low) <= U32{} + band.span), ok_b = U32(U32(b - band.low) <= U32{} + band.span);
    return {narrow(smaller(a, most), smaller(b, most)), narrow(ok_a & most, ok_b & most)};
}

/// The bits of a mask for the pixels from `column` on.
SPOTFINDING_INLINE uint32_t mask_bits(const uint64_t* mask, int column, int words) {
    const int word = column / 64, shift = column % 64;
    uint64_t bits = mask[word] >> shift;
    if (shift + kLanes > 64 && word + 1 < words) bits |= mask[word + 1] << (64 - shift);
    return uint32_t(bits) & (kLanes == 32 ? 0xFFFFFFFFU : 0xFFFFU);
}

/// All bits of a lane set where the bit of a mask is.
SPOTFINDING_INLINE U16 spread_bits(uint32_t bits) {
    U16 low{}, high{};
    for (int i = 0; i < kLanes; ++i) (i < 16 ? low : high)[i] = uint16_t(1 << i % 16);
    const U16 set = ((U16{} + uint16_t(bits)) & low) | ((U16{} + uint16_t(bits >> 16)) & high);
    return U16(set == (low | high));
}

template <typename T>
SPOTFINDING_INLINE void add_up(const Band<T>& band, int column, ColumnSums sums, Bright& bright) {
    U16 x{}, valid{}, brightest{};
    I32 low{}, high{};
    const int words = (band.width + 63) / 64;
    for (int j = 0; j < band.count; j += 2) {
        U16 pair[2]{};
        for (int k = 0; k < 2 && j + k < band.count; ++k) {
            Pixels pixels = load_pixels(band, band.row(j + k) + column);
            const uint32_t masked = mask_bits(band.bits(j + k), column, words);
            if (masked) pixels.ok &= ~spread_bits(masked);
            pair[k] = pixels.v & pixels.ok;
            x += pair[k];
            valid -= pixels.ok;
            brightest = larger(brightest, pair[k]);
        }
        low += half_products<false>(pair[0], pair[1]);
        high += half_products<true>(pair[0], pair[1]);
    }
    if (any(U16(brightest > uint16_t(band.brightest)))) {
        return scalar::sum_columns(band, column, column + kLanes - 1, sums, bright);
    }
    I32 first, second;  // lanes of low, then high: undoes the order of the unpack instructions
    for (int i = 0; i < kHalf; ++i) {
        const int lane = i / 8 * 4 + i % 4 + (i % 8 < 4 ? 0 : kHalf);
        first[i] = lane, second[i] = lane + kHalf / 2;
    }
    store(sums.y + column, I32(__builtin_shuffle(low, high, first)));
    store(sums.y + column + kHalf, I32(__builtin_shuffle(low, high, second)));
    store(sums.x + column, load_half(x, 0));
    store(sums.x + column + kHalf, load_half(x, 1));
    store(sums.valid + column, valid);
}

template <typename T>
void sum_columns(const Band<T>& band, int first, int last, ColumnSums sums, Bright& bright) {
    if (band.width < kLanes) return scalar::sum_columns(band, first, last, sums, bright);
    const int end = band.width - kLanes;  // no vector may start after it
    for (int column = first; column <= last; column += kLanes) add_up(band, column < end ? column : end, sums, bright);
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

/// Which of kLanes pixels are valid; beyond the last of a row, none.
template <typename T>
SPOTFINDING_INLINE uint64_t valid_lanes(const Band<T>& band, int column) {
    T values[kLanes];
    const T* from = band.row(0) + column;
    if (column + kLanes > band.width) {
        __builtin_memcpy(values, from, sizeof(T) * size_t(band.width - column));
        __builtin_memset(values + (band.width - column), 0, sizeof(T) * size_t(column + kLanes - band.width));
        from = values;
    }
    const U16 ok = load_pixels(band, from).ok;
    const uint32_t in_range = bits(load_half(ok, 0) != 0) | bits(load_half(ok, 1) != 0) << kHalf;
    return in_range & ~mask_bits(band.bits(0), column, (band.width + 63) / 64);
}

/// The bits from 0 to `last`, or all.
SPOTFINDING_INLINE uint64_t up_to(int last) { return last < 63 ? (uint64_t(2) << last) - 1 : ~uint64_t(0); }

struct Answer {
    uint32_t maybe, surely;
};

/// The test of `Screen` for half a vector of columns, from the sums x, y, m over their boxes. kFull: all have all pixels.
template <bool kFull>
SPOTFINDING_INLINE Answer test(const Screen& s, I32 x, I32 y, I32 m) {
    const F32 fx = __builtin_convertvector(x, F32), fy = __builtin_convertvector(y, F32);
    if constexpr (kFull) {
        const F32 left = fy * float(s.full), right = fx * (fx + s.full_offset);
        return {bits(I32(left > right * Screen::kMaybe)), bits(I32(left > right * Screen::kSurely))};
    } else {
        const F32 fm = __builtin_convertvector(m, F32);
        F32 root;
        for (int i = 0; i < kHalf; ++i) root[i] = __builtin_sqrtf(fm[i] - 1);
        const F32 left = fy * fm, right = fx * (fx + s.gain * (fm - 1 + s.sigma * root));
        const uint32_t enough = bits(I32(m >= s.least));
        return {enough & bits(I32(left > right * Screen::kMaybe)), enough & bits(I32(left > right * Screen::kSurely))};
    }
}

/// The test for kLanes columns.
SPOTFINDING_INLINE Answer screen_lanes(const Screen& s, ColumnSums sums, int column) {
    I32 x[2]{}, y[2]{};
    U16 m{};
    for (int i = column - s.kernel_fast; i <= column + s.kernel_fast; ++i) {
        x[0] += load<I32>(sums.x + i), x[1] += load<I32>(sums.x + i + kHalf);
        y[0] += load<I32>(sums.y + i), y[1] += load<I32>(sums.y + i + kHalf);
        m += load<U16>(sums.valid + i);
    }
    if (!any(m)) return {0, 0};
    Answer low, high;
    if (!any(U16(m != uint16_t(s.full)))) {
        low = test<true>(s, x[0], y[0], x[0]), high = test<true>(s, x[1], y[1], x[1]);
    } else {
        low = test<false>(s, x[0], y[0], load_half(m, 0)), high = test<false>(s, x[1], y[1], load_half(m, 1));
    }
    return {low.maybe | high.maybe << kHalf, low.surely | high.surely << kHalf};
}

void screen(const Screen& s, ColumnSums sums, int first, int last, uint64_t* maybe, uint64_t* surely) {
    for (int start = first; start <= last; start += 64) {
        uint64_t may = 0, sure = 0;
        for (int i = 0; i < 64 && start + i <= last; i += kLanes) {
            const Answer answer = screen_lanes(s, sums, start + i);
            may |= uint64_t(answer.maybe) << i, sure |= uint64_t(answer.surely) << i;
        }
        maybe[(start - first) / 64] = may & up_to(last - start), surely[(start - first) / 64] = sure & up_to(last - start);
    }
}

template <typename T>
void valid(const Band<T>& band, int first, int last, uint64_t* valid) {
    for (int start = first; start <= last; start += 64) {
        uint64_t all = 0;
        for (int i = 0; i < 64 && start + i <= last; i += kLanes) all |= valid_lanes(band, start + i) << i;
        valid[(start - first) / 64] = all & up_to(last - start);
    }
}

}  // namespace
}  // namespace SPOTFINDING_ISA
}  // namespace spotfinding
