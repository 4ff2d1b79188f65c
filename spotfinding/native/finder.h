// Image -> spots, for images of one size, with one mask and one set of parameters.
#pragma once

#include <memory>
#include <mutex>
#include <optional>

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

    /// The same for an image that is still compressed. Empty: it must be decompressed first. Throws what
    /// `Blocks::undo_next` throws.
    template <typename T>
    std::optional<Answer> find_stored(Blocks blocks, T low, T high, double gain, size_t most);

    /// 1 for every strong pixel of an image, `height` rows of `width`.
    template <typename T>
    void strong_pixels(const T* pixels, T low, T high, double gain, uint8_t* out);

    int height() const { return height_; }
    int width() const { return width_; }

private:
    template <typename T>
    void threshold(const T* pixels, T low, T high, double gain);
    Answer connect(size_t most);

    int height_, width_;
    Mask mask_;
    StripThreshold strips_;
    std::unique_ptr<TableThreshold> tables_;  ///< large; made for the first image that needs it
    Parameters p_;
    SpotList spots_;
    StrongPixels strong_;
    std::vector<uint8_t> ring_;  ///< the last rows of a stream
    std::mutex one_at_a_time_;
};

}  // namespace spotfinding
