// Rows of bits, one per column, in words of 64.
#pragma once

#include <cstdint>

namespace spotfinding {

inline void set_bit(uint64_t* row, int column) { row[column / 64] |= uint64_t(1) << (column % 64); }

/// Calls `use(i)` for the bits that are set, in order.
template <typename Use>
void for_each_bit(uint64_t bits, Use&& use) {
    for (; bits != 0; bits &= bits - 1) use(__builtin_ctzll(bits));
}

/// Keeps the bits whose neighbours, up to `steps` away, are set too. What is outside is taken for set.
inline void narrow(uint64_t* bits, int columns, int steps) {
    const int words = (columns + 63) / 64;
    const uint64_t outside = columns % 64 ? ~uint64_t(0) << (columns % 64) : 0;
    bits[words - 1] |= outside;
    for (int step = 0; step < steps; ++step) {
        uint64_t before = ~uint64_t(0);
        for (int word = 0; word < words; ++word) {
            const uint64_t here = bits[word], after = word + 1 < words ? bits[word + 1] : ~uint64_t(0);
            bits[word] = here & (here << 1 | before >> 63) & (here >> 1 | after << 63);
            before = here;
        }
        bits[words - 1] |= outside;
    }
    bits[words - 1] &= ~outside;
}

/// Sets in `row` the bits that are set in the first `words` words of `bits`, moved up by `first`.
inline void paste(const uint64_t* bits, int words, uint64_t* row, int first) {
    const int shift = first % 64;
    for (int word = 0; word < words; ++word) {
        uint64_t* to = row + first / 64 + word;
        to[0] |= bits[word] << shift;
        if (shift != 0 && bits[word] >> (64 - shift) != 0) to[1] |= bits[word] >> (64 - shift);
    }
}

}  // namespace spotfinding
