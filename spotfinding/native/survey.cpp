#include "survey.h"

#include <algorithm>
#include <cmath>

#include "bits.h"

namespace spotfinding {

Survey::Survey(const Mask& mask, int height, int width, const Parameters& parameters, const Screen& screen,
               int distance, const std::vector<int>& rows, InstructionSet set)
    : height_(height),
      width_(width),
      words_((width + 63) / 64),
      screen_(screen),
      set_(set),
      possible_(2 * distance - 1 >= kFour && parameters.kernel_fast == 3 && width >= kSurveyed &&
                row_functions<uint8_t>(set).survey != nullptr) {
    if (!possible_) return;
    unknown_.resize(rows.size() * words_), suspect_.resize(words_);
    for (size_t strip = 0; strip < rows.size(); ++strip) {
        first_part_.push_back(parts_.size());
        find_odd(mask, rows[strip], parameters, &unknown_[strip * words_]);
    }
    first_part_.push_back(parts_.size());
    const size_t fours = size_t(words_) * 64 / kFour + kLongestVector;
    sums_.resize(4 * fours);
    fours_ = {&sums_[0], &sums_[fours], &sums_[2 * fours], &sums_[3 * fours]};
}

/// Boxes that are not whole: some are nothing, as all is masked, or what they are around, if that erodes.
void Survey::find_odd(const Mask& mask, int row, const Parameters& p, uint64_t* unknown) {
    for (int column = 0; column < width_; column += kFour) {
        if (column + kFour > width_) set_bit(unknown, column);
        else find_part(mask, row, column, column, p, unknown);
    }
    // the last square of the image may lie behind the first column of the last four, but not before the last one
    if (width_ % kFour == 0) find_part(mask, row, width_ - 1, width_ - kFour, p, unknown);
}

/// Looks at the box around a column, of which a four, from `first` on, has a part.
void Survey::find_part(const Mask& mask, int row, int column, int first, const Parameters& p, uint64_t* unknown) {
    const int top = std::max(row - p.kernel_slow, 0), bottom = std::min(row + p.kernel_slow, height_ - 1);
    const int left = std::max(column - p.kernel_fast, 0), right = std::min(column + p.kernel_fast, width_ - 1);
    int m = 0;
    for (int j = top; j <= bottom; ++j) {
        for (int i = left; i <= right; ++i) m += !Mask::masked(mask.row(j), i);
    }
    if (m == screen_.full) return;
    if (Mask::masked(mask.row(row), column)) {
        if (m > 0 && !p.masked_pixels_erode) set_bit(unknown, first);
    } else if (m >= screen_.least) {
        const float others = float(m - 1);
        const float offset = screen_.gain * (others + screen_.sigma * std::sqrt(others));
        parts_.push_back({first / kFour, left < first, float(m), offset});
    }
}

/// The test of `Screen` for the boxes of a strip that are not whole.
void Survey::judge_parts(size_t strip) {
    for (size_t n = first_part_[strip]; n < first_part_[strip + 1]; ++n) {
        const Part& part = parts_[n];
        int32_t x = fours_.x[part.four], y = fours_.y[part.four];
        if (part.two) x += fours_.x_last[part.four - 1], y += fours_.y_last[part.four - 1];
        const float fx = float(x);
        if (float(y) * part.m > fx * (fx + part.offset) * Screen::kMaybe) set_bit(suspect_.data(), part.four * kFour);
    }
}

template <typename T>
const std::vector<Run>& Survey::suspects(const Band<T>& band, int strip) {
    runs_.clear();
    if (!possible_ || band.low != 0) {
        runs_.push_back({0, width_ - 1});
        return runs_;
    }
    std::fill(suspect_.begin(), suspect_.end(), 0);
    row_functions<T>(set_).survey(screen_, band, fours_, suspect_.data());
    judge_parts(size_t(strip));
    find_runs(&unknown_[size_t(strip) * words_]);
    return runs_;
}

/// The columns of the squares around those of which the survey says so, or nothing; runs near each other, as one.
void Survey::find_runs(const uint64_t* unknown) {
    constexpr int kNear = 16;
    for (int word = 0; word < words_; ++word) {
        for_each_bit(suspect_[word] | unknown[word], [&](int i) {
            const int column = word * 64 + i;
            const int first = std::max(column - kFour, 0), last = std::min(column + kFour, width_ - 1);
            if (!runs_.empty() && first - runs_.back().last <= kNear) runs_.back().last = last;
            else runs_.push_back({first, last});
        });
    }
}

template const std::vector<Run>& Survey::suspects(const Band<uint8_t>&, int);
template const std::vector<Run>& Survey::suspects(const Band<uint16_t>&, int);
template const std::vector<Run>& Survey::suspects(const Band<uint32_t>&, int);

}  // namespace spotfinding
