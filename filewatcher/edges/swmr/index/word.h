// The words of wire.py that are numbers: written by who looks, read by who is told. `reference` says the same in Python.
#pragma once

#include <sys/socket.h>

#include <initializer_list>

#include "entries.h"

namespace swmr {

constexpr int64_t kNumber = 8;  // bytes

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
inline py::list on_disk(const py::bytes& data, int64_t begin, int64_t end, const py::dict& told) {
    static const py::handle type = named("OnDisk");
    const char* bytes = PyBytes_AS_STRING(data.ptr());
    if (begin < 0 || end < begin || end > PyBytes_GET_SIZE(data.ptr()) || (end - begin) % kNumber)
        throw py::value_error("a word without its end");
    const auto number = [bytes, begin](int64_t which) {
        int64_t value;
        std::memcpy(&value, bytes + begin + which * kNumber, sizeof value);
        return value;
    };
    const int64_t count = (end - begin) / kNumber;
    py::list news;
    for (int64_t at = 0; at < count;) {
        if (count - at < 2 || number(at + 1) < 0 || (count - at - 2) / 4 < number(at + 1))
            throw py::value_error("a word without its end");
        auto file = py::int_(number(at));
        py::list chunks(static_cast<size_t>(number(at + 1)));
        at += 2;
        for (size_t i = 0; i < chunks.size(); ++i, at += 4) {
            const auto word = [&number, at](int64_t which) { return static_cast<uint64_t>(number(at + which)); };
            chunks[i] = stored({static_cast<size_t>(word(0)), word(1), word(2), word(3), false});
        }
        const py::tuple known = told[file];
        news.append(bare(type, {file, chunks, known[2], known[1]}));
    }
    return news;
}

}  // namespace swmr
