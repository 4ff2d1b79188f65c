"""A master's detector and beam, frozen into a `Detector`: read once, so that no worker ever opens the master."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from filewatcher.core.detector import Detector
from filewatcher.edges.swmr.geometry import read_panel
from filewatcher.edges.swmr.images import entries
from filewatcher.edges.swmr.tree import number, text
from filewatcher.edges.swmr.units import ANGSTROM, KEV, MM, PLANCK_C, factor
from filewatcher.errors import Broken, NotReady

if TYPE_CHECKING:
    import h5py
    from numpy.typing import NDArray

    from filewatcher.edges.swmr.images import Images
    from filewatcher.edges.swmr.tree import Tree

MATERIALS = {"si": "Si", "silicon": "Si", "cdte": "CdTe", "gaas": "GaAs"}
LARGEST = 2**31 - 1
"""Saturation value where the master has none: the largest pixel of dxtbx."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A detector as far as it can be read now."""

    detector: Detector
    awaited: tuple[str, ...]
    """What is still missing because it lies in a file that is not there, in words."""
    warnings: tuple[str, ...]
    """What had to be assumed, in words."""


@dataclass
class _Notes:
    """What is noticed while reading."""

    awaited: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def read_detector(tree: Tree, images: Images, dtype: str | None = None, *, final: bool = True) -> Reading:
    """Read geometry, wavelength, sensor, trusted range and mask; what is not essential may be awaited.

    `dtype`: of the images in the data files, where that is known (the master's own need not be the same). `final`:
    False = it will be asked again, so the mask, which is large, is left until the rest is there.
    Raises `Broken` if the master does not say where the detector is or what the wavelength is, `NotReady` if these
    lie in a file that is not there yet.
    """
    entry = entries(tree)[0]
    detectors = tree.children(f"{entry}/instrument", "NXdetector")
    name = f"{entry}/instrument/detector"
    if detectors and name not in detectors:
        name = detectors[0]
    notes = _Notes()
    panel = read_panel(tree, name)
    shape = images.shape or _shape(tree, name)
    wavelength = _wavelength(tree, entry, name, notes)
    detector = Detector(
        shape=shape,
        pixel_size=panel.pixel_size,
        fast_axis=_three(panel.fast),
        slow_axis=_three(panel.slow),
        origin=_three(panel.origin),
        wavelength=wavelength,
        thickness=_thickness(tree, name, notes),
        material=_material(tree, name, notes),
        trusted_range=_trusted_range(tree, name, images.channel, dtype, notes),
        name=text(_optional(tree, f"{name}/description", notes)),
        mask=_mask(tree, name, images.channel, shape, notes, final=final),
    )
    return Reading(detector, tuple(dict.fromkeys(notes.awaited)), tuple(notes.warnings))


def _three(vector: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (float(v) + 0.0 for v in vector)  # + 0.0: no negative zeros
    return x, y, z


def _shape(tree: Tree, detector: str) -> tuple[int, int]:
    """Shape of an image where no image dataset is there to say it."""
    specific = f"{detector}/detectorSpecific"
    y = number(tree.value(f"{specific}/y_pixels_in_detector"))
    x = number(tree.value(f"{specific}/x_pixels_in_detector"))
    if y and x:
        return int(y), int(x)
    size = tree.value(f"{detector}/module/data_size")
    if size is not None and np.size(size) == 2:
        return int(size[0]), int(size[1])
    raise NotReady(f"{tree.path} does not say how many pixels an image has, and no data file is there yet")


def _node(tree: Tree, name: str, notes: _Notes) -> h5py.Dataset | None:
    """A dataset that may be missing; if it lies in another file that has none yet, that is noted."""
    node = tree.find(name)
    if node.dataset is None and (node.awaited or node.file != tree.path):
        notes.awaited.append(f"{name} is to come from {Path(node.file).name}")
    return node.dataset


def _optional(tree: Tree, name: str, notes: _Notes) -> Any:
    dataset = _node(tree, name, notes)
    if dataset is None:
        return None
    try:
        return tree.read(dataset)
    except NotReady as error:
        notes.awaited.append(str(error))
        return None


def _wavelength(tree: Tree, entry: str, detector: str, notes: _Notes) -> float:
    """Angstrom; of several (one per image) the first."""
    beams = [*tree.children(f"{entry}/instrument", "NXbeam"), f"{entry}/instrument/beam", f"{entry}/sample/beam"]
    for beam in dict.fromkeys(beams):
        values = tree.value(f"{beam}/incident_wavelength")
        if (first := number(values)) is not None and first > 0:
            if np.ptp(values) > 1e-3 * first:
                notes.warnings.append(f"the wavelength varies between images: that of the first, {first:g}, is used")
            return first * factor(tree.find(f"{beam}/incident_wavelength").dataset, ANGSTROM, "angstrom")
    for name in (*(f"{beam}/incident_energy" for beam in dict.fromkeys(beams)), f"{detector}/photon_energy",
                 f"{detector}/detectorSpecific/photon_energy"):  # fmt: skip
        energy = number(tree.value(name))
        if energy:
            return PLANCK_C / (energy * factor(tree.find(name).dataset, KEV, "eV"))
    raise Broken(f"{tree.path} does not say the wavelength: no {entry}/instrument/beam/incident_wavelength")


def _thickness(tree: Tree, detector: str, notes: _Notes) -> float:
    """mm; 0 = unknown."""
    name = f"{detector}/sensor_thickness"
    value = number(_optional(tree, name, notes))
    if value is None:
        notes.warnings.append("the thickness of the sensor is unknown: no parallax correction")
        return 0.0
    return value * factor(tree.find(name).dataset, MM, "m")


def _material(tree: Tree, detector: str, notes: _Notes) -> str:
    said = text(_optional(tree, f"{detector}/sensor_material", notes))
    material = MATERIALS.get(said.lower(), "")
    if not material:
        notes.warnings.append(f"the sensor material {said or 'is not given'!r} is unknown: no parallax correction")
    return material


def _trusted_range(
    tree: Tree, detector: str, channel: str | None, dtype: str | None, notes: _Notes
) -> tuple[float, float]:
    """Smallest valid value and saturation value, in counts, as the master has them.

    Where it has no saturation value it is the largest number that is no mark: detectors mark masked and saturated
    pixels with 2^N - 1 and 2^N - 2, N the bit depth (2^31 for 32 bits, as dxtbx), else the width of the pixels.
    """
    places = [f"{detector}/{channel}_channel"] if channel else []
    places += [detector, f"{detector}/detectorSpecific"]
    lowest = _first(tree, [f"{place}/underload_value" for place in places], notes)
    names = [f"{place}/saturation_value" for place in places]
    highest = _first(tree, [*names, f"{detector}/detectorSpecific/countrate_correction_count_cutoff"], notes)
    places.append(detector)
    depth = _first(tree, [f"{p}/bit_depth_{kind}" for kind in ("image", "readout") for p in places], notes)
    if depth is None and dtype is not None and np.dtype(dtype).kind == "u":
        depth = 8.0 * np.dtype(dtype).itemsize
    marks = float(LARGEST if depth is None or depth >= 32 else 2 ** int(depth) - 2)
    return lowest or 0.0, marks if highest is None else min(highest, marks)


def _first(tree: Tree, names: list[str], notes: _Notes) -> float | None:
    """The first number that is there; what is awaited is noted only if there is none."""
    mine = _Notes()
    for name in dict.fromkeys(names):
        value = number(_optional(tree, name, mine))
        if value is not None:
            return value
    notes.awaited += mine.awaited
    return None


def _mask(
    tree: Tree, detector: str, channel: str | None, shape: tuple[int, int], notes: _Notes, *, final: bool
) -> bytes | None:
    """Pixel mask, packed as `Detector.mask` says; any bit set masks, as in dxtbx."""
    if notes.awaited and not final:
        return None
    names = [f"{detector}/pixel_mask", f"{detector}/detectorSpecific/pixel_mask"]
    if channel:
        names.insert(0, f"{detector}/{channel}_channel/pixel_mask")
    else:
        names.append(f"{detector}/threshold_1_channel/pixel_mask")
    mine = _Notes()
    for name in names:
        values = _optional(tree, name, mine)
        if values is None:
            continue
        if np.shape(values) == shape:
            return zlib.compress(np.packbits(np.asarray(values) != 0).tobytes(), 1)
        notes.warnings.append(f"the pixel mask {name} has shape {np.shape(values)}, the images {shape}: it is not used")
    notes.awaited += mine.awaited
    return None
