#include "tables.h"

#include <algorithm>

namespace spotfinding {

RollingTable::RollingTable(int height, int width, int kernel_slow, int kernel_fast)
    : height_(height),
      width_(width),
      slow_(std::min(kernel_slow, height)),
      fast_(std::min(kernel_fast, width)),
      depth_(std::min(2 * slow_ + 2, height)),
      ring_(size_t(depth_) * width) {}

void RollingTable::add_row(const double* counts, const uint8_t* use) {
    const Cell* above = rows_ > 0 ? cells(rows_ - 1) : nullptr;
    Cell* cell = ring_.data() + size_t(rows_ % depth_) * width_;
    int m = 0;
    double x = 0, y = 0;
    for (int i = 0; i < width_; ++i) {
        const double one = use[i] && counts[i] < kBig;
        m += int(one);
        x += one * counts[i];
        y += one * counts[i] * counts[i];
        cell[i] = above ? Cell{above[i].m + m, above[i].x + x, above[i].y + y} : Cell{m, x, y};
    }
    ++rows_;
}

Sums RollingTable::box(int row, int column) const {
    static constexpr Cell outside{0, 0, 0};
    const int j0 = row - slow_ - 1, i0 = column - fast_ - 1, i1 = std::min(column + fast_, width_ - 1);
    const Cell* bottom = cells(last_row(row));
    const Cell* top = j0 >= 0 ? cells(j0) : nullptr;
    const Cell& a = top && i0 >= 0 ? top[i0] : outside;
    const Cell& b = top ? top[i1] : outside;
    const Cell& c = i0 >= 0 ? bottom[i0] : outside;
    const Cell& d = bottom[i1];
    return {double(a.m - (c.m + b.m) + d.m), (a.x - (c.x + b.x)) + d.x, (a.y - (c.y + b.y)) + d.y};
}

TableThreshold::TableThreshold(int height, int width, const Parameters& parameters)
    : height_(height),
      width_(width),
      p_(parameters),
      near_(height, width, p_.kernel_slow, p_.kernel_fast),
      wide_(height, width, p_.kernel_slow + 2, p_.kernel_fast + 2),
      counts_(width),
      valid_(width),
      foreground_(p_.extended ? size_t(height) * width : 0),
      horizontal_(foreground_.size()) {}

template <typename T>
void TableThreshold::find(const Frame<T>& frame, StrongPixels& strong) {
    strong.clear();
    if (!p_.extended) return dispersion(frame, strong);
    foreground(frame);
    erode();
    above_background(frame, strong);
}

/// What is not valid is 0: DIALS multiplies it with 0, and NaN would spoil all sums to its right and below.
template <typename T>
void TableThreshold::load_row(const Frame<T>& frame, int row) {
    const T* values = frame.row(row);
    const uint64_t* mask = frame.mask->row(row);
    for (int i = 0; i < width_; ++i) {
        valid_[i] = frame.in_range(values[i]) && !Mask::masked(mask, i);
        counts_[i] = valid_[i] ? frame.counts(values[i]) : 0;
    }
}

/// dispersion: local.h, DispersionThreshold::compute_threshold.
template <typename T>
void TableThreshold::dispersion(const Frame<T>& frame, StrongPixels& strong) {
    near_.restart();
    for (int j = 0; j < height_; ++j) {
        while (near_.rows() <= near_.last_row(j)) {
            load_row(frame, near_.rows());
            near_.add_row(counts_.data(), valid_.data());
        }
        load_row(frame, j);
        for (int i = 0; i < width_; ++i) {
            const double v = counts_[i];
            if (!valid_[i] || !(v > p_.global_threshold)) continue;
            const Sums s = near_.box(j, i);
            const double bound = std::sqrt((p_.has_gain ? p_.gain * s.x : s.x) * s.m);
            if (varies(p_, s, spread(s.m)) && s.m * v - s.x > p_.sigma_strong * bound)
                strong.add(size_t(j) * width_ + i, v);
        }
    }
}

/// Where the neighbourhood varies too much to be background: DispersionExtendedThreshold's first step.
template <typename T>
void TableThreshold::foreground(const Frame<T>& frame) {
    near_.restart();
    for (int j = 0; j < height_; ++j) {
        while (near_.rows() <= near_.last_row(j)) {
            load_row(frame, near_.rows());
            near_.add_row(counts_.data(), valid_.data());
        }
        load_row(frame, j);
        for (int i = 0; i < width_; ++i) {
            const Sums s = near_.box(j, i);
            foreground_[size_t(j) * width_ + i] = valid_[i] ? varies(p_, s, spread(s.m)) : !p_.masked_pixels_erode;
        }
    }
}

/// Keep what is at least min(kernel) from the next background, in chessboard distance; outside of the image is none.
/// What is not valid may stay here: `above_background` drops it.
///
/// Oddly, DIALS gives the outside a distance too, height + width + 1 from the pixels of the edge (distance.h); only
/// kernels larger than the image can tell.
void TableThreshold::erode() {
    const int distance = std::min(p_.kernel_slow, p_.kernel_fast), reach = std::min(distance - 1, std::max(height_, width_));
    for (int j = 0; j < height_; ++j) {
        const uint8_t* from = foreground_.data() + size_t(j) * width_;
        uint8_t* to = horizontal_.data() + size_t(j) * width_;
        int background = -reach - 1;  // the last one seen
        for (int i = 0; i < width_ + reach; ++i) {
            if (i < width_ && !from[i]) background = i;
            if (i >= reach) to[i - reach] = background < i - 2 * reach;
        }
    }
    std::vector<int>& last = last_background_;  // row, per column
    last.assign(width_, -reach - 1);
    for (int j = 0; j < height_ + reach; ++j) {
        const uint8_t* from = horizontal_.data() + size_t(std::min(j, height_ - 1)) * width_;
        uint8_t* to = j >= reach ? foreground_.data() + size_t(j - reach) * width_ : nullptr;
        for (int i = 0; i < width_; ++i) {
            if (j < height_ && !from[i]) last[i] = j;
            if (!to) continue;
            const int depth = std::min(std::min(i, width_ - 1 - i), std::min(j - reach, height_ - 1 - (j - reach)));
            to[i] = last[i] < j - 2 * reach && height_ + width_ + 1 + depth >= distance;
        }
    }
}

/// local.h, compute_final_threshold: strong is foreground that stands out of the mean of the background around it.
template <typename T>
void TableThreshold::above_background(const Frame<T>& frame, StrongPixels& strong) {
    wide_.restart();
    for (int j = 0; j < height_; ++j) {
        while (wide_.rows() <= wide_.last_row(j)) {
            const uint8_t* foreground = foreground_.data() + size_t(wide_.rows()) * width_;
            load_row(frame, wide_.rows());
            for (int i = 0; i < width_; ++i) valid_[i] = valid_[i] && !foreground[i];
            wide_.add_row(counts_.data(), valid_.data());
        }
        load_row(frame, j);
        for (int i = 0; i < width_; ++i) {
            const double v = counts_[i];
            if (!valid_[i] || !foreground_[size_t(j) * width_ + i] || !(v > p_.global_threshold)) continue;
            const Sums s = wide_.box(j, i);
            const double mean = s.m >= 2 ? s.x / s.m : 0;
            const double sigma = std::sqrt(p_.has_gain ? p_.gain * mean : mean);
            if (s.x >= 0 && v >= mean + p_.sigma_strong * sigma) strong.add(size_t(j) * width_ + i, v);
        }
    }
}

template void TableThreshold::find(const Frame<uint8_t>&, StrongPixels&);
template void TableThreshold::find(const Frame<uint16_t>&, StrongPixels&);
template void TableThreshold::find(const Frame<uint32_t>&, StrongPixels&);
template void TableThreshold::find(const Frame<int16_t>&, StrongPixels&);
template void TableThreshold::find(const Frame<int32_t>&, StrongPixels&);
template void TableThreshold::find(const Frame<float>&, StrongPixels&);

}  // namespace spotfinding
