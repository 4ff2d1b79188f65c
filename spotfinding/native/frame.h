// What is given: an image as it came, which of its pixels are masked, and what a spot is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "stream.h"

namespace spotfinding {

/// Counts from which DIALS leaves a pixel out of all sums (it may still be strong).
constexpr double kBig = 1 << 24;

/// Parameters of `spotfinding.parameters`, resolved; every field has its name and meaning.
struct Parameters {
    bool extended = true;           ///< threshold_algorithm is dispersion_extended
    int kernel_slow = 3, kernel_fast = 3;
    double sigma_background = 6, sigma_strong = 3, global_threshold = 0;
    int min_local = 2;              ///< from 2 up: 0 has been resolved to all of the box
    bool has_gain = false;
    double gain = 1;
    bool masked_pixels_erode = true;
    int64_t min_spot_size = 3, max_spot_size = 1000;
    double max_separation = 2;      ///< infinite = off
};

/// Which pixels are masked, one bit per pixel; a row starts at a new word.
class Mask {
public:
    Mask(int height, int width) : words_((width + 63) / 64), bits_(size_t(height) * words_) {}

    void set(int row, int column) { bits_[size_t(row) * words_ + column / 64] |= uint64_t(1) << (column % 64); }
    const uint64_t* row(int row) const { return bits_.data() + size_t(row) * words_; }
    static bool masked(const uint64_t* row, int column) { return row[column / 64] >> (column % 64) & 1; }

private:
    int words_;
    std::vector<uint64_t> bits_;
};

/// An image: `height` rows of `width` pixels, one after the other. Valid are unmasked counts from `low` to `high`.
template <typename T>
struct Frame {
    const T* pixels;
    int height, width;
    T low, high;
    double gain;  ///< counts are divided by it
    const Mask* mask;
    int kept;                  ///< rows at `pixels`: all, or the last ones of a stream, row j at place j % kept
    Stream* stream = nullptr;  ///< where rows come from that are not there yet

    const T* row(int row) const { return pixels + size_t(row % kept) * width; }
    const T* after(const T* row) const {  ///< the row after one that is there
        row += width;
        return row == pixels + size_t(kept) * width ? pixels : row;
    }
    void read_to(int row) const {
        if (stream != nullptr) stream->read_to(row);
    }
    bool in_range(T value) const { return value >= low && value <= high; }  // both are false for NaN
    double counts(T value) const { return double(value) / gain; }
};

/// The pixels above all thresholds, row by row, with their counts.
struct StrongPixels {
    std::vector<uint32_t> index;  ///< row * width + column
    std::vector<double> counts;

    void clear() { index.clear(), counts.clear(); }
    void add(size_t at, double value) { index.push_back(uint32_t(at)), counts.push_back(value); }
};

/// Sums over a box around a pixel: pixels, counts, counts squared.
struct Sums {
    double m, x, y;
};

/// DIALS's test for "too much variation to be background": index of dispersion, variance / mean,
/// > 1 + sigma_background * sqrt(2 / (m - 1)); local.h, compute_dispersion_threshold. The operations and their order
/// are DIALS's, so that they round alike.
inline bool varies(const Parameters& p, const Sums& s, double spread) {
    if (!(s.m >= p.min_local && s.x >= 0)) return false;
    if (p.has_gain) return s.m * s.y - s.x * s.x > p.gain * s.x * (s.m - 1 + p.sigma_background * spread);
    return s.m * s.y - s.x * s.x - s.x * (s.m - 1) > s.x * p.sigma_background * spread;
}

}  // namespace spotfinding
