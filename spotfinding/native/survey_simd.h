// The function `survey` of rows.h in vectors, in the namespace SPOTFINDING_ISA; for rows_simd.h.

namespace spotfinding {
namespace SPOTFINDING_ISA {
namespace {

/// Counts below this have squares of which, with those of a column, 16 bits hold the sum (31 of a pair of columns).
constexpr uint16_t kFew = 64;
constexpr int kRowsOfFew = 32767 / ((kFew - 1) * (kFew - 1));
/// Where a count is not below, it is not for so many vectors: one spot, or a bright background.
constexpr int kManyTogether = 16;

/// Stores sums of two vectors of columns: of fours, and of their last three columns.
SPOTFINDING_INLINE void store_fours(const U32 (&pairs)[2], const U32 (&first)[2], int32_t* sums, int32_t* last) {
    const U32 all = every_other<0>(pairs[0], pairs[1]) + every_other<1>(pairs[0], pairs[1]);
    store(sums, all);
    store(last, all - every_other<0>(first[0], first[1]));
}

/// The first column of every four.
SPOTFINDING_INLINE U16 first_of_four() {
    U16 first{};
    for (int i = 0; i < kLanes; i += kFour) first[i] = 0xFFFF;
    return first;
}

/// The counts of a vector of columns, `k` vectors after `column`, in row j; what is left out is 0.
template <bool kSomeOut, typename T>
SPOTFINDING_INLINE U16 load_kept(const Band<T>& band, int j, int column, int k) {
    const U16 v = load_counts(band.row(j) + column + k * kLanes);
    if (!kSomeOut) return v;
    return v & ~spread_bits(uint32_t(mask_bits(band.bits(j), column + k * kLanes, (band.width + 63) / 64)));
}

/// Sums two vectors of columns in fours. False: there is a count from kFew up.
template <bool kSomeOut, typename T>
SPOTFINDING_INLINE bool add_up_few(const Band<T>& band, int column, Fours sums) {
    U16 x[2]{}, y[2]{}, seen{};
    for (int j = 0; j < band.count; ++j) {
        for (int k = 0; k < 2; ++k) {
            const U16 v = load_kept<kSomeOut>(band, j, column, k);
            x[k] += v, y[k] += v * v, seen |= v;
        }
    }
    if (any(U16(seen & splat(uint16_t(-kFew))))) return false;
    const int four = column / kFour;
    const U16 first = first_of_four(), one = splat(1);
    store_fours({pair_products(x[0], one), pair_products(x[1], one)}, {U32(x[0] & first), U32(x[1] & first)},
                sums.x + four, sums.x_last + four);
    store_fours({pair_products(y[0], one), pair_products(y[1], one)}, {U32(y[0] & first), U32(y[1] & first)},
                sums.y + four, sums.y_last + four);
    return true;
}

/// The same for larger counts. False: there is one above `most`.
template <bool kSomeOut, typename T>
SPOTFINDING_INLINE bool add_up_any(const Band<T>& band, int column, uint16_t most, Fours sums) {
    U16 x[2]{}, largest{};
    U32 y[2]{}, y_first[2]{};
    const U16 first = first_of_four();
    for (int j = 0; j < band.count; ++j) {
        for (int k = 0; k < 2; ++k) {
            const U16 v = load_kept<kSomeOut>(band, j, column, k);
            x[k] += v;
            largest = larger(largest, v);
            y[k] += pair_products(v, v);
            y_first[k] += pair_products(v, v & first);
        }
    }
    if (any(U16(largest > splat(most)))) return false;
    const int four = column / kFour;
    store_fours({pair_products(x[0], splat(1)), pair_products(x[1], splat(1))},
                {U32(x[0] & first), U32(x[1] & first)}, sums.x + four, sums.x_last + four);
    store_fours(y, y_first, sums.y + four, sums.y_last + four);
    return true;
}

/// The same for any; `many` is how many vectors to come are taken for bright, as one has just been.
template <bool kSomeOut, typename T>
SPOTFINDING_INLINE bool add_up_fours(const Band<T>& band, int column, uint16_t most, int& many, Fours sums) {
    if (many == 0 && add_up_few<kSomeOut>(band, column, sums)) return true;
    many = many > 0 ? many - 1 : kManyTogether;
    return add_up_any<kSomeOut>(band, column, most, sums);
}

template <typename T>
void survey(const Screen& s, const Band<T>& band, Fours sums, uint64_t* suspect) {
    const int fours = band.width / kFour, end = fours * kFour - kSurveyed, words = (band.width + 63) / 64;
    const int room = 32767 / band.count < band.brightest ? 32767 / band.count : band.brightest;
    const uint16_t most = uint16_t(uint32_t(room) < band.span ? uint32_t(room) : band.span);
    const auto suspect_four = [&](int four) { suspect[four / 16] |= uint64_t(1) << (four % 16 * kFour); };
    int many = band.count <= kRowsOfFew && most >= kFew - 1 ? 0 : band.width;
    for (int start = 0; start < fours * kFour; start += kSurveyed) {
        const int group = start < end ? start : end;
        uint64_t some_out = 0;
        for (int j = 0; j < band.count; ++j) some_out |= mask_bits(band.bits(j), group, words);
        for (int i = 0; i < kSurveyed; i += 2 * kLanes) {
            const int column = group + i, four = column / kFour;
            const bool some = some_out >> i << (64 - 2 * kLanes) != 0;
            if (some ? add_up_fours<true>(band, column, most, many, sums)
                     : add_up_fours<false>(band, column, most, many, sums)) continue;
            for (int k = 0; k <= kHalf && four + k < fours; ++k) suspect_four(four + k);
        }
    }
    // the box around the first column of a four: the last three of the one before it, and all of this one
    for (int four = 1; four < fours; four += kHalf) {
        const I32 x = load<I32>(sums.x_last + four - 1) + load<I32>(sums.x + four);
        const I32 y = load<I32>(sums.y_last + four - 1) + load<I32>(sums.y + four);
        const Sides both = sides(s, x, y);
        uint32_t varies = bits(I32(both.left > both.right * Screen::kMaybe));
        for (int i = 0; varies != 0; ++i, varies >>= 1) {
            if ((varies & 1) != 0 && four + i < fours) suspect_four(four + i);
        }
    }
}

}  // namespace
}  // namespace SPOTFINDING_ISA
}  // namespace spotfinding
