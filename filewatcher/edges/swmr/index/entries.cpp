// The Python module filewatcher.edges.swmr.index._entries: what is done at every look at growing files.
// The same as reference.py says in Python, which is what to read first. The GIL is kept: the reader's process has one thread.
#include <pybind11/stl.h>

#include "follow.h"

namespace {

using swmr::Entries, swmr::Tail;

py::list look_at(const py::list& tails) {
    py::list news;
    for (size_t place = 0; place < tails.size(); ++place) {
        auto& tail = tails[place].cast<Tail&>();
        const auto* found = tail.look();
        if (found == nullptr)
            news.append(py::make_tuple(place, py::none()));
        else if (!found->empty())
            news.append(py::make_tuple(place, swmr::stored(*found)));
    }
    return news;
}

}  // namespace

PYBIND11_MODULE(_entries, module) {
    module.doc() = "Reads elements of chunk indexes that somebody else is writing, and passes on what is new.";
    py::class_<Entries>(module, "Entries", "See `reference.Entries`.")
        .def(py::init<int, uint64_t, size_t, size_t, uint64_t, size_t>(), py::arg("fd"), py::arg("base"),
             py::arg("size"), py::arg("mask_at"), py::arg("chunk_size"), py::arg("step"))
        .def("find", &Entries::find, py::arg("address"), py::arg("wanted"), py::arg("first"), py::arg("stop"));
    py::class_<Tail>(module, "Tail", "See `reference.Tail`.")
        .def(py::init<py::object, const Tail::Piece&, py::bytearray, py::bytearray, size_t, int64_t, size_t, uint64_t>(),
             py::arg("entries"), py::arg("piece"), py::arg("missing"), py::arg("seen"),
             py::arg("oldest"), py::arg("last"), py::arg("left"), py::arg("end"))
        .def_readonly("oldest", &Tail::oldest)
        .def_readonly("left", &Tail::left)
        .def_readonly("last", &Tail::last)
        .def_readonly("newest", &Tail::newest)
        .def_readonly("end", &Tail::end);
    module.def("look_at", &look_at, py::arg("tails"), "See `reference.look_at`.");
    module.def("on_disk", &swmr::on_disk, py::arg("data"), py::arg("begin"), py::arg("end"), py::arg("told"),
               "See `reference.on_disk`.");
    module.def("follow", &swmr::follow, py::arg("tails"), py::arg("files"), py::arg("line"), py::arg("hints"),
               py::arg("begun"), py::arg("period"), py::arg("until"), "See `reference.follow`.");
}
