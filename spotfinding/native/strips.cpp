#include "strips.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

namespace spotfinding {

namespace {

/// Vectors read beyond the last column.
constexpr int kLongestVector = 64;

/// The box of the second look is larger by this, on either side.
constexpr int kMargin = 2;

/// The brightest pixel with which sums fit their integers: counts of a column into 16 bits, squares of a box into 31.
int brightest(const Parameters& p) {
    const double box = (2.0 * p.kernel_slow + 1) * (2.0 * p.kernel_fast + 1);
    return int(std::min(65535 / (2.0 * p.kernel_slow + 1 + 2 * kMargin), std::sqrt(2147483647.0 / box)));
}

void set_bit(uint64_t* row, int column) { row[column / 64] |= uint64_t(1) << (column % 64); }

/// Calls `use(i)` for the bits that are set, in order.
template <typename Use>
void for_each_bit(uint64_t bits, Use&& use) {
    for (; bits != 0; bits &= bits - 1) use(__builtin_ctzll(bits));
}

/// Keeps the bits whose neighbours, up to `steps` away, are set too. What is outside is taken for set.
void narrow(uint64_t* bits, int columns, int steps) {
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
    maybe_.resize(words_), surely_.resize(words_);
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
                                      U(frame.high), frame.gain, frame.mask}, strong);
    }
}

template <typename T>
bool StripThreshold::find_unsigned(const Frame<T>& frame, StrongPixels& strong) {
    clear_foreground(*frame.mask);
    bright_.squares = 0;
    size_t n_bright = 0;
    int read = 0, settled = 0;  // rows
    for (int top = 0; top < height_; top += 2 * distance_ - 1) {
        const int bottom = std::min(top + 2 * distance_ - 2, height_ - 1);
        const int middle = std::min(top + distance_ - 1, height_ - 1);
        vary(frame, middle, 0, width_ - 1, read, maybe_.data(), surely_.data());
        read = middle + p_.kernel_slow + 1;
        n_bright += bright_.columns.size();
        if (bright_.squares > most_squares_ || n_bright > size_t(height_) * width_ / 16 + 1000) return false;
        if (p_.extended && !p_.masked_pixels_erode) spare_invalid(frame, middle);
        narrow(maybe_.data(), width_, distance_ - 1);
        find_runs();
        for (const Run run : runs_) {
            if (p_.extended) resolve(frame, top, bottom, run);
            else dispersion(frame, middle, run, strong);
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
Band<T> StripThreshold::band(const Frame<T>& frame, int row, int reach, int read,
                              const uint64_t* left_out) const {
    const int first = std::max(row - reach, 0), last = std::min(row + reach, height_ - 1);
    return {frame.row(first), left_out + size_t(first) * words_, last - first + 1, read - first, width_,
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

/// Takes pixels that are not valid for ones that vary: they do not erode.
template <typename T>
void StripThreshold::spare_invalid(const Frame<T>& frame, int row) {
    uint64_t* valid = surely_.data();  // not needed any more
    row_functions<T>(set_).valid(band(frame, row, 0, height_, frame.mask->row(0)), 0, width_ - 1, valid);
    for (int word = 0; word < words_; ++word) maybe_[word] |= ~valid[word];
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
    const int reach = distance_ - 1;
    const int left = std::max(run.first - reach, 0), right = std::min(run.last + reach, width_ - 1);
    const int above = std::max(top - reach, 0), below = std::min(bottom + reach, height_ - 1);
    const size_t words = size_t(right - left) / 64 + 1;
    for (int j = above; j <= below; ++j) {
        look_at_row(frame, j, left, right, &varied_[size_t(j - above) * words], &good_[size_t(j - above) * words]);
    }
    for (int j = top; j <= bottom; ++j) {
        uint64_t* kept = surely_.data();
        std::fill_n(kept, words, ~uint64_t(0));
        for (int k = std::max(j - reach, 0); k <= std::min(j + reach, height_ - 1); ++k) {
            for (size_t word = 0; word < words; ++word) kept[word] &= varied_[size_t(k - above) * words + word];
        }
        narrow(kept, right - left + 1, reach);
        for (size_t word = 0; word < words; ++word) {
            for_each_bit(kept[word] & good_[size_t(j - above) * words + word], [&](int i) {
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
void StripThreshold::look_at_row(const Frame<T>& frame, int row, int first, int last, uint64_t* varied, uint64_t* valid) {
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
    row_functions<T>(set_).sum_columns(band(frame, row, p_.kernel_slow + kMargin, height_, not_background(0)),
                                       std::max(run.first - fast, 0), std::min(run.last + fast, width_ - 1), sums_, bright_);
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
        const double v = double(frame.row(row)[i]);
        if (!(v > p_.global_threshold) || !frame.in_range(frame.row(row)[i]) || Mask::masked(frame.mask->row(row), i)) continue;
        Sums s{0, 0, 0};
        if (bright_.columns.empty()) {
            for (int k = i - fast; k <= i + fast; ++k) s.m += sums_.valid[k], s.x += sums_.x[k], s.y += sums_.y[k];
        } else {
            s = box(frame, row, i, 0);
        }
        const double bound = std::sqrt((p_.has_gain ? p_.gain * s.x : s.x) * s.m);
        if (s.m * v - s.x > p_.sigma_strong * bound && varies(p_, s, spread_[size_t(s.m)])) strong.add(size_t(row) * width_ + i, v);
    }
}

template bool StripThreshold::find(const Frame<uint8_t>&, StrongPixels&);
template bool StripThreshold::find(const Frame<uint16_t>&, StrongPixels&);
template bool StripThreshold::find(const Frame<uint32_t>&, StrongPixels&);
template bool StripThreshold::find(const Frame<int16_t>&, StrongPixels&);
template bool StripThreshold::find(const Frame<int32_t>&, StrongPixels&);
template bool StripThreshold::find(const Frame<float>&, StrongPixels&);

}  // namespace spotfinding
