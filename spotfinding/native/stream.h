// The rows of an image that is still compressed, undone while they are looked at.
#pragma once

#include <cstring>
#include <vector>

#include "../bitshuffle/blocks.h"

namespace spotfinding {

/// Keeps the last rows only, so that an image never leaves the cache of the processor: to write 36 MB to memory and to
/// read them again costs as much as to decompress them.
class Stream {
public:
    /// `row_size`: bytes of a row; `kept`: how many rows before the last one that was asked for are still needed.
    Stream(Blocks blocks, size_t row_size, int kept, std::vector<uint8_t>& ring) : blocks_(std::move(blocks)) {
        // what a block gives beyond the row that was asked for must not overwrite the first row that is needed
        rows_ = kept + int(blocks_.next() / row_size) + 2;
        ring_size_ = size_t(rows_) * row_size;
        row_size_ = row_size;
        ring.resize(ring_size_ + blocks_.next());  // a block may begin in front of the end
        ring_ = ring.data();
    }

    const void* rows() const { return ring_; }
    int n_rows() const { return rows_; }  ///< row j is at place j % n_rows()

    /// Undoes blocks until a row is there. Throws what `Blocks::undo_next` throws.
    void read_to(int row) {
        const size_t wanted = size_t(row + 1) * row_size_;
        while (done_ < wanted) {
            const size_t bytes = blocks_.next(), at = done_ % ring_size_;
            blocks_.undo_next(ring_ + at);
            if (at + bytes > ring_size_) std::memcpy(ring_, ring_ + ring_size_, at + bytes - ring_size_);
            done_ += bytes;
        }
    }

private:
    Blocks blocks_;
    uint8_t* ring_;
    int rows_;
    size_t ring_size_, row_size_, done_ = 0;
};

}  // namespace spotfinding
