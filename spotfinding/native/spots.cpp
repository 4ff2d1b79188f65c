#include "spots.h"

#include <algorithm>
#include <cmath>

namespace spotfinding {

const std::vector<Spot>& SpotList::connect(const StrongPixels& strong) {
    join(strong.index);
    measure(strong);
    size_t kept = 0;
    for (size_t n = 0; n < spots_.size(); ++n) {
        if (wanted(spots_[n], n)) spots_[kept++] = spots_[n];
    }
    spots_.resize(kept);
    return spots_;
}

/// The first pixel of the spot of a pixel, as far as is known; makes the way there shorter for the next time.
uint32_t SpotList::root(uint32_t pixel) {
    while (label_[pixel] != pixel) pixel = label_[pixel] = label_[label_[pixel]];
    return pixel;
}

/// Joins each pixel to the one before it and to the one above it: four-connected, as pixel_list.h, labels_2d.
void SpotList::join(const std::vector<uint32_t>& index) {
    const uint32_t width = uint32_t(width_);
    label_.resize(index.size());
    uint32_t above = 0;
    for (uint32_t n = 0; n < index.size(); ++n) {
        label_[n] = n;
        if (n > 0 && index[n - 1] + 1 == index[n] && index[n] % width != 0) label_[n] = root(n - 1);
        if (index[n] < width) continue;
        while (index[above] < index[n] - width) ++above;
        if (index[above] != index[n] - width) continue;
        const uint32_t a = root(above), b = root(n);
        label_[std::max(a, b)] = std::min(a, b);
    }
}

/// flex_shoebox.cc, PixelListShoeboxCreator; centroid_points.h; summation.h. Counts are float32 in a shoebox, and are
/// summed as such.
void SpotList::measure(const StrongPixels& strong) {
    spots_.clear();
    for (uint32_t n = 0; n < label_.size(); ++n) {
        const int x = int(strong.index[n] % uint32_t(width_)), y = int(strong.index[n] / uint32_t(width_));
        if (label_[n] == n) {
            label_[n] = uint32_t(spots_.size());
            spots_.push_back({0, 0, 0, 0, {x, x + 1, y, y + 1}});
        } else {
            label_[n] = label_[label_[n]];  // the first pixel comes first and has its spot already
        }
        Spot& spot = spots_[label_[n]];
        spot.box[0] = std::min(spot.box[0], x);
        spot.box[1] = std::max(spot.box[1], x + 1);
        spot.box[3] = y + 1;
        ++spot.n_pixels;
    }
    peak_.assign(spots_.size(), 0);
    place_.resize(spots_.size());
    for (size_t n = 0; n < spots_.size(); ++n) {  // where all counts round to 0, the corner of the box is the peak
        place_[n] = uint32_t(spots_[n].box[2]) * uint32_t(width_) + uint32_t(spots_[n].box[0]);
    }
    for (uint32_t n = 0; n < label_.size(); ++n) {
        Spot& spot = spots_[label_[n]];
        const int x = int(strong.index[n] % uint32_t(width_)), y = int(strong.index[n] / uint32_t(width_));
        const float counts = float(strong.counts[n]);
        spot.intensity += counts;
        spot.x += double(counts) * (x - spot.box[0] + 0.5);
        spot.y += double(counts) * (y - spot.box[2] + 0.5);
        if (counts > peak_[label_[n]]) {
            peak_[label_[n]] = counts;
            place_[label_[n]] = strong.index[n];
        }
    }
    for (Spot& spot : spots_) {
        if (spot.intensity > 0) {
            spot.x = spot.x / double(spot.intensity) + spot.box[0];
            spot.y = spot.y / double(spot.intensity) + spot.box[2];
        } else {
            spot.x = (spot.box[0] + spot.box[1]) / 2.0;
            spot.y = (spot.box[2] + spot.box[3]) / 2.0;
        }
    }
}

/// factory.py, MinPixelsFilter, MaxPixelsFilter and PeakCentroidDistanceFilter.
bool SpotList::wanted(const Spot& spot, size_t which) const {
    if (spot.n_pixels < p_.min_spot_size || spot.n_pixels > p_.max_spot_size) return false;
    if (std::isinf(p_.max_separation)) return true;
    const double dx = place_[which] % uint32_t(width_) + 0.5 - spot.x, dy = place_[which] / uint32_t(width_) + 0.5 - spot.y;
    return std::sqrt(dx * dx + dy * dy) <= p_.max_separation;
}

}  // namespace spotfinding
