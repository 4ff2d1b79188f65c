// What is done to every pixel of an image, for each instruction set: everything else is done to a few.
#pragma once

#include <cstdint>
#include <vector>

#include "frame.h"

namespace spotfinding {

enum class InstructionSet { scalar, avx2, avx512 };

bool available(InstructionSet set);  ///< on this processor
InstructionSet best_available();

/// Some rows of an image.
template <typename T>
struct Band {
    const void* const* rows;  ///< the first pixel of each
    const uint64_t* left_out; ///< bits of the pixels, of its first row on, that are in no sum; rows as in `Mask`
    int count;                ///< rows
    int new_from;             ///< the first row that no band before this one had
    int width;
    T low, span;              ///< valid is low <= value <= low + span
    int brightest;            ///< larger values are cut to this one in the sums, and listed

    const T* row(int j) const { return static_cast<const T*>(rows[j]); }
    const uint64_t* bits(int j) const { return left_out + size_t(j) * ((width + 63) / 64); }
};

/// Sums over the valid pixels of each column of a band.
struct ColumnSums {
    int32_t* x;       ///< counts
    int32_t* y;       ///< counts squared
    uint16_t* valid;  ///< pixels
};

/// The columns of a band with a pixel above `brightest`, some more than once.
struct Bright {
    std::vector<int> columns;
    size_t seen = 0;     ///< such pixels in new rows
    double squares = 0;  ///< sum of their squares
};

/// Whether a box varies too much to be background, in float32. With k(m) = gain * (m - 1 + sigma_background *
/// sqrt(2 * (m - 1))), the test (frame.h, varies) is m y > x (x + k). It may be true where the left side is above the
/// right one less a part in 500,000, and surely is where that much above it, which covers all rounding.
struct Screen {
    static constexpr float kMaybe = 1 - 2e-6F, kSurely = 1 + 2e-6F;

    int kernel_fast;
    int full;                       ///< pixels of a box without gaps
    float full_offset;              ///< k of such a box
    int least;                      ///< min_local
    float sigma, gain;              ///< sigma_background * sqrt(2), gain
};

/// Columns in fours, from column 0 on: sums over all of a four, and over its last three columns.
struct Fours {
    int32_t *x, *y, *x_last, *y_last;
};

constexpr int kFour = 4;
/// `survey` looks at so many columns together; an image has at least so many.
constexpr int kSurveyed = 64;
/// Vectors reach beyond the last column by less than this.
constexpr int kLongestVector = 64;

/// The functions of one instruction set for one type of pixels. They work on the columns from `first` to `last`, both
/// included; bits are one per column, from `first` on.
template <typename T>
struct RowFunctions {
    /// Sums the columns of a band, and perhaps some that follow.
    void (*sum_columns)(const Band<T>& band, int first, int last, ColumnSums sums, Bright& bright);
    /// Where may the box around a pixel vary too much to be background, and where does it surely? Reads the sums of
    /// `kernel_fast` columns before `first`, and of more than that after `last`.
    void (*screen)(const Screen& screen, ColumnSums sums, int first, int last, uint64_t* maybe, uint64_t* surely);
    /// Which pixels of the first row of a band are valid?
    void (*valid)(const Band<T>& band, int first, int last, uint64_t* valid);
    /// A quick `screen` of the boxes of seven columns around columns 4, 8, 12, ...: sets the bits, one per column of the
    /// image, of those that may vary too much. Boxes are taken for whole; who knows better has the sums. It says nothing
    /// of the last columns that are not four. Valid must start at 0. Null: there is none.
    void (*survey)(const Screen& screen, const Band<T>& band, Fours sums, uint64_t* suspect);
};

template <typename T>
RowFunctions<T> row_functions(InstructionSet set);

namespace scalar {

/// Vectors leave bright pixels to this one. It is, like all that instruction sets share, in a file without any: what
/// the compiler makes of it must run everywhere.
template <typename T>
void sum_columns(const Band<T>& band, int first, int last, ColumnSums sums, Bright& bright);

}  // namespace scalar
}  // namespace spotfinding
