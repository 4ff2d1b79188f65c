// Strong pixels -> spots.
#pragma once

#include <cstdint>
#include <vector>

#include "frame.h"

namespace spotfinding {

/// One spot, as `spotfinding.spots.Spots` has it.
struct Spot {
    double x, y;  ///< centroid, px; the centre of pixel 0 is 0.5
    float intensity;
    int32_t n_pixels;
    int32_t box[4];  ///< x0, x1, y0, y1, half open
};

/// Connects strong pixels that share an edge, measures the spots and drops those of the wrong size or shape.
class SpotList {
public:
    SpotList(int width, const Parameters& parameters) : width_(width), p_(parameters) {}

    /// The spots of one image, in the order of their first pixels; valid until the next call.
    const std::vector<Spot>& connect(const StrongPixels& strong);

private:
    void join(const std::vector<uint32_t>& index);
    uint32_t root(uint32_t pixel);
    void measure(const StrongPixels& strong);
    bool wanted(const Spot& spot, size_t which) const;

    int width_;
    Parameters p_;
    std::vector<uint32_t> label_;  ///< of each strong pixel: a pixel of its spot; later the spot
    std::vector<Spot> spots_;
    std::vector<float> peak_;      ///< of each spot: largest count
    std::vector<uint32_t> place_;  ///< of each spot: pixel of the peak
};

}  // namespace spotfinding
