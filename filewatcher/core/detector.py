"""The detector, as its master describes it: geometry, wavelength, mask."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Detector:
    """Geometry and wavelength of a collection, frozen when its master is complete.

    Vectors are in the laboratory frame of dxtbx (imgCIF: x along the first goniometer axis, z towards the source),
    for one flat rectangular panel.
    """

    shape: tuple[int, int]
    """Pixels, (slow, fast)."""
    pixel_size: tuple[float, float]
    """mm, (fast, slow): the order of dxtbx."""
    fast_axis: tuple[float, float, float]
    """Unit vector."""
    slow_axis: tuple[float, float, float]
    """Unit vector."""
    origin: tuple[float, float, float]
    """mm, the corner of pixel (0, 0)."""
    wavelength: float
    """Angstrom."""
    sample_to_source: tuple[float, float, float] = (0.0, 0.0, 1.0)
    """Unit vector, against the beam."""
    thickness: float = 0.0
    """Sensor, mm; 0 = unknown, then there is no parallax correction."""
    material: str = ""
    """Sensor, chemical symbol such as ``Si``; empty = unknown."""
    trusted_range: tuple[float, float] = (0.0, 65535.0)
    """Counts: the smallest valid value and the saturation value of the master."""
    gain: float = 1.0
    """Counts per photon."""
    name: str = ""
    """As the master says."""
    mask: bytes | None = None
    """zlib over `numpy.packbits` (row major, 1 = masked) of the pixel mask; None = no mask in the master."""
