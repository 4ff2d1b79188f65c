// The Python module filewatcher.edges.swmr.index._entries: the elements of a chunk index that a look has to read.
// The same as reference.py says in Python, which is what to read first. The GIL is kept: the reader's process has one thread.
#include <pybind11/pybind11.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

namespace py = pybind11;

namespace {

constexpr uint64_t kPage = 4096;         // bytes that the kernel copies at a time
constexpr uint64_t kOffset = 8;          // bytes of an address
constexpr uint64_t kHighest = 1ull << 62;  // no file has an address beyond
// As in frontier.py.
constexpr size_t kWindow = 64, kWidest = 4096;
constexpr int64_t kOvertaken = 32;

uint64_t little(const uint8_t* bytes, size_t count) {
    uint64_t value = 0;
    for (size_t i = count; i-- > 0;) value = value << 8 | bytes[i];
    return value;
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

class Entries {
   public:
    Entries(int fd, uint64_t base, size_t size, size_t mask_at, uint64_t chunk_size, size_t step)
        : fd_(fd), base_(base), size_(size), mask_at_(mask_at), chunk_size_(chunk_size), step_(step) {
        const bool filtered = mask_at > kOffset && mask_at <= 2 * kOffset && size == mask_at + 4;
        if (!(filtered || (mask_at == 0 && size == kOffset)) || step < size || base > kHighest)
            throw py::value_error("no element of a chunk index is like this");
        nothing_.assign(size, 0);
        std::memset(nothing_.data(), 0xff, kOffset);
        chunk_ = py::module_::import("filewatcher.core.observations").attr("StoredChunk");
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

    // StoredChunks without their Python-level __new__, which takes longer than all the rest.
    py::list stored(const std::vector<Chunk>& chunks) const {
        auto* type = reinterpret_cast<PyTypeObject*>(chunk_.ptr());
        py::list made(chunks.size());
        for (size_t i = 0; i < chunks.size(); ++i) {
            auto one = py::reinterpret_steal<py::object>(type->tp_alloc(type, 4));
            if (!one) throw py::error_already_set();
            const Chunk& chunk = chunks[i];
            Py_ssize_t place = 0;
            for (const uint64_t value : {static_cast<uint64_t>(chunk.row), chunk.offset, chunk.size, chunk.mask})
                PyTuple_SET_ITEM(one.ptr(), place++, py::int_(value).release().ptr());
            made[i] = one;
        }
        return made;
    }

    size_t step() const { return step_; }

   private:
    // Read the elements of so many rows; false = the file ends before.
    bool read(std::vector<uint8_t>& into, uint64_t address, size_t rows) const {
        into.resize((rows - 1) * step_ + size_);
        const ssize_t got = pread(fd_, into.data(), into.size(), static_cast<off_t>(base_ + address));
        if (got < 0) fail(errno);
        return static_cast<size_t>(got) == into.size();
    }

    uint64_t file_end() const {
        struct stat status{};
        if (fstat(fd_, &status) != 0) fail(errno);
        const auto size = static_cast<uint64_t>(status.st_size);
        return size > base_ ? size - base_ : 0;
    }

    [[noreturn]] static void fail(int error) {
        errno = error;
        PyErr_SetFromErrno(PyExc_OSError);
        throw py::error_already_set();
    }

    int fd_;
    uint64_t base_;
    size_t size_, mask_at_;
    uint64_t chunk_size_;
    size_t step_;
    std::vector<uint8_t> nothing_, once_, twice_;
    std::vector<size_t> rows_;
    py::object chunk_, torn_;
};

// What is new of one growing file while all goes as it mostly does.
class Tail {
   public:
    using Piece = std::tuple<size_t, size_t, uint64_t>;

    Tail(py::object entries, const Piece& piece, py::bytearray missing, py::bytearray seen, size_t oldest, int64_t last,
         size_t left)
        : oldest(oldest), left(left), last(last), entries_(std::move(entries)), missing_(std::move(missing)), seen_(std::move(seen)) {
        std::tie(first_, stop_, address_) = piece;
        if (Bits(missing_).count != Bits(seen_).count) throw py::value_error("two bitmaps of different length");
    }

    // What has come, taken in; nothing = it has to be looked for otherwise, and nothing has been taken in.
    std::optional<py::list> look() {
        auto& entries = entries_.cast<Entries&>();
        const Bits missing(missing_), seen(seen_);
        if (missing.count != seen.count) return std::nullopt;
        found_.clear();
        const auto asked = onwards(entries, missing, oldest);
        if (!asked) return std::nullopt;
        if (last >= static_cast<int64_t>(oldest)) {
            const auto near = static_cast<size_t>(std::max<int64_t>(last + 1 - kOvertaken, 0));
            if (!onwards(entries, missing, missing.first_from(std::max(*asked, near)))) return std::nullopt;
        }
        if (found_.size() >= left) return std::nullopt;  // the last rows of a file go out with more care
        for (const Chunk& chunk : found_) {
            seen.bytes[chunk.row] = 1;
            missing.bytes[chunk.row] = 0;
            last = std::max(last, static_cast<int64_t>(chunk.row));
            end = std::max(end, chunk.offset + chunk.size);
            newest = static_cast<int64_t>(chunk.row);
        }
        left -= found_.size();
        oldest = missing.first_from(oldest);
        return entries.stored(found_);
    }

    size_t oldest, left;
    int64_t last, newest = -1;
    uint64_t end = 0;

   private:
    // As Frontier._onwards; nothing if that takes more than what is in view, or there is a doubt.
    std::optional<size_t> onwards(Entries& entries, const Bits& missing, size_t first) {
        for (size_t width = kWindow; first < missing.count; width = std::min(4 * width, kWidest)) {
            const size_t upto = std::min(first + width, missing.count), before = found_.size();
            if (first < first_ || upto > stop_) return std::nullopt;
            if (!entries.append(address_ + (first - first_) * entries.step(), missing, first, upto, found_))
                return std::nullopt;
            for (size_t i = before; i < found_.size(); ++i)
                if (found_[i].doubtful) return std::nullopt;
            const size_t known = found_.size() > before ? found_.back().row + 1 : first;
            if (missing.first_in(known, upto) < upto) return upto;
            first = upto;
        }
        return first;
    }

    py::object entries_;
    size_t first_, stop_;
    uint64_t address_;
    py::bytearray missing_, seen_;
    std::vector<Chunk> found_;
};

py::list look_at(const py::list& tails) {
    py::list news;
    for (size_t place = 0; place < tails.size(); ++place) {
        std::optional<py::list> found;
        try {
            found = tails[place].cast<Tail&>().look();
        } catch (py::error_already_set& error) {
            if (!error.matches(PyExc_OSError)) throw;
        }
        if (!found)
            news.append(py::make_tuple(place, py::none()));
        else if (!found->empty())
            news.append(py::make_tuple(place, *found));
    }
    return news;
}

}  // namespace

PYBIND11_MODULE(_entries, module) {
    module.doc() = "Reads elements of a chunk index that somebody else is writing.";
    py::class_<Entries>(module, "Entries", "See `reference.Entries`.")
        .def(py::init<int, uint64_t, size_t, size_t, uint64_t, size_t>(), py::arg("fd"), py::arg("base"),
             py::arg("size"), py::arg("mask_at"), py::arg("chunk_size"), py::arg("step"))
        .def("find", &Entries::find, py::arg("address"), py::arg("wanted"), py::arg("first"), py::arg("stop"));
    py::class_<Tail>(module, "Tail", "See `reference.Tail`.")
        .def(py::init<py::object, const Tail::Piece&, py::bytearray, py::bytearray, size_t, int64_t, size_t>(),
             py::arg("entries"), py::arg("piece"), py::arg("missing"), py::arg("seen"),
             py::arg("oldest"), py::arg("last"), py::arg("left"))
        .def_readonly("oldest", &Tail::oldest)
        .def_readonly("left", &Tail::left)
        .def_readonly("last", &Tail::last)
        .def_readonly("newest", &Tail::newest)
        .def_readonly("end", &Tail::end);
    module.def("look_at", &look_at, py::arg("tails"), "See `reference.look_at`.");
}
