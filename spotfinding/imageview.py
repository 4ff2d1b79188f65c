"""One image for a person: as a picture, and what to draw over it. Runs where the pixels are, on a worker."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from spotfinding.ice import ice_lines
from spotfinding.rendering import Exposure, chosen_black, render

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spotfinding.analysis import Analysis, Measured
    from spotfinding.chunks import Chunk, Layout
    from spotfinding.detector import Detector

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

RINGS = (50.0, 30.0, 20.0, 15.0, 10.0, 8.0, 6.0, 5.0, 4.0, 3.5, 3.0, 2.5, 2.2, 2.0, 1.8, 1.6, 1.5, 1.4, 1.3, 1.2, 1.1,
         1.0, 0.9, 0.8, 0.7, 0.6, 0.5)  # fmt: skip
"""Angstrom: round numbers."""
APART = 0.09
"""Between rings, of the farthest corner: their numbers must have room."""
ICE = 0.30
"""1/angstrom^2: rings of ice beyond d = 1.83 angstrom are too dense to tell anything."""
KEV = 12.398419843
"""keV angstrom: h c."""


def shown(analysis: Analysis, chunk: Chunk, layout: Layout, patience: float, what: str, black: float | None) -> bytes:
    """Return a frame, which is read as by `Analysis.pixels`: as ``image`` (PNG), or its ``notes`` (JSON).

    Raises `AnalysisError` for one that cannot be read or analysed.
    """
    pixels = analysis.pixels(chunk, layout, patience)
    return picture(analysis, pixels, black) if what == "image" else json.dumps(notes(analysis, pixels)).encode()


def picture(analysis: Analysis, pixels: NDArray[np.generic], black: float | None = None) -> bytes:
    """Return an image of shape (slow, fast) as PNG; `black`: counts, None = chosen from the image."""
    return render(pixels, _exposure(analysis, black))


def notes(analysis: Analysis, pixels: NDArray[np.generic]) -> dict[str, Json]:
    """Return what is drawn over an image of shape (slow, fast), and its header; places in pixels (fast, slow).

    ``spots`` are those that the engine of the run counts. ``counts.top`` is where `picture` draws black by itself.
    Raises `AnalysisError` for an image that cannot be analysed.
    """
    beam = beam_on(analysis.detector)
    return {
        "engine": analysis.engine_name,
        "spots": _spots(analysis.spots_on(pixels)),
        "rings": [] if beam is None else _rings(analysis.detector, beam),
        "beam": None if beam is None else [beam[0], beam[1]],
        "counts": {"top": chosen_black(pixels, _exposure(analysis, None))},
        "header": _header(analysis.detector, beam),
    }


def beam_on(detector: Detector) -> tuple[float, float, float] | None:
    """Return where the direct beam meets the plane of the detector: pixels (fast, slow), and mm from the sample.

    None where it does not.

    >>> from spotfinding.detector import Detector
    >>> beam_on(Detector((100, 200), (0.1, 0.1), (1, 0, 0), (0, -1, 0), (-7, 4, -150), 1.0))
    (70.0, 40.0, 150.0)
    """
    fast, slow, origin = (np.array(v, float) for v in (detector.fast_axis, detector.slow_axis, detector.origin))
    along = -np.array(detector.sample_to_source, float)
    along /= np.linalg.norm(along)
    normal = np.cross(fast, slow)
    if abs(normal @ along) < 1e-9 or (distance := float(normal @ origin / (normal @ along))) <= 0:
        return None
    there = distance * along - origin
    return float(there @ fast / detector.pixel_size[0]), float(there @ slow / detector.pixel_size[1]), distance


def ring_radius(detector: Detector, distance: float, d: float) -> float | None:
    """Return the radius, pixels along fast, of the ring at d, angstrom; None where nothing diffracts forwards.

    A circle: true where the detector is at right angles to the beam, close to it where it is almost.
    """
    half = detector.wavelength / (2 * d)
    if not half < math.sqrt(0.5):
        return None
    return distance * math.tan(2 * math.asin(half)) / detector.pixel_size[0]


def _rings(detector: Detector, beam: tuple[float, float, float]) -> list[Json]:
    x, y, distance = beam
    slow, fast = detector.shape
    farthest = max(math.hypot(x - corner_x, y - corner_y) for corner_x in (0, fast) for corner_y in (0, slow))
    rings: list[Json] = []
    last = 0.0
    for d in RINGS:
        radius = ring_radius(detector, distance, d)
        if radius is not None and last + APART * farthest <= radius <= farthest:
            last = radius
            rings.append({"d": d, "radius_px": radius, "ice": False})
    for line in ice_lines(ICE).tolist():
        radius = ring_radius(detector, distance, 1 / math.sqrt(line))
        if radius is not None and radius <= farthest:
            rings.append({"d": round(1 / math.sqrt(line), 3), "radius_px": radius, "ice": True})
    return rings


def _spots(measured: Measured) -> list[Json]:
    found = measured.spots
    columns = (found.x, found.y, found.intensity, found.n_pixels, found.bounding_box, measured.d)
    names = ("x", "y", "intensity", "n_pixels", "bounding_box", "d")
    return [dict(zip(names, one, strict=True)) for one in zip(*(column.tolist() for column in columns), strict=True)]


def _header(detector: Detector, beam: tuple[float, float, float] | None) -> dict[str, Json]:
    low, high = detector.trusted_range
    return {
        "detector": detector.name,
        "shape": list(detector.shape),
        "pixel_size_mm": list(detector.pixel_size),
        "distance_mm": None if beam is None else beam[2],
        "beam_centre_px": None if beam is None else [beam[0], beam[1]],
        "wavelength_angstrom": detector.wavelength,
        "energy_keV": KEV / detector.wavelength,
        "sensor": f"{detector.material} {detector.thickness:g} mm" if detector.material else None,
        "saturation_counts": high if math.isfinite(high) else None,
        "smallest_valid_counts": low if math.isfinite(low) else None,
    }


def _exposure(analysis: Analysis, black: float | None) -> Exposure:
    inclusive = analysis.parameters.trusted_range == "inclusive"
    return Exposure(analysis.mask, analysis.detector.trusted_range, inclusive, black)
