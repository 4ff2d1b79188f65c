// The elements of a chunk index, and what there is to be told of them. `reference.Entries` says the same in Python.
#pragma once

#include <pybind11/pybind11.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace py = pybind11;

namespace swmr {

constexpr uint64_t kPage = 4096;         // bytes that the kernel copies at a time
constexpr uint64_t kOffset = 8;          // bytes of an address
constexpr uint64_t kHighest = 1ull << 62;  // no file has an address beyond
// As in frontier.py.
constexpr size_t kWindow = 64, kWidest = 4096;
constexpr int64_t kOvertaken = 32;

inline uint64_t little(const uint8_t* bytes, size_t count) {
    uint64_t value = 0;
    for (size_t i = count; i-- > 0;) value = value << 8 | bytes[i];
    return value;
}

[[noreturn]] inline void fail(int error) {
    errno = error;
    PyErr_SetFromErrno(PyExc_OSError);
    throw py::error_already_set();
}

// A bitmap of one byte per row.
struct Bits {
    explicit Bits(const py::bytearray& of)
        : bytes(PyByteArray_AS_STRING(of.ptr())), count(static_cast<size_t>(PyByteArray_GET_SIZE(of.ptr()))) {}

    size_t first_from(size_t row) const { return first_in(row, count); }

    size_t first_in(size_t row, size_t stop) const {
        if (row >= stop) return stop;
        const auto* at = static_cast<const char*>(std::memchr(bytes + row, 1, stop - row));
        return at == nullptr ? stop : static_cast<size_t>(at - bytes);
    }

    char* bytes;
    size_t count;
};

struct Chunk {
    size_t row;
    uint64_t offset, size, mask;
    bool doubtful;  // its entry lies on two memory pages
};

// A word of ours, kept for as long as the process lives.
inline py::handle named(const char* word) {
    return py::object(py::module_::import("filewatcher.core.observations").attr(word)).release();
}

// A named tuple without its Python-level __new__, which takes longer than all the rest.
inline py::object bare(const py::handle& name, std::array<py::object, 4> fields) {
    auto* type = reinterpret_cast<PyTypeObject*>(name.ptr());
    auto one = py::reinterpret_steal<py::object>(type->tp_alloc(type, fields.size()));
    if (!one) throw py::error_already_set();
    for (size_t place = 0; place < fields.size(); ++place)
        PyTuple_SET_ITEM(one.ptr(), static_cast<Py_ssize_t>(place), fields[place].release().ptr());
    return one;
}

// What Python says of it.
inline py::object stored(const Chunk& chunk) {
    static const py::handle type = named("StoredChunk");
    return bare(type, {py::int_(chunk.row), py::int_(chunk.offset), py::int_(chunk.size), py::int_(chunk.mask)});
}

inline py::list stored(const std::vector<Chunk>& chunks) {
    py::list made(chunks.size());
    for (size_t i = 0; i < chunks.size(); ++i) made[i] = stored(chunks[i]);
    return made;
}

class Entries {
   public:
    Entries(int fd, uint64_t base, size_t size, size_t mask_at, uint64_t chunk_size, size_t step)
        : fd_(fd), base_(base), size_(size), mask_at_(mask_at), chunk_size_(chunk_size), step_(step) {
        const bool filtered = mask_at > kOffset && mask_at <= 2 * kOffset && size == mask_at + 4;
        if (!(filtered || (mask_at == 0 && size == kOffset)) || step < size || base > kHighest)
            throw py::value_error("no element of a chunk index is like this");
        nothing_.assign(size, 0);
        std::memset(nothing_.data(), 0xff, kOffset);
        torn_ = py::module_::import("filewatcher.edges.swmr.index.blocks").attr("Torn");
    }

    py::tuple find(uint64_t address, const py::bytearray& wanted, size_t first, size_t stop) {
        const Bits bits(wanted);
        if (stop > bits.count || first > stop) throw py::value_error("rows beyond the bitmap");
        std::vector<Chunk> chunks;
        if (!append(address, bits, first, stop, chunks)) {
            const auto rows = std::to_string(first) + " to " + std::to_string(stop);
            PyErr_SetString(torn_.ptr(), ("the file ends before the elements of rows " + rows).c_str());
            throw py::error_already_set();
        }
        py::list doubtful;
        for (const Chunk& chunk : chunks)
            if (chunk.doubtful) doubtful.append(chunk.row);
        return py::make_tuple(stored(chunks), doubtful);
    }

    // Append what is there of wanted rows from first to stop; false = the file ends before.
    bool append(uint64_t address, const Bits& wanted, size_t first, size_t stop, std::vector<Chunk>& found) {
        rows_.clear();
        const size_t begin = wanted.first_in(first, stop);
        if (begin == stop) return true;
        if (address > kHighest) return false;
        const uint64_t at = address + (begin - first) * step_;
        if (!read(once_, at, stop - begin)) return false;
        for (size_t row = begin; row < stop; ++row) {
            const uint8_t* entry = once_.data() + (row - begin) * step_;
            if (wanted.bytes[row] && std::memcmp(entry, nothing_.data(), size_) != 0) rows_.push_back(row);
        }
        if (rows_.empty()) return true;
        const uint64_t end = file_end();
        const size_t front = rows_.front();
        const uint64_t again = at + (front - begin) * step_;
        if (!read(twice_, again, rows_.back() + 1 - front)) return false;
        for (const size_t row : rows_) {
            const uint8_t* entry = twice_.data() + (row - front) * step_;
            if (std::memcmp(entry, once_.data() + (row - begin) * step_, size_) != 0) continue;
            const uint64_t offset = little(entry, kOffset);
            uint64_t size = chunk_size_, mask = 0;
            if (mask_at_) {
                size = little(entry + kOffset, mask_at_ - kOffset);
                mask = little(entry + mask_at_, size_ - mask_at_);
            }
            // half an entry: an address without a size, a size without an address, an address in no file
            if (size == 0 || offset == 0 || offset > end || size > end - offset) continue;
            const uint64_t where = base_ + again + (row - front) * step_;
            found.push_back({row, base_ + offset, size, mask, where / kPage != (where + size_ - 1) / kPage});
        }
        return true;
    }

    size_t step() const { return step_; }

    // Whether, when entries were last found, the file had a name and went on to there (bytes from its start).
    bool still(uint64_t end) const { return named_ && length_ >= end; }

   private:
    // Read the elements of so many rows; false = the file ends before.
    bool read(std::vector<uint8_t>& into, uint64_t address, size_t rows) const {
        into.resize((rows - 1) * step_ + size_);
        const ssize_t got = pread(fd_, into.data(), into.size(), static_cast<off_t>(base_ + address));
        if (got < 0) fail(errno);
        return static_cast<size_t>(got) == into.size();
    }

    uint64_t file_end() {
        struct stat status{};
        if (fstat(fd_, &status) != 0) fail(errno);
        length_ = static_cast<uint64_t>(status.st_size);
        named_ = status.st_nlink > 0;
        return length_ > base_ ? length_ - base_ : 0;
    }

    int fd_;
    uint64_t base_;
    size_t size_, mask_at_;
    uint64_t chunk_size_;
    size_t step_;
    uint64_t length_ = 0;
    bool named_ = true;
    std::vector<uint8_t> nothing_, once_, twice_;
    std::vector<size_t> rows_;
    py::object torn_;
};

}  // namespace swmr
