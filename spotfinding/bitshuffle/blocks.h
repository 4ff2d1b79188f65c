// Bitshuffle with LZ4 (HDF5 filter 32008), undone block by block into a buffer of the caller's.
//
// Format (bitshuffle: bshuf_h5filter.c, bitshuffle.c): after a header of 12 bytes, for every block 4 bytes
// (big-endian) with its compressed size and one LZ4 block. Blocks hold `block` bytes each; the last one what is left,
// down to a multiple of 8 pixels; up to 7 pixels more follow as they are. In a block of n pixels, bit b of byte j of
// all of them is one plane of n / 8 bytes, plane 8 j + b; bit i of its byte k is of pixel 8 k + i.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace spotfinding {

/// LZ4_decompress_safe of lz4.h: never reads or writes outside of the two buffers; below 0 = not what LZ4 writes.
using Lz4 = int (*)(const char* source, char* target, int source_size, int target_size);

/// LZ4_MAX_INPUT_SIZE of lz4.h: no block is longer.
constexpr size_t kMostBytes = 0x7E000000;

/// Throws std::invalid_argument for blocks that cannot be: of other than 8, 16, 24 ... pixels of `width` bytes.
void check_block(size_t block, size_t width);

/// Puts the bits of `pixels` (a multiple of 8) pixels of `width` bytes back to their places; takes any input.
using Transpose = void (*)(const uint8_t* planes, uint8_t* target, size_t pixels, size_t width);
void transpose_scalar(const uint8_t* planes, uint8_t* target, size_t pixels, size_t width);
void transpose_avx2(const uint8_t* planes, uint8_t* target, size_t pixels, size_t width);
/// Leaves them in their planes: what remains is LZ4 and the memory, the bound of all others.
void transpose_none(const uint8_t* planes, uint8_t* target, size_t pixels, size_t width);
bool has_avx2();
/// The fastest that this processor has.
Transpose best_transpose();

/// An image in blocks: what follows the header of a chunk, undone one block after the other.
class Blocks {
public:
    /// `source`: `size` bytes that hold an image of `image_size` bytes. `block`: bytes, a multiple of 8 pixels of
    /// `width` bytes, at most kMostBytes.
    Blocks(Lz4 lz4, Transpose transpose, const uint8_t* source, size_t size, size_t image_size, size_t block,
           size_t width);

    /// Bytes that the next call of `undo_next` gives; 0: there are no more.
    size_t next() const;
    /// Undoes the next block into exactly `next()` bytes. Whatever the source holds, nothing but the target is written.
    /// Throws std::invalid_argument if the source is not just the blocks of the image; then the target holds anything,
    /// and no further call may follow.
    void undo_next(uint8_t* target);

private:
    void check_end() const;

    Lz4 lz4_;
    Transpose transpose_;
    const uint8_t* source_;
    size_t size_, left_, block_, width_;
    std::vector<uint8_t> planes_;
};

}  // namespace spotfinding
