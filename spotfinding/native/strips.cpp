#include "strips.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "bits.h"

namespace spotfinding {

namespace {

/// The brightest pixel with which sums fit their integers: counts of a column into 16 bits, squares of a box into 31.
int brightest(const Parameters& p) {
    const double box = (2.0 * p.kernel_slow + 1) * (2.0 * p.kernel_fast + 1);
    return int(std::min(65535 / (2.0 * p.kernel_slow + 1 + 2 * kMargin), std::sqrt(2147483647.0 / box)));
}

}  // namespace

StripThreshold::StripThreshold(int height, int width, const Parameters& parameters, const Mask& mask,
                               InstructionSet set)
    : height_(height),
      width_(width),
      words_((width + 63) / 64),
      p_(parameters),
      distance_(p_.extended ? std::min(p_.kernel_slow, p_.kernel_fast) : 1),
      brightest_(brightest(p_)),
      most_squares_(9007199254740992.0 - double(height) * width * brightest_ * brightest_),
      // Kernels larger than the image, or so large that few counts fill the integers, are left to the tables.
      possible_(p_.kernel_slow < height && p_.kernel_fast < width && brightest_ > 255 && most_squares_ > 0),
      set_(set) {
    if (!possible_) return;
    const int box = (2 * p_.kernel_slow + 1) * (2 * p_.kernel_fast + 1);
    for (int m = 0; m <= box; ++m) spread_.push_back(std::sqrt(2.0 * (m - 1)));
    const double gain = p_.has_gain ? p_.gain : 1;
    const double k = gain * (box - 1 + p_.sigma_background * spread_[box]);
    screen_ = {p_.kernel_fast, box, float(k), p_.min_local, float(p_.sigma_background * std::sqrt(2.0)), float(gain)};
    const int before = p_.kernel_fast + kMargin;
    const size_t columns = size_t(words_) * 64 + 2 * before + kLongestVector;
    x_.assign(columns, 0), y_.assign(columns, 0), valid_.assign(columns, 0);
    sums_ = {x_.data() + before, y_.data() + before, valid_.data() + before};
    maybe_.resize(words_), surely_.resize(words_), found_.resize(words_);
    rows_.resize(2 * size_t(p_.kernel_slow + kMargin) + 1);
    std::vector<int> middle_rows;
    for (int top = 0; top < height; top += strip_height()) middle_rows.push_back(middle(top));
    survey_.emplace(mask, height, width, p_, screen_, distance_, middle_rows, set);
    if (!p_.extended) return;
    not_background_.resize(size_t(height) * words_), has_foreground_.assign(height, 1);
    clear_foreground(mask);
    varied_.resize(size_t(4 * distance_) * words_), good_.resize(varied_.size());
}

template <typename T>
bool StripThreshold::find(const Frame<T>& frame, StrongPixels& strong) {
    strong.clear();
    if constexpr (std::is_floating_point_v<T>) return false;
    else {
        if (!possible_ || frame.gain != 1 || (frame.low <= frame.high && frame.low < 0)) return false;
        if (frame.low > frame.high) return true;
        using U = std::make_unsigned_t<T>;  // what is negative becomes large, and is not valid
        return find_unsigned(Frame<U>{reinterpret_cast<const U*>(frame.pixels), height_, width_, U(frame.low),
                                      U(frame.high), frame.gain, frame.mask, frame.kept, frame.stream}, strong);
    }
}

template <typename T>
bool StripThreshold::find_unsigned(const Frame<T>& frame, StrongPixels& strong) {
    clear_foreground(*frame.mask);
    bright_.squares = 0, bright_.seen = 0;
    int read = 0, settled = 0;  // rows
    for (int strip = 0, top = 0; top < height_; ++strip, top += strip_height()) {
        const int bottom = std::min(top + strip_height(), height_) - 1, row = middle(top);
        frame.read_to(std::min(bottom + distance_ - 1 + p_.kernel_slow, height_ - 1));
        const Band<T> boxes = band(frame, row, p_.kernel_slow, read, frame.mask->row(0));
        look_at_middle(frame, row, survey_->suspects(boxes, strip), read);
        read = row + p_.kernel_slow + 1;
        if (bright_.squares > most_squares_ || bright_.seen > size_t(height_) * width_ / 16 + 1000) return false;
        narrow(maybe_.data(), width_, distance_ - 1);
        find_runs();
        for (const Run run : runs_) {
            if (p_.extended) resolve(frame, top, bottom, run);
            else dispersion(frame, row, run, strong);
        }
        if (!p_.extended) continue;
        const int known = bottom == height_ - 1 ? height_ : bottom + 1 - (p_.kernel_slow + kMargin);
        for (; settled < known; ++settled) {
            if (has_foreground_[settled]) settle(frame, settled, strong);
        }
    }
    return true;
}

void StripThreshold::clear_foreground(const Mask& mask) {
    for (int j = 0; j < int(has_foreground_.size()); ++j) {
        if (has_foreground_[j]) std::copy_n(mask.row(j), words_, not_background_.begin() + size_t(j) * words_);
        has_foreground_[j] = 0;
    }
}

/// The rows up to `reach` from `row`; those before `read` are not new; `left_out` are the bits of the whole image.
template <typename T>
Band<T> StripThreshold::band(const Frame<T>& frame, int row, int reach, int read, const uint64_t* left_out) {
    const int first = std::max(row - reach, 0), last = std::min(row + reach, height_ - 1);
    const T* place = frame.row(first);
    for (int j = first; j <= last; ++j, place = frame.after(place)) rows_[size_t(j - first)] = place;
    return {rows_.data(), left_out + size_t(first) * words_, last - first + 1, read - first, width_,
            frame.low, T(frame.high - frame.low), brightest_};
}

/// Finds out where the boxes around the pixels of a row may vary too much to be background, and where they surely do.
template <typename T>
void StripThreshold::vary(const Frame<T>& frame, int row, int first, int last, int read, uint64_t* maybe,
                          uint64_t* surely) {
    const int fast = p_.kernel_fast;
    const RowFunctions<T> functions = row_functions<T>(set_);
    bright_.columns.clear();
    functions.sum_columns(band(frame, row, p_.kernel_slow, read, frame.mask->row(0)), std::max(first - fast, 0),
                          std::min(last + fast, width_ - 1), sums_, bright_);
    functions.screen(screen_, sums_, first, last, maybe, surely);
    for (const int column : bright_.columns) {
        for (int i = std::max(column - fast, first); i <= std::min(column + fast, last); ++i) {
            set_bit(maybe, i - first);
            surely[(i - first) / 64] &= ~(uint64_t(1) << ((i - first) % 64));
        }
    }
}

/// Finds out where the middle row of a strip may vary. What is not valid does not erode by the new rules.
template <typename T>
void StripThreshold::look_at_middle(const Frame<T>& frame, int row, const std::vector<Run>& runs, int read) {
    std::fill(maybe_.begin(), maybe_.end(), 0);
    for (const Run run : runs) {
        vary(frame, row, run.first, run.last, read, found_.data(), surely_.data());
        const int words = (run.last - run.first) / 64 + 1;
        if (p_.extended && !p_.masked_pixels_erode) {
            uint64_t* valid = surely_.data();  // not needed any more
            row_functions<T>(set_).valid(band(frame, row, 0, height_, frame.mask->row(0)), run.first, run.last, valid);
            for (int word = 0; word < words; ++word) found_[word] |= ~valid[word];
            found_[words - 1] &= ~uint64_t(0) >> (63 - (run.last - run.first) % 64);
        }
        paste(found_.data(), words, maybe_.data(), run.first);
    }
}

/// Columns that may be something, as runs; those that are near each other, as one.
void StripThreshold::find_runs() {
    const int near = 2 * (distance_ - 1 + p_.kernel_fast);
    runs_.clear();
    for (int word = 0; word < words_; ++word) {
        for_each_bit(maybe_[word], [&](int i) {
            const int column = word * 64 + i;
            if (sums_.valid[column] == 0) return;
            if (!runs_.empty() && column - runs_.back().last <= near) runs_.back().last = column;
            else runs_.push_back({column, column});
        });
    }
}

/// Finds the foreground in the rows of a strip: valid, and all that is nearer than `distance` varies. See
/// `TableThreshold::erode`.
template <typename T>
void StripThreshold::resolve(const Frame<T>& frame, int top, int bottom, Run run) {
    const int reach = distance_ - 1, row = middle(top);
    const int left = std::max(run.first - reach, 0), right = std::min(run.last + reach, width_ - 1);
    const int above = std::max(top - reach, 0), below = std::min(bottom + reach, height_ - 1);
    const size_t words = size_t(right - left) / 64 + 1;
    const auto varied = [&](int j) { return &varied_[size_t(j - above) * words]; };
    const auto good = [&](int j) { return &good_[size_t(j - above) * words]; };
    look_at_row(frame, row, left, right, varied(row), good(row));
    narrow(varied(row), right - left + 1, reach);
    // outwards, as far as a square may reach that has a part in the middle row
    for (const int step : {-1, 1}) {
        std::copy_n(varied(row), words, found_.data());
        for (int j = row + step; j >= above && j <= below; j += step) {
            if (std::all_of(found_.data(), found_.data() + words, [](uint64_t bits) { return bits == 0; })) {
                std::fill_n(varied(j), words, 0);
                continue;
            }
            look_at_row(frame, j, left, right, varied(j), good(j));
            narrow(varied(j), right - left + 1, reach);
            for (size_t word = 0; word < words; ++word) found_[word] &= varied(j)[word];
        }
    }
    for (int j = top; j <= bottom; ++j) {
        uint64_t* kept = surely_.data();
        std::fill_n(kept, words, ~uint64_t(0));
        for (int k = std::max(j - reach, 0); k <= std::min(j + reach, height_ - 1); ++k) {
            for (size_t word = 0; word < words; ++word) kept[word] &= varied(k)[word];
        }
        for (size_t word = 0; word < words; ++word) {
            for_each_bit(kept[word] & good(j)[word], [&](int i) {
                const int column = left + int(word) * 64 + i;
                if (column < run.first || column > run.last) return;
                set_bit(&not_background_[size_t(j) * words_], column);
                has_foreground_[j] = 1;
            });
        }
    }
}

/// Finds out which pixels of a row do vary, and which are valid. What is not, varies or not, as the rules say.
template <typename T>
void StripThreshold::look_at_row(const Frame<T>& frame, int row, int first, int last, uint64_t* varied,
                                 uint64_t* valid) {
    uint64_t* surely = maybe_.data();  // the runs have been found
    vary(frame, row, first, last, height_, varied, surely);
    row_functions<T>(set_).valid(band(frame, row, 0, height_, frame.mask->row(0)), first, last, valid);
    for (int word = 0; word <= (last - first) / 64; ++word) {
        for_each_bit(varied[word] & ~surely[word] & valid[word], [&](int i) {
            const Sums sums = box(frame, row, first + word * 64 + i, 0);
            if (!varies(p_, sums, spread_[size_t(sums.m)])) varied[word] &= ~(uint64_t(1) << i);
        });
        varied[word] = p_.masked_pixels_erode ? varied[word] & valid[word] : varied[word] | ~valid[word];
    }
}

/// Adds up the box around a pixel, larger by `margin`; then without the foreground.
template <typename T>
Sums StripThreshold::box(const Frame<T>& frame, int row, int column, int margin) const {
    const int slow = p_.kernel_slow + margin, fast = p_.kernel_fast + margin;
    const int right = std::min(column + fast, width_ - 1), bottom = std::min(row + slow, height_ - 1);
    Sums sums{0, 0, 0};
    for (int j = std::max(row - slow, 0); j <= bottom; ++j) {
        const uint64_t* left_out = margin > 0 ? not_background(j) : frame.mask->row(j);
        for (int i = std::max(column - fast, 0); i <= right; ++i) {
            const double v = double(frame.row(j)[i]);
            if (!frame.in_range(frame.row(j)[i]) || v >= kBig || Mask::masked(left_out, i)) continue;
            sums.m += 1, sums.x += v, sums.y += v * v;
        }
    }
    return sums;
}

/// Strong pixels of a row: see `TableThreshold::above_background`. All foreground near it must be known.
template <typename T>
void StripThreshold::settle(const Frame<T>& frame, int row, StrongPixels& strong) {
    runs_.clear();
    for (int word = 0; word < words_; ++word) {
        for_each_bit(not_background(row)[word] & ~frame.mask->row(row)[word], [&](int i) {
            const int column = word * 64 + i;
            if (!runs_.empty() && runs_.back().last == column - 1) runs_.back().last = column;
            else runs_.push_back({column, column});
        });
    }
    for (const Run run : runs_) settle_run(frame, row, run, strong);
}

template <typename T>
void StripThreshold::settle_run(const Frame<T>& frame, int row, Run run, StrongPixels& strong) {
    const int fast = p_.kernel_fast + kMargin;
    bright_.columns.clear();
    const int left = std::max(run.first - fast, 0), right = std::min(run.last + fast, width_ - 1);
    row_functions<T>(set_).sum_columns(band(frame, row, p_.kernel_slow + kMargin, height_, not_background(0)), left,
                                       right, sums_, bright_);
    for (int i = run.first; i <= run.last; ++i) {
        const double v = double(frame.row(row)[i]);
        if (!(v > p_.global_threshold)) continue;
        Sums s{0, 0, 0};
        if (bright_.columns.empty()) {
            for (int k = i - fast; k <= i + fast; ++k) s.m += sums_.valid[k], s.x += sums_.x[k];
        } else {
            s = box(frame, row, i, kMargin);
        }
        const double mean = s.m >= 2 ? s.x / s.m : 0;
        const double sigma = std::sqrt(p_.has_gain ? p_.gain * mean : mean);
        if (v >= mean + p_.sigma_strong * sigma) strong.add(size_t(row) * width_ + i, v);
    }
}

/// Strong pixels of a row by the algorithm of that name: see `TableThreshold::dispersion`.
template <typename T>
void StripThreshold::dispersion(const Frame<T>& frame, int row, Run run, StrongPixels& strong) {
    const int fast = p_.kernel_fast;
    for (int i = run.first; i <= run.last; ++i) {
        const T counts = frame.row(row)[i];
        const double v = double(counts);
        if (!(v > p_.global_threshold) || !frame.in_range(counts) || Mask::masked(frame.mask->row(row), i)) continue;
        Sums s{0, 0, 0};
        if (bright_.columns.empty()) {
            for (int k = i - fast; k <= i + fast; ++k) s.m += sums_.valid[k], s.x += sums_.x[k], s.y += sums_.y[k];
        } else {
            s = box(frame, row, i, 0);
        }
        const double bound = std::sqrt((p_.has_gain ? p_.gain * s.x : s.x) * s.m);
        if (!(s.m * v - s.x > p_.sigma_strong * bound)) continue;
        if (varies(p_, s, spread_[size_t(s.m)])) strong.add(size_t(row) * width_ + i, v);
    }
}

template bool StripThreshold::find(const Frame<uint8_t>&, StrongPixels&);
template bool StripThreshold::find(const Frame<uint16_t>&, StrongPixels&);
template bool StripThreshold::find(const Frame<uint32_t>&, StrongPixels&);
template bool StripThreshold::find(const Frame<int16_t>&, StrongPixels&);
template bool StripThreshold::find(const Frame<int32_t>&, StrongPixels&);
template bool StripThreshold::find(const Frame<float>&, StrongPixels&);

}  // namespace spotfinding
