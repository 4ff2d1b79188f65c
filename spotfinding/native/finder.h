// Image -> spots, for images of one size, with one mask and one set of parameters.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "frame.h"
#include "rows.h"
#include "spots.h"
#include "strips.h"
#include "tables.h"

namespace spotfinding {

/// Keeps its buffers from image to image. May be shared by threads, which then take turns: one finder per thread is
/// faster.
class Finder {
public:
    Finder(int height, int width, const Parameters& parameters, Mask mask, InstructionSet set);

    /// What was found in one image, and the pixels above all thresholds.
    struct Answer {
        std::vector<Spot> spots;
        size_t n_strong_pixels;
    };

    /// `most`: with more strong pixels than this they are not connected.
    template <typename T>
    Answer find(const T* pixels, T low, T high, double gain, size_t most);

    /// 1 for every strong pixel of an image, `height` rows of `width`.
    template <typename T>
    void strong_pixels(const T* pixels, T low, T high, double gain, uint8_t* out);

    int height() const { return height_; }
    int width() const { return width_; }

private:
    template <typename T>
    void threshold(const T* pixels, T low, T high, double gain);

    int height_, width_;
    Mask mask_;
    StripThreshold strips_;
    std::unique_ptr<TableThreshold> tables_;  ///< large; made for the first image that needs it
    Parameters p_;
    SpotList spots_;
    StrongPixels strong_;
    std::mutex one_at_a_time_;
};

}  // namespace spotfinding
