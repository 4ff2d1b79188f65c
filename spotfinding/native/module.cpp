// The Python module spotfinding.native._kernel: checks what it is given, then works without the GIL.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>

#include "finder.h"

namespace py = pybind11;

namespace spotfinding {
namespace {

constexpr int64_t kMostPixels = std::numeric_limits<int32_t>::max();

/// A limit on counts as a pixel type has it: integers are cut to the type's range.
template <typename T>
T limit(double value, bool upper) {
    if (std::is_floating_point_v<T>) return T(value);
    value = upper ? std::floor(value) : std::ceil(value);
    return T(std::clamp(value, double(std::numeric_limits<T>::lowest()), double(std::numeric_limits<T>::max())));
}

/// Is the range empty in the whole numbers of a type, although its cut ends may not show it?
template <typename T>
bool empty(double low, double high) {
    if (std::isnan(low) || std::isnan(high)) return true;
    return !std::is_floating_point_v<T> && (std::floor(high) < double(std::numeric_limits<T>::lowest()) ||
                                            std::ceil(low) > double(std::numeric_limits<T>::max()));
}

/// Calls `work` with the limits as pixels of this type.
template <typename T, typename Work>
void with_limits(double low, double high, Work&& work) {
    if (empty<T>(low, high)) return work(T(1), T(0));
    work(limit<T>(low, false), limit<T>(high, true));
}

template <typename Work>
void with_type(const py::dtype& type, double low, double high, Work&& work) {
    const char kind = type.kind();
    switch (type.itemsize() * (kind == 'u' ? 1 : kind == 'i' ? 100 : kind == 'f' ? 10000 : 0)) {
        case 1: return with_limits<uint8_t>(low, high, work);
        case 2: return with_limits<uint16_t>(low, high, work);
        case 4: return with_limits<uint32_t>(low, high, work);
        case 200: return with_limits<int16_t>(low, high, work);
        case 400: return with_limits<int32_t>(low, high, work);
        case 40000: return with_limits<float>(low, high, work);
    }
    throw py::type_error("pixels of " + std::string(py::str(type)) + ": supported are u1 u2 u4 i2 i4 f4");
}

bool native_order(const py::dtype& type) { return type.byteorder() == '=' || type.byteorder() == '|'; }

void check(const Finder& finder, const py::array& pixels, double gain) {
    if (pixels.ndim() != 2 || pixels.shape(0) != finder.height() || pixels.shape(1) != finder.width())
        throw py::value_error("pixels of another shape than (" + std::to_string(finder.height()) + ", " +
                              std::to_string(finder.width()) + ")");
    const auto address = reinterpret_cast<std::uintptr_t>(pixels.data());
    if (!(pixels.flags() & py::array::c_style) || address % size_t(pixels.itemsize()) != 0)
        throw py::value_error("pixels must be contiguous and aligned");
    if (!native_order(pixels.dtype())) throw py::value_error("pixels must be in this machine's byte order");
    if (!(gain > 0)) throw py::value_error("gain must be above 0");
}

std::unique_ptr<Finder> make(const py::tuple& shape, const Parameters& parameters, const py::object& mask,
                             InstructionSet set) {
    if (!available(set)) throw py::value_error("this processor does not have these instructions");
    const auto height = shape[0].cast<int64_t>(), width = shape[1].cast<int64_t>();
    if (height < 1 || width < 1 || height > kMostPixels / width)
        throw py::value_error("images must have 1 to 2^31 - 1 pixels");
    Mask bits{int(height), int(width)};
    if (!mask.is_none()) {
        const auto masked = py::cast<py::array_t<bool, py::array::c_style>>(mask);
        if (masked.ndim() != 2 || masked.shape(0) != height || masked.shape(1) != width)
            throw py::value_error("the mask must have the shape of the images");
        const auto values = masked.unchecked<2>();
        for (int j = 0; j < height; ++j) {
            for (int i = 0; i < width; ++i) {
                if (values(j, i)) bits.set(j, i);
            }
        }
    }
    return std::make_unique<Finder>(int(height), int(width), parameters, std::move(bits), set);
}

/// Columns of the spots, as numpy arrays: x, y, intensity, n_pixels, bounding_box.
py::tuple columns(const std::vector<Spot>& spots) {
    const auto n = py::ssize_t(spots.size());
    py::array_t<double> x(n), y(n), intensity(n);
    py::array_t<int32_t> n_pixels(n), box({n, py::ssize_t(4)});
    for (py::ssize_t i = 0; i < n; ++i) {
        const Spot& spot = spots[size_t(i)];
        x.mutable_at(i) = spot.x;
        y.mutable_at(i) = spot.y;
        intensity.mutable_at(i) = double(spot.intensity);
        n_pixels.mutable_at(i) = spot.n_pixels;
        for (int side = 0; side < 4; ++side) box.mutable_at(i, side) = spot.box[side];
    }
    return py::make_tuple(x, y, intensity, n_pixels, box);
}

/// Spots, or None where there are more strong pixels than `most`; and the number of strong pixels.
py::tuple as_python(const Finder::Answer& answer, size_t most) {
    py::object spots = py::none();
    if (answer.n_strong_pixels <= most) spots = columns(answer.spots);
    return py::make_tuple(spots, answer.n_strong_pixels);
}

py::tuple find(Finder& finder, const py::array& pixels, double low, double high, double gain, size_t most) {
    check(finder, pixels, gain);
    Finder::Answer answer;
    with_type(pixels.dtype(), low, high, [&](auto first, auto last) {
        const auto* data = static_cast<const decltype(first)*>(pixels.data());
        const py::gil_scoped_release release;
        answer = finder.find(data, first, last, gain, most);
    });
    return as_python(answer, most);
}

/// The same for an image that is still compressed, as `bitshuffle.undo` is given it; None: it must be undone first.
py::object find_stored(Finder& finder, std::uintptr_t lz4, const py::buffer& data, size_t block, const py::dtype& type,
                       double low, double high, double gain, size_t most) {
    const py::buffer_info bytes = data.request();
    const auto width = size_t(type.itemsize());
    if (bytes.itemsize != 1 || bytes.ndim != 1 || (bytes.size && bytes.strides[0] != 1))
        throw py::value_error("bytes one after the other are needed");
    if (lz4 == 0 || !native_order(type)) return py::none();
    check_block(block, width);
    std::optional<Finder::Answer> answer;
    with_type(type, low, high, [&](auto first, auto last) {
        const py::gil_scoped_release release;
        const size_t image = size_t(finder.height()) * size_t(finder.width()) * width;
        Blocks blocks(reinterpret_cast<Lz4>(lz4), best_transpose(), static_cast<const uint8_t*>(bytes.ptr),
                      size_t(bytes.size), image, block, width);
        answer = finder.find_stored(std::move(blocks), first, last, gain, most);
    });
    if (!answer) return py::none();
    return as_python(*answer, most);
}

py::array strong_pixels(Finder& finder, const py::array& pixels, double low, double high, double gain) {
    check(finder, pixels, gain);
    py::array_t<bool> strong({finder.height(), finder.width()});
    auto* out = reinterpret_cast<uint8_t*>(strong.mutable_data());
    with_type(pixels.dtype(), low, high, [&](auto first, auto last) {
        const auto* data = static_cast<const decltype(first)*>(pixels.data());
        const py::gil_scoped_release release;
        finder.strong_pixels(data, first, last, gain, out);
    });
    return strong;
}

}  // namespace
}  // namespace spotfinding

PYBIND11_MODULE(_kernel, module) {
    using namespace spotfinding;
    module.doc() = "DIALS's spot finding for one image, compiled; use spotfinding.native.";
    py::enum_<InstructionSet>(module, "InstructionSet")
        .value("scalar", InstructionSet::scalar)
        .value("avx2", InstructionSet::avx2)
        .value("avx512", InstructionSet::avx512);
    module.def("available", &available);
    module.def("best_available", &best_available);
    py::class_<Parameters>(module, "Parameters")
        .def(py::init<>())
        .def_readwrite("extended", &Parameters::extended)
        .def_readwrite("kernel_slow", &Parameters::kernel_slow)
        .def_readwrite("kernel_fast", &Parameters::kernel_fast)
        .def_readwrite("sigma_background", &Parameters::sigma_background)
        .def_readwrite("sigma_strong", &Parameters::sigma_strong)
        .def_readwrite("global_threshold", &Parameters::global_threshold)
        .def_readwrite("min_local", &Parameters::min_local)
        .def_readwrite("has_gain", &Parameters::has_gain)
        .def_readwrite("gain", &Parameters::gain)
        .def_readwrite("masked_pixels_erode", &Parameters::masked_pixels_erode)
        .def_readwrite("min_spot_size", &Parameters::min_spot_size)
        .def_readwrite("max_spot_size", &Parameters::max_spot_size)
        .def_readwrite("max_separation", &Parameters::max_separation);
    py::class_<Finder>(module, "Finder")
        .def(py::init(&make), py::arg("shape"), py::arg("parameters"), py::arg("mask"), py::arg("instruction_set"))
        .def("find", &find)
        .def("find_stored", &find_stored)
        .def("strong_pixels", &strong_pixels);
}
