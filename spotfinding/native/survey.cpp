#include "survey.h"

#include <algorithm>

#include "bits.h"

namespace spotfinding {

Survey::Survey(const Mask& mask, int height, int width, const Parameters& parameters, const Screen& screen,
               int distance, const std::vector<int>& rows, InstructionSet set)
    : height_(height),
      width_(width),
      words_((width + 63) / 64),
      screen_(screen),
      set_(set),
      possible_(2 * distance - 1 >= kFour && parameters.kernel_fast == 3 &&
                row_functions<uint8_t>(set).survey != nullptr) {
    if (!possible_) return;
    unknown_.resize(rows.size() * words_), suspect_.resize(words_);
    for (size_t strip = 0; strip < rows.size(); ++strip) {
        find_unknown(mask, rows[strip], parameters.kernel_slow, &unknown_[strip * words_]);
    }
    const size_t fours = size_t(words_) * 64 / kFour + kLongestVector;
    sums_.resize(4 * fours);
    fours_ = {&sums_[0], &sums_[fours], &sums_[2 * fours], &sums_[3 * fours]};
}

/// Boxes that are cut off by the edge of the image, or in which some pixels are masked, but not all: those are nothing.
void Survey::find_unknown(const Mask& mask, int row, int kernel_slow, uint64_t* unknown) const {
    const int top = row - kernel_slow, bottom = row + kernel_slow, end = width_ / kSurveyed * kSurveyed;
    for (int column = 0; column < width_; column += kFour) {
        bool whole = top >= 0 && bottom < height_ && column > 0 && column < end, some = false, all = true;
        for (int j = top; whole && j <= bottom; ++j) {
            for (int i = column - 3; i <= column + 3; ++i) {
                const bool masked = Mask::masked(mask.row(j), i);
                some |= masked, all &= masked;
            }
        }
        if (!whole || (some && !all)) set_bit(unknown, column);
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
