"""Where on the detector is which resolution: pixel -> mm -> scattering vector -> d, as dxtbx and DIALS have it.

Every operation is in the order of dxtbx's C++ (dxtbx/model/parallax_correction.h, virtual_panel.h and
reflection_table.map_centroids_to_reciprocal_space of DIALS), so that d comes out equal to the last bit: DIALS's
statistics compare d with powers of itself, and one bit can move a spot into the next shell.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from spotfinding.attenuation import attenuation
from spotfinding.errors import AnalysisError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spotfinding.detector import Detector

Vector = tuple[float, float, float]

ORTHOGONAL = 1e-7
"""Largest product of fast and slow axis that dxtbx takes."""


class Geometry:
    """Beam and panel of one detector.

    Raises `AnalysisError` for a detector that is none: axes of no length or not at right angles, no wavelength, a
    sensor whose attenuation is not known (unless `parallax` is False).
    """

    def __init__(self, detector: Detector, *, parallax: bool) -> None:
        if not (detector.wavelength > 0 and all(size > 0 for size in detector.pixel_size)):
            raise AnalysisError(
                f"this detector has no geometry: wavelength {detector.wavelength} angstrom, pixels of "
                f"{detector.pixel_size[0]} x {detector.pixel_size[1]} mm"
            )
        self._pixel_size = detector.pixel_size
        self._origin = detector.origin
        self._fast = _unit("fast axis", detector.fast_axis)
        self._slow = _unit("slow axis", detector.slow_axis)
        if not _dot(detector.fast_axis, detector.slow_axis) < ORTHOGONAL:
            raise AnalysisError(
                f"fast axis {detector.fast_axis} and slow axis {detector.slow_axis} of the detector are not at right "
                "angles"
            )
        towards_source = _unit("direction to the source", detector.sample_to_source)
        self._s0: Vector = tuple(-x * 1.0 / detector.wavelength for x in towards_source)  # type: ignore[assignment]
        self._inverse_wavelength = 1 / detector.wavelength
        self._thickness = detector.thickness
        # the same condition as dxtbx's reader: without a sensor there is nothing to correct for
        corrected = parallax and detector.material and detector.thickness > 0
        self._mu = attenuation(detector.material, detector.wavelength) if corrected else None
        normal = _cross(self._fast, self._slow)
        self._normal = normal if _dot(self._origin, normal) >= 0 else tuple(-x for x in normal)

    def d_star(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return 1/d, 1/angstrom, of positions in pixels along fast and slow; the centre of the first is 0.5, 0.5.

        Raises `AnalysisError` where photons would have to arrive along the sensor.
        """
        x, y = x * self._pixel_size[0], y * self._pixel_size[1]
        if self._mu is not None and len(x):
            x, y = self._corrected(x, y, self._mu)
        lab = [f * x + s * y + o for f, s, o in zip(self._fast, self._slow, self._origin, strict=True)]
        length = _norm(lab)
        return _norm(
            [component / length * self._inverse_wavelength - s0 for component, s0 in zip(lab, self._s0, strict=True)]
        )

    def _corrected(
        self, x: NDArray[np.float64], y: NDArray[np.float64], mu: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Go back from where photons were absorbed, in the depth of the sensor, to where they entered it; mm.

        That depth along the ray is the mean of an exponential distribution, cut off at the back of the sensor.
        """
        ray = [o + x * f + y * s for f, s, o in zip(self._fast, self._slow, self._origin, strict=True)]
        length = _norm(ray)
        s1 = [component / length for component in ray]
        cos_t = _dot(s1, self._normal)
        if not (cos_t > 0).all():
            raise AnalysisError("the plane of the detector passes through the sample: parallax cannot be corrected")
        # math.exp and not np.exp: numpy's own differs from the C library's in the last bit
        absorbed = np.array(list(map(math.exp, (-mu * self._thickness / cos_t).tolist())))
        depth = (1.0 / mu) - (self._thickness / cos_t + 1.0 / mu) * absorbed
        return x - _dot(s1, self._fast) * depth, y - _dot(s1, self._slow) * depth


def d_of(d_star: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return d, angstrom, for 1/d; -1 for the direct beam, as cctbx has it.

    >>> d_of(np.array([0.5, 0.0]))
    array([ 2., -1.])
    """
    squared = d_star * d_star
    with np.errstate(divide="ignore"):
        return np.where(squared == 0, -1.0, 1.0 / np.sqrt(squared))


def _dot(a: Sequence[float] | Sequence[NDArray[np.float64]], b: Sequence[float]) -> NDArray[np.float64]:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]  # type: ignore[return-value]  # a float, for two vectors


def _norm(vector: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    norm: NDArray[np.float64] = np.sqrt(vector[0] * vector[0] + vector[1] * vector[1] + vector[2] * vector[2])
    return norm


def _cross(a: Vector, b: Vector) -> Vector:
    return a[1] * b[2] - b[1] * a[2], a[2] * b[0] - b[2] * a[0], a[0] * b[1] - b[0] * a[1]


def _unit(name: str, vector: Vector) -> Vector:
    length = math.sqrt(vector[0] * vector[0] + vector[1] * vector[1] + vector[2] * vector[2])
    if not (length > 0 and math.isfinite(length)):
        raise AnalysisError(f"the {name} of the detector is no direction: {vector}")
    return vector[0] / length, vector[1] / length, vector[2] / length
