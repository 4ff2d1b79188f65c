// A growing file that is followed. `reference.Tail` says the same in Python.
#pragma once

#include <optional>
#include <tuple>
#include <utility>

#include "entries.h"

namespace swmr {

// What is new of one growing file while all goes as it mostly does.
class Tail {
   public:
    using Piece = std::tuple<size_t, size_t, uint64_t>;

    Tail(py::object entries, const Piece& piece, py::bytearray missing, py::bytearray seen, size_t oldest, int64_t last,
         size_t left, uint64_t end)
        : oldest(oldest),
          left(left),
          last(last),
          end(end),
          kept_(std::move(entries)),
          entries_(kept_.cast<Entries&>()),
          missing_(std::move(missing)),
          seen_(std::move(seen)) {
        std::tie(first_, stop_, address_) = piece;
        if (Bits(missing_).count != Bits(seen_).count) throw py::value_error("two bitmaps of different length");
    }

    // Take in what has come; nothing = it has to be looked for otherwise, and nothing has been taken in.
    const std::vector<Chunk>* look() {
        const Bits missing(missing_), seen(seen_);
        if (missing.count != seen.count) return nullptr;
        found_.clear();
        try {
            const auto asked = onwards(missing, oldest);
            if (!asked) return nullptr;
            if (last >= static_cast<int64_t>(oldest)) {
                const auto near = static_cast<size_t>(std::max<int64_t>(last + 1 - kOvertaken, 0));
                if (!onwards(missing, missing.first_from(std::max(*asked, near)))) return nullptr;
            }
        } catch (py::error_already_set& error) {
            if (!error.matches(PyExc_OSError)) throw;
            return nullptr;
        }
        if (found_.size() >= left) return nullptr;  // the last rows of a file go out with more care
        if (!found_.empty() && !entries_.still(end)) return nullptr;  // another collection's, perhaps
        for (const Chunk& chunk : found_) {
            seen.bytes[chunk.row] = 1;
            missing.bytes[chunk.row] = 0;
            last = std::max(last, static_cast<int64_t>(chunk.row));
            end = std::max(end, chunk.offset + chunk.size);
            newest = static_cast<int64_t>(chunk.row);
        }
        left -= found_.size();
        oldest = missing.first_from(oldest);
        return &found_;
    }

    size_t oldest, left;
    int64_t last, newest = -1;
    uint64_t end;

   private:
    // As Frontier._onwards; nothing if that takes more than what is in view, or there is a doubt.
    std::optional<size_t> onwards(const Bits& missing, size_t first) {
        for (size_t width = kWindow; first < missing.count; width = std::min(4 * width, kWidest)) {
            const size_t upto = std::min(first + width, missing.count), before = found_.size();
            if (first < first_ || upto > stop_) return std::nullopt;
            if (!entries_.append(address_ + (first - first_) * entries_.step(), missing, first, upto, found_))
                return std::nullopt;
            for (size_t i = before; i < found_.size(); ++i)
                if (found_[i].doubtful) return std::nullopt;
            const size_t known = found_.size() > before ? found_.back().row + 1 : first;
            if (missing.first_in(known, upto) < upto) return upto;
            first = upto;
        }
        return first;
    }

    py::object kept_;
    Entries& entries_;
    size_t first_, stop_;
    uint64_t address_;
    py::bytearray missing_, seen_;
    std::vector<Chunk> found_;
};

}  // namespace swmr
