// The words of wire.py that are numbers: written by who looks, read by who is told. `reference` says the same in Python.
#pragma once

#include <sys/socket.h>

#include <initializer_list>

#include "entries.h"

namespace swmr {

// What is told of a look.
class Word {
   public:
    Word() { clear(); }

    void clear() { bytes_.assign(sizeof(uint32_t) + 1, '#'); }

    void add(int64_t file, const std::vector<Chunk>& chunks) {
        put({static_cast<uint64_t>(file), chunks.size()});
        for (const Chunk& chunk : chunks) put({chunk.row, chunk.offset, chunk.size, chunk.mask});
    }

    void send_to(int line) {
        const size_t length = bytes_.size() - sizeof(uint32_t);
        for (size_t i = 0; i < sizeof(uint32_t); ++i) bytes_[i] = static_cast<char>(length >> 8 * i);
        for (size_t sent = 0; sent < bytes_.size();) {
            const ssize_t some = send(line, bytes_.data() + sent, bytes_.size() - sent, MSG_NOSIGNAL);
            if (some < 0 && errno != EINTR) fail(errno);
            if (some > 0) sent += static_cast<size_t>(some);
        }
    }

   private:
    void put(std::initializer_list<uint64_t> numbers) {
        for (const uint64_t number : numbers) bytes_.append(reinterpret_cast<const char*>(&number), sizeof number);
    }

    std::string bytes_;  // its length, '#', numbers
};

// See `reference.on_disk`.
inline py::list on_disk(const py::buffer& word, const py::dict& told) {
    static const py::handle type = named("OnDisk");
    const auto view = word.request();
    if (view.itemsize != sizeof(int64_t) || view.ndim != 1) throw py::value_error("these are no numbers of 8 bytes");
    const auto* at = static_cast<const int64_t*>(view.ptr);
    const auto* const end = at + view.size;
    py::list news;
    while (at < end) {
        if (end - at < 2 || at[1] < 0 || (end - at - 2) / 4 < at[1]) throw py::value_error("a word without its end");
        const py::int_ file(at[0]);
        py::list chunks(static_cast<size_t>(at[1]));
        at += 2;
        for (size_t i = 0; i < chunks.size(); ++i, at += 4) {
            const auto number = [at](int which) { return static_cast<uint64_t>(at[which]); };
            chunks[i] = stored({static_cast<size_t>(at[0]), number(1), number(2), number(3), false});
        }
        const py::tuple known = told[file];
        news.append(type(file, chunks, known[2], known[1]));
    }
    return news;
}

}  // namespace swmr
