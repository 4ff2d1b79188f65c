"""What an engine must know of the detector and the beam: geometry, mask, trusted range."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spotfinding.errors import AnalysisError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Detector:
    """Geometry and wavelength of a collection; the same fields as the watcher's own message of this name.

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

    def pixel_mask(self) -> NDArray[np.bool_] | None:
        """Return the mask, shape (slow, fast), True = masked; None where the master has no mask.

        Raises `AnalysisError` if the packed mask is damaged or of another shape.

        >>> packed = zlib.compress(np.packbits([[0, 0, 1], [1, 0, 0]]).tobytes())
        >>> detector = Detector((2, 3), (0.1, 0.1), (1, 0, 0), (0, -1, 0), (0, 0, -100), 1.0, mask=packed)
        >>> detector.pixel_mask()
        array([[False, False,  True],
               [ True, False, False]])
        """
        if self.mask is None:
            return None
        n_pixels = self.shape[0] * self.shape[1]
        try:
            packed = np.frombuffer(zlib.decompress(self.mask), dtype=np.uint8)
        except zlib.error as error:
            raise AnalysisError(f"the pixel mask of {self.name or 'the detector'} is damaged: {error}") from error
        if len(packed) != (n_pixels + 7) // 8:
            raise AnalysisError(
                f"the pixel mask of {self.name or 'the detector'} has {len(packed)} bytes of 8 pixels, which is not "
                f"an image of {self.shape[0]} x {self.shape[1]} (slow x fast)"
            )
        return np.unpackbits(packed, count=n_pixels).view(np.bool_).reshape(self.shape)
