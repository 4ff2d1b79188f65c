#include "finder.h"

#include <algorithm>

namespace spotfinding {

Finder::Finder(int height, int width, const Parameters& parameters, Mask mask, InstructionSet set)
    : height_(height),
      width_(width),
      mask_(std::move(mask)),
      strips_(height, width, parameters, mask_, set),
      p_(parameters),
      spots_(width, parameters) {}

template <typename T>
void Finder::threshold(const T* pixels, T low, T high, double gain) {
    const Frame<T> frame{pixels, height_, width_, low, high, gain, &mask_, height_};
    if (strips_.find(frame, strong_)) return;
    if (!tables_) tables_ = std::make_unique<TableThreshold>(height_, width_, p_);
    tables_->find(frame, strong_);
}

Finder::Answer Finder::connect(size_t most) {
    Answer answer{{}, strong_.index.size()};
    if (answer.n_strong_pixels <= most) answer.spots = spots_.connect(strong_);
    return answer;
}

template <typename T>
Finder::Answer Finder::find(const T* pixels, T low, T high, double gain, size_t most) {
    const std::lock_guard<std::mutex> lock(one_at_a_time_);
    threshold(pixels, low, high, gain);
    return connect(most);
}

template <typename T>
std::optional<Finder::Answer> Finder::find_stored(Blocks blocks, T low, T high, double gain, size_t most) {
    const std::lock_guard<std::mutex> lock(one_at_a_time_);
    if (!strips_.streams()) return {};
    Stream stream(std::move(blocks), size_t(width_) * sizeof(T), strips_.rows_together(), ring_);
    const Frame<T> frame{static_cast<const T*>(stream.rows()), height_, width_, low, high, gain, &mask_,
                         stream.n_rows(), &stream};
    if (!strips_.find(frame, strong_)) return {};
    stream.read_to(height_ - 1);  // damage is damage wherever it is
    return connect(most);
}

template <typename T>
void Finder::strong_pixels(const T* pixels, T low, T high, double gain, uint8_t* out) {
    const std::lock_guard<std::mutex> lock(one_at_a_time_);
    threshold(pixels, low, high, gain);
    std::fill(out, out + size_t(height_) * width_, 0);
    for (const uint32_t index : strong_.index) out[index] = 1;
}

#define SPOTFINDING_FOR(T)                                                                      \
    template Finder::Answer Finder::find(const T*, T, T, double, size_t);                       \
    template std::optional<Finder::Answer> Finder::find_stored(Blocks, T, T, double, size_t);   \
    template void Finder::strong_pixels(const T*, T, T, double, uint8_t*);
SPOTFINDING_FOR(uint8_t)
SPOTFINDING_FOR(uint16_t)
SPOTFINDING_FOR(uint32_t)
SPOTFINDING_FOR(int16_t)
SPOTFINDING_FOR(int32_t)
SPOTFINDING_FOR(float)

}  // namespace spotfinding
