// Where to look closely: most of an image is background, and shows it in one box of four.
#pragma once

#include <vector>

#include "frame.h"
#include "rows.h"

namespace spotfinding {

/// Columns, first and last included.
struct Run {
    int first, last;
};

/// Surveys the middle rows of strips (strips.h).
///
/// Foreground lies in squares that vary everywhere, 2 * distance - 1 columns wide: one of four columns that are next to
/// each other is in any square of at least that width. Where the box around such a column does not vary, nothing does
/// that lies in a square with it. So one box of four is added up, where there are no bright pixels.
class Survey {
public:
    /// `rows`: the middle row of each strip; `distance`: as there.
    Survey(const Mask& mask, int height, int width, const Parameters& parameters, const Screen& screen, int distance,
           const std::vector<int>& rows, InstructionSet set);

    /// The columns in which a square may vary everywhere, some more besides. `band`: the rows of the boxes.
    template <typename T>
    const std::vector<Run>& suspects(const Band<T>& band, int strip);

private:
    /// A box that is not whole: pixels are masked, or beyond the edge of the image.
    struct Part {
        int four;
        bool two;         ///< with the last three columns of the four before it
        float m, offset;  ///< pixels, and k(m) of Screen
    };
    void find_odd(const Mask& mask, int row, const Parameters& parameters, uint64_t* unknown);
    void find_part(const Mask& mask, int row, int column, int first, const Parameters& parameters, uint64_t* unknown);
    void judge_parts(size_t strip);
    void find_runs(const uint64_t* unknown);

    int height_, width_, words_;
    Screen screen_;
    InstructionSet set_;
    bool possible_;
    std::vector<uint64_t> unknown_;  ///< of each strip, one bit per column: boxes that are not surveyed
    std::vector<Part> parts_;
    std::vector<size_t> first_part_;  ///< of each strip, and the end
    std::vector<uint64_t> suspect_;  ///< of one strip
    std::vector<int32_t> sums_;
    Fours fours_{};
    std::vector<Run> runs_;
};

}  // namespace spotfinding
