// The functions of rows.h in vectors, in the namespace SPOTFINDING_ISA. Included once per instruction set, behind a
// pragma that names it; so nothing here may be a function that other files share.

#include "vectors.h"

namespace spotfinding {
namespace SPOTFINDING_ISA {
namespace {

/// Pixels, cut to 65535, and which of them are within the limits (all bits set).
struct Pixels {
    U16 v, ok;
};

SPOTFINDING_INLINE U16 load_counts(const uint16_t* from) { return load<U16>(from); }
SPOTFINDING_INLINE U16 load_counts(const uint8_t* from) { return __builtin_convertvector(load<U8>(from), U16); }
SPOTFINDING_INLINE U16 load_counts(const uint32_t* from) {
    const U32 most = U32{} + 65535;
    return narrow(smaller(load<U32>(from), most), smaller(load<U32>(from + kHalf), most));
}

template <typename T>
SPOTFINDING_INLINE Pixels load_pixels(const Band<T>& band, const T* from) {
    const U16 v = load_counts(from);
    return {v, U16(U16(v - splat(band.low)) <= splat(band.span))};
}

SPOTFINDING_INLINE Pixels load_pixels(const Band<uint32_t>& band, const uint32_t* from) {
    const U32 a = load<U32>(from), b = load<U32>(from + kHalf), most = U32{} + 65535;
    const uint32_t span = band.span;
    const U32 ok_a = U32(U32(a - band.low) <= U32{} + span), ok_b = U32(U32(b - band.low) <= U32{} + span);
    return {narrow(smaller(a, most), smaller(b, most)), narrow(ok_a & most, ok_b & most)};
}

/// The bits of a row of a mask for 64 pixels from `column` on; zeros beyond the end.
SPOTFINDING_INLINE uint64_t mask_bits(const uint64_t* mask, int column, int words) {
    const int word = column / 64, shift = column % 64;
    uint64_t bits = mask[word] >> shift;
    if (shift != 0 && word + 1 < words) bits |= mask[word + 1] << (64 - shift);
    return bits;
}

constexpr uint64_t kAllLanes = (uint64_t(1) << kLanes) - 1;

/// All bits of a lane set where the bit of a mask is.
SPOTFINDING_INLINE U16 spread_bits(uint32_t bits) {
    U16 low{}, high{};
    for (int i = 0; i < kLanes; ++i) (i < 16 ? low : high)[i] = uint16_t(1 << i % 16);
    const U16 set = (splat(uint16_t(bits)) & low) | (splat(uint16_t(bits >> 16)) & high);
    return U16(set == (low | high));
}

/// Sums of kLanes columns; `low` and `high` as `half_products` gives them.
SPOTFINDING_INLINE void store_sums(ColumnSums sums, int column, U16 x, U32 low, U32 high, U16 valid) {
    U32 first, second;  // lanes of low, then high: undoes the order of the unpack instructions
    for (int i = 0; i < kHalf; ++i) {
        const uint32_t lane = i / 8 * 4 + i % 4 + (i % 8 < 4 ? 0 : kHalf);
        first[i] = lane, second[i] = lane + kHalf / 2;
    }
    store(sums.y + column, U32(__builtin_shuffle(low, high, first)));
    store(sums.y + column + kHalf, U32(__builtin_shuffle(low, high, second)));
    store(sums.x + column, load_half(x, 0));
    store(sums.x + column + kHalf, load_half(x, 1));
    store(sums.valid + column, valid);
}

/// Sums kLanes columns of which no pixel is left out. False if one is brighter than `most` above `low`, or not valid.
template <typename T>
SPOTFINDING_INLINE bool add_up_plain(const Band<T>& band, int column, uint16_t most, ColumnSums sums) {
    U16 x{}, largest{};
    U32 low{}, high{};
    const U16 above = splat(uint16_t(band.low));
    for (int j = 0; j < band.count; j += 2) {
        const U16 a = load_counts(band.row(j) + column);
        const U16 b = j + 1 < band.count ? load_counts(band.row(j + 1) + column) : U16{};
        x += a + b;
        largest = larger(largest, U16(a - above));
        if (j + 1 < band.count) largest = larger(largest, U16(b - above));
        low += half_products<false>(a, b);
        high += half_products<true>(a, b);
    }
    if (any(U16(largest > splat(most)))) return false;
    store_sums(sums, column, x, low, high, splat(uint16_t(band.count)));
    return true;
}

/// Sums kLanes columns.
template <typename T>
SPOTFINDING_INLINE void add_up(const Band<T>& band, int column, ColumnSums sums, Bright& bright) {
    U16 x{}, valid{}, brightest{};
    U32 low{}, high{};
    const int words = (band.width + 63) / 64;
    for (int j = 0; j < band.count; j += 2) {
        U16 pair[2]{};
        for (int k = 0; k < 2 && j + k < band.count; ++k) {
            Pixels pixels = load_pixels(band, band.row(j + k) + column);
            const uint64_t left_out = mask_bits(band.bits(j + k), column, words) & kAllLanes;
            if (left_out) pixels.ok &= ~spread_bits(uint32_t(left_out));
            pair[k] = pixels.v & pixels.ok;
            x += pair[k];
            valid -= pixels.ok;
            brightest = larger(brightest, pair[k]);
        }
        low += half_products<false>(pair[0], pair[1]);
        high += half_products<true>(pair[0], pair[1]);
    }
    if (any(U16(brightest > splat(uint16_t(band.brightest))))) {
        return scalar::sum_columns(band, column, column + kLanes - 1, sums, bright);
    }
    store_sums(sums, column, x, low, high, valid);
}

template <typename T>
void sum_columns(const Band<T>& band, int first, int last, ColumnSums sums, Bright& bright) {
    if (band.width < kLanes) return scalar::sum_columns(band, first, last, sums, bright);
    const int words = (band.width + 63) / 64, end = band.width - kLanes;  // no vector may start after `end`
    const bool plain = double(band.low) <= band.brightest;
    const uint32_t room = uint32_t(band.brightest) - uint32_t(band.low);
    const uint16_t most = uint16_t(room < band.span ? room : band.span);
    for (int start = first; start <= last; start += 64) {
        uint64_t any_out = 0, all_out = ~uint64_t(0);
        for (int j = 0; j < band.count; ++j) {
            const uint64_t left_out = mask_bits(band.bits(j), start, words);
            any_out |= left_out, all_out &= left_out;
        }
        for (int i = 0; i < 64 && start + i <= last; i += kLanes) {
            const int column = start + i < end ? start + i : end;
            if (column == start + i && (all_out >> i & kAllLanes) == kAllLanes) {
                store_sums(sums, column, U16{}, U32{}, U32{}, U16{});
            } else if (!plain || column != start + i || (any_out >> i & kAllLanes) != 0 ||
                       !add_up_plain(band, column, most, sums)) {
                add_up(band, column, sums, bright);
            }
        }
    }
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
    return in_range & ~mask_bits(band.bits(0), column, (band.width + 63) / 64) & kAllLanes;
}

/// The bits from 0 to `last`, or all.
SPOTFINDING_INLINE uint64_t up_to(int last) { return last < 63 ? (uint64_t(2) << last) - 1 : ~uint64_t(0); }

struct Answer {
    uint32_t maybe, surely;
};

/// Of the test of `Screen`: m y and x (x + k), for half a vector of boxes; first of boxes without gaps, then of any.
struct Sides {
    F32 left, right;
};

SPOTFINDING_INLINE Sides sides(const Screen& s, I32 x, I32 y) {
    const F32 fx = __builtin_convertvector(x, F32);
    return {__builtin_convertvector(y, F32) * float(s.full), fx * (fx + s.full_offset)};
}

SPOTFINDING_INLINE Sides sides(const Screen& s, I32 x, I32 y, I32 m) {
    const F32 fx = __builtin_convertvector(x, F32), fm = __builtin_convertvector(m, F32);
    F32 root;
    for (int i = 0; i < kHalf; ++i) root[i] = __builtin_sqrtf(fm[i] - 1);
    const I32 enough = I32(m >= s.least);  // else the left side becomes 0
    const F32 left = F32(I32(__builtin_convertvector(y, F32) * fm) & enough);
    return {left, fx * (fx + s.gain * (fm - 1 + s.sigma * root))};
}

SPOTFINDING_INLINE uint32_t exceeds(const Sides& a, const Sides& b, float factor) {
    return bits(I32(a.left > a.right * factor)) | bits(I32(b.left > b.right * factor)) << kHalf;
}

/// Are there all pixels in all boxes around kLanes columns?
SPOTFINDING_INLINE bool whole_boxes(const Screen& s, ColumnSums sums, int column) {
    const U16 rows = splat(uint16_t(s.full / (2 * s.kernel_fast + 1)));
    const int first = column - s.kernel_fast, last = column + s.kernel_fast;
    U16 other = load<U16>(sums.valid + last) ^ rows;
    for (int i = first; i < last; i += kLanes) other |= load<U16>(sums.valid + i) ^ rows;
    return !any(other);
}

/// The test for kLanes columns.
SPOTFINDING_INLINE Answer screen_lanes(const Screen& s, ColumnSums sums, int column) {
    I32 x[2]{}, y[2]{};
    for (int i = column - s.kernel_fast; i <= column + s.kernel_fast; ++i) {
        x[0] += load<I32>(sums.x + i), x[1] += load<I32>(sums.x + i + kHalf);
        y[0] += load<I32>(sums.y + i), y[1] += load<I32>(sums.y + i + kHalf);
    }
    Sides a, b;
    if (whole_boxes(s, sums, column)) {
        a = sides(s, x[0], y[0]), b = sides(s, x[1], y[1]);
    } else {
        U16 m{};
        for (int i = column - s.kernel_fast; i <= column + s.kernel_fast; ++i) m += load<U16>(sums.valid + i);
        if (!any(m)) return {0, 0};
        a = sides(s, x[0], y[0], load_half(m, 0)), b = sides(s, x[1], y[1], load_half(m, 1));
    }
    const uint32_t maybe = exceeds(a, b, Screen::kMaybe);
    return {maybe, maybe ? exceeds(a, b, Screen::kSurely) : 0};
}

void screen(const Screen& s, ColumnSums sums, int first, int last, uint64_t* maybe, uint64_t* surely) {
    for (int start = first; start <= last; start += 64) {
        uint64_t may = 0, sure = 0;
        for (int i = 0; i < 64 && start + i <= last; i += kLanes) {
            const Answer answer = screen_lanes(s, sums, start + i);
            may |= uint64_t(answer.maybe) << i, sure |= uint64_t(answer.surely) << i;
        }
        maybe[(start - first) / 64] = may & up_to(last - start);
        surely[(start - first) / 64] = sure & up_to(last - start);
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

#include "survey_simd.h"

namespace spotfinding {
namespace SPOTFINDING_ISA {

template <typename T>
RowFunctions<T> functions() {
    return {sum_columns<T>, screen, valid<T>, survey<T>};
}
template RowFunctions<uint8_t> functions();
template RowFunctions<uint16_t> functions();
template RowFunctions<uint32_t> functions();

}  // namespace SPOTFINDING_ISA
}  // namespace spotfinding
