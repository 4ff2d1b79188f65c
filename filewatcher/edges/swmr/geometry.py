"""Where the detector stands: NeXus axes, or DECTRIS's beam centre and distance, in the frame of dxtbx.

What dxtbx 3.11's ``FormatNXmx`` makes of a master, restated: NeXus has the McStas frame (z along the beam, y up),
dxtbx the imgCIF one (z towards the source, x along the goniometer axis), so x and z change their signs. Sources: NeXus
manual, "Coordinate systems in NeXus" and NXtransformations; imgCIF dictionary, AXIS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from filewatcher.edges.swmr.tree import number, text
from filewatcher.edges.swmr.units import DEGREES, MM, factor
from filewatcher.errors import Broken, NotReady

if TYPE_CHECKING:
    import h5py
    from numpy.typing import NDArray

    from filewatcher.edges.swmr.tree import Tree

MCSTAS_TO_IMGCIF = np.diag([-1.0, 1.0, -1.0])
CHAIN = 64
"""Axes in a row before they are taken to depend on each other in a circle."""


@dataclass(frozen=True, slots=True)
class Panel:
    """Where a flat panel stands, in the imgCIF frame."""

    fast: NDArray[np.float64]
    """Unit vector, shape (3,)."""
    slow: NDArray[np.float64]
    origin: NDArray[np.float64]
    """mm, shape (3,)."""
    pixel_size: tuple[float, float]
    """mm, (fast, slow)."""


def read_panel(tree: Tree, detector: str) -> Panel:
    """Return where the panel of an NXdetector (absolute name) stands.

    Raises `Broken` if the master does not say, `NotReady` if part of it lies in a file that is not there yet.
    """
    modules = tree.children(detector, "NXdetector_module")
    if len(modules) > 1:
        raise Broken(
            f"{tree.path} has a detector of {len(modules)} modules, each with a geometry of its own: only flat "
            "detectors of one module can be analysed"
        )
    if modules and (panel := _from_axes(tree, detector, modules[0])) is not None:
        return _in_front(panel)
    return _from_beam_centre(tree, detector)


# ---- NXtransformations


def _from_axes(tree: Tree, detector: str, module: str) -> Panel | None:
    fast = tree.find(f"{module}/fast_pixel_direction").dataset
    slow = tree.find(f"{module}/slow_pixel_direction").dataset
    if fast is None or slow is None or not text(fast.attrs.get("depends_on")).strip("."):
        return None
    chain = _chain(tree, fast)
    place = np.identity(4)
    for axis in chain:
        place = _matrix(tree, axis) @ place
    turn = np.linalg.multi_dot([np.identity(3), *reversed(_turns(tree, chain)), np.identity(3)])
    slow_turn = np.linalg.multi_dot([np.identity(3), *reversed(_turns(tree, _chain(tree, slow))), np.identity(3)])
    sizes = [number(tree.read(axis)) for axis in (fast, slow)]
    if not (sizes[0] and sizes[1]):
        size = _pixel_size(tree, detector)
    else:
        size = (sizes[0] * factor(fast, MM, "m"), sizes[1] * factor(slow, MM, "m"))
    return Panel(
        MCSTAS_TO_IMGCIF @ turn @ _unit(_vector(fast)),
        MCSTAS_TO_IMGCIF @ slow_turn @ _unit(_vector(slow)),
        MCSTAS_TO_IMGCIF @ place[:3, 3],
        size,
    )


def _chain(tree: Tree, axis: h5py.Dataset) -> list[h5py.Dataset]:
    """The axes that an axis stands on, from itself (left out) to the ground."""
    chain: list[h5py.Dataset] = []
    while (name := text(axis.attrs.get("depends_on"))) not in ("", "."):
        absolute = name if name.startswith("/") else f"{axis.parent.name}/{name}"
        node = tree.find(absolute)
        if node.awaited:
            raise NotReady(f"{node.file} does not exist yet, and {tree.path}:{absolute} is in it")
        if node.dataset is None:
            raise Broken(f"{tree.path}:{axis.name} depends on {name}, which does not exist: the geometry is incomplete")
        if len(chain) > CHAIN:
            raise Broken(f"{tree.path}: the axes of {axis.name} depend on each other in a circle")
        axis = node.dataset
        chain.append(axis)
    return chain


def _turns(tree: Tree, chain: list[h5py.Dataset]) -> list[NDArray[np.float64]]:
    turning = [axis for axis in chain if text(axis.attrs.get("transformation_type")) == "rotation"]
    return [_matrix(tree, axis)[:3, :3] for axis in turning]


def _vector(axis: h5py.Dataset) -> NDArray[np.float64]:
    vector = np.asarray(axis.attrs.get("vector", ()), np.float64).reshape(-1)
    if vector.shape != (3,) or not vector.any():
        raise Broken(f"{axis.file.filename}:{axis.name} has no vector of three numbers: the geometry is incomplete")
    return vector


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(vector / np.linalg.norm(vector), np.float64)


def _matrix(tree: Tree, axis: h5py.Dataset) -> NDArray[np.float64]:
    """4 x 4 transformation of an axis at its first position: offset, then turn or shift (NXtransformations)."""
    value = number(tree.read(axis)) or 0.0
    matrix = np.identity(4)
    if text(axis.attrs.get("transformation_type")) == "rotation":
        matrix[:3, :3] = rotation(_vector(axis), np.deg2rad(value * factor(axis, DEGREES, "deg")) if value else 0.0)
        unit_of_offset = "m"
    else:
        matrix[:3, 3] = value * (factor(axis, MM, "m") if value else 1.0) * _vector(axis) if value else 0.0
        unit_of_offset = text(axis.attrs.get("units")) or "m"
    offset = axis.attrs.get("offset")
    if offset is not None and np.any(offset):
        scale = factor(axis, MM, unit_of_offset, "offset_units")
        matrix[:3, 3] += np.asarray(offset, np.float64) * scale
    return matrix


def rotation(axis: NDArray[np.float64], angle: float) -> NDArray[np.float64]:
    """3 x 3 matrix of a right-handed turn (radian) about an axis: Rodrigues' formula.

    >>> rotation(np.array([0.0, 0.0, 1.0]), np.pi / 2).round(6).tolist()
    [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    x, y, z = _unit(axis)
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.asarray(np.identity(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * cross @ cross, np.float64)


def _in_front(panel: Panel) -> Panel:
    """As dxtbx: a detector between source and sample, facing the beam, is a distance with the wrong sign."""
    normal = np.cross(panel.fast, panel.slow)
    if abs(normal[2]) > 0.99 and panel.origin[2] > 0:
        return Panel(panel.fast, panel.slow, panel.origin * (1.0, 1.0, -1.0), panel.pixel_size)
    return panel


# ---- DECTRIS, where there are no axes


def _from_beam_centre(tree: Tree, detector: str) -> Panel:
    size = _pixel_size(tree, detector)
    centre = [_pixels(tree, f"{detector}/beam_center_{axis}", mm) for axis, mm in zip("xy", size, strict=True)]
    distance = _length(tree, f"{detector}/detector_distance") or _length(tree, f"{detector}/distance")
    if centre[0] is None or centre[1] is None or not distance:
        raise Broken(
            f"{tree.path} does not say where the detector is: {detector} has neither a module with axes nor "
            "beam_center_x, beam_center_y and detector_distance"
        )
    turned = tree.value(f"{detector}/geometry/orientation/value")
    axes = np.array([-1.0, 0, 0, 0, -1, 0]) if turned is None else np.asarray(turned, np.float64).reshape(-1)[:6]
    # the third number has the other sign in DECTRIS's files (as dxtbx reads them)
    fast, slow = (MCSTAS_TO_IMGCIF @ (_unit(axis) * (1, 1, -1)) for axis in (axes[:3], axes[3:]))
    origin = np.array([0.0, 0.0, -distance]) - centre[0] * size[0] * fast - centre[1] * size[1] * slow
    return Panel(fast, slow, origin, size)


def _pixel_size(tree: Tree, detector: str) -> tuple[float, float]:
    x, y = (_length(tree, f"{detector}/{axis}_pixel_size") for axis in "xy")
    if not (x and y):
        raise Broken(f"{tree.path} does not say how large a pixel is: {detector} has no x_pixel_size and y_pixel_size")
    return x, y


def _length(tree: Tree, name: str) -> float | None:
    """mm; None if there is none."""
    value = number(tree.value(name))
    return None if value is None else value * factor(tree.find(name).dataset, MM, "m")


def _pixels(tree: Tree, name: str, pixel: float) -> float | None:
    value = number(tree.value(name))
    if value is None:
        return None
    dataset = tree.find(name).dataset
    return value * factor(dataset, {"pixel": 1.0, "px": 1.0} | {u: mm / pixel for u, mm in MM.items()}, "pixel")
