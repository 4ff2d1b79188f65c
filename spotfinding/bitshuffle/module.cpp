// The Python module spotfinding.bitshuffle._blocks: checks what it is given, then works without the GIL.
#include <pybind11/pybind11.h>

#include <string>

#include "blocks.h"

namespace py = pybind11;

namespace spotfinding {
namespace {

Transpose transpose_of(const std::string &instruction_set) {
    if (instruction_set == "none") return transpose_none;
    if (instruction_set == "scalar") return transpose_scalar;
    if (instruction_set == "avx2" && has_avx2()) return transpose_avx2;
    if (instruction_set == "auto") return best_transpose();
    throw py::value_error("this processor has no instruction set " + instruction_set);
}

py::buffer_info plain(const py::buffer& buffer, bool writable) {
    py::buffer_info info = buffer.request(writable);
    if (info.itemsize != 1 || info.ndim != 1 || (info.size && info.strides[0] != 1))
        throw py::value_error("bytes one after the other are needed");
    return info;
}

void undo_blocks(std::uintptr_t lz4, const py::buffer& data, size_t block, size_t width, const py::buffer& target,
                 const std::string& instruction_set) {
    const py::buffer_info from = plain(data, false), to = plain(target, true);
    const Transpose transpose = transpose_of(instruction_set);
    const auto* source = static_cast<const uint8_t*>(from.ptr);
    auto* out = static_cast<uint8_t*>(to.ptr);
    const auto size = static_cast<size_t>(from.size), target_size = static_cast<size_t>(to.size);
    if (lz4 == 0) throw py::value_error("LZ4 has no address");
    check_block(block, width);
    if (source < out + target_size && out < source + size) throw py::value_error("data and target overlap");
    const py::gil_scoped_release release;
    Blocks blocks(reinterpret_cast<Lz4>(lz4), transpose, source, size, target_size, block, width);
    while (const size_t bytes = blocks.next()) {
        blocks.undo_next(out);
        out += bytes;
    }
}

}  // namespace
}  // namespace spotfinding

PYBIND11_MODULE(_blocks, module) {
    using namespace spotfinding;
    module.doc() = "Undoes bitshuffle with LZ4 into a buffer of the caller's.";
    module.def("undo_blocks", &undo_blocks, py::arg("lz4"), py::arg("data"), py::arg("block"), py::arg("width"),
               py::arg("target"), py::arg("instruction_set") = "auto");
    py::list sets;
    sets.append("scalar");
    if (has_avx2()) sets.append("avx2");
    module.attr("INSTRUCTION_SETS") = py::tuple(sets);
}
