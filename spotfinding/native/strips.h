// Strong pixels, fast: exact for whole numbers of counts.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "frame.h"
#include "rows.h"
#include "survey.h"

namespace spotfinding {

/// The box of the second look is larger by this, on either side.
constexpr int kMargin = 2;

/// Thresholds images of whole numbers.
///
/// Sums of whole numbers do not depend on the order of additions while they stay below 2^53, so DIALS's summed-area
/// tables, which are costly, can be left away. And nearly all of an image is background:
///
/// Foreground (dispersion_extended) is where all of a square of 2 * distance - 1 pixels varies (frame.h); distance is
/// min(kernel_size). The image is cut into strips of that many rows. Each such square has one row in the middle of a
/// strip: where that row does not vary, over the width of a square, nothing of the strip is foreground. So boxes are
/// added up for the middle rows only (and not for all of these: survey.h), in integers, and tested in float32 with room
/// for rounding (rows.h). What is left, about a thousandth of the image, is looked at row by row; what is too close to
/// say, by DIALS's formulas in double.
class StripThreshold {
public:
    StripThreshold(int height, int width, const Parameters& parameters, const Mask& mask, InstructionSet set);

    /// False: this image needs the tables.
    template <typename T>
    bool find(const Frame<T>& frame, StrongPixels& strong);

    /// Can images be streams, and how many rows are looked at together?
    bool streams() const { return possible_; }
    int rows_together() const { return 3 * (distance_ + p_.kernel_slow) + kMargin; }

private:
    int strip_height() const { return 2 * distance_ - 1; }
    int middle(int top) const { return std::min(top + distance_ - 1, height_ - 1); }
    template <typename T>
    bool find_unsigned(const Frame<T>& frame, StrongPixels& strong);
    template <typename T>
    Band<T> band(const Frame<T>& frame, int row, int reach, int read, const uint64_t* left_out);
    template <typename T>
    void vary(const Frame<T>& frame, int row, int first, int last, int read, uint64_t* maybe, uint64_t* surely);
    template <typename T>
    void look_at_middle(const Frame<T>& frame, int row, const std::vector<Run>& runs, int read);
    void find_runs();
    template <typename T>
    void resolve(const Frame<T>& frame, int top, int bottom, Run run);
    template <typename T>
    void look_at_row(const Frame<T>& frame, int row, int first, int last, uint64_t* varied, uint64_t* valid);
    template <typename T>
    void settle(const Frame<T>& frame, int row, StrongPixels& strong);
    template <typename T>
    void settle_run(const Frame<T>& frame, int row, Run run, StrongPixels& strong);
    template <typename T>
    void dispersion(const Frame<T>& frame, int row, Run run, StrongPixels& strong);
    template <typename T>
    Sums box(const Frame<T>& frame, int row, int column, int margin) const;
    void clear_foreground(const Mask& mask);

    const uint64_t* not_background(int row) const { return not_background_.data() + size_t(row) * words_; }

    int height_, width_, words_;
    Parameters p_;
    int distance_, brightest_;
    double most_squares_;  ///< of bright pixels, so that the squares of an image stay below 2^53
    bool possible_;
    Screen screen_{};
    InstructionSet set_;

    std::vector<const void*> rows_;  ///< of a band
    std::vector<int32_t> x_, y_;
    std::vector<uint16_t> valid_;
    ColumnSums sums_{};
    Bright bright_;
    std::vector<uint64_t> maybe_, surely_;  ///< of the middle row of a strip, one bit per column
    std::vector<uint64_t> found_;           ///< of some columns of that row
    std::optional<Survey> survey_;
    std::vector<Run> runs_;
    std::vector<uint64_t> not_background_;  ///< of the image, one bit per pixel: masked or foreground
    std::vector<uint8_t> has_foreground_;   ///< of each row
    std::vector<uint64_t> varied_, good_;   ///< of the rows around a strip, one bit per column
    std::vector<double> spread_;            ///< sqrt(2 (m - 1)) by m
};

}  // namespace spotfinding
