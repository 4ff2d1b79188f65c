"""The detectors that can be simulated: sizes, gaps between modules, geometry, pixel mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MODULE = (512, 1028)
"""Pixels of one EIGER2 module, (slow, fast)."""
GAP = (38, 12)
"""Pixels between two modules, (slow, fast)."""
MASKED = 65535
"""What the detector writes where the mask is set: 2^16 - 1."""

MASK_GAP = 1
MASK_DEAD = 2
MASK_NOISY = 16
"""Bits of NXdetector's ``pixel_mask``."""

_BAD_FRACTION = 2e-5


@dataclass(frozen=True, slots=True)
class Model:
    """A flat detector, perpendicular to the beam."""

    description: str
    modules: tuple[int, int]
    """Modules, (slow, fast)."""
    distance: float
    """mm, sample to detector."""
    wavelength: float = 0.976253
    """Angstrom."""
    pixel_size: float = 0.075
    """mm."""
    sensor_thickness: float = 0.45
    """mm of silicon."""
    saturation: int = 46051
    """Counts above which a pixel cannot be trusted."""

    @property
    def shape(self) -> tuple[int, int]:
        """Pixels, (slow, fast), gaps included."""
        slow, fast = (n * size + (n - 1) * gap for n, size, gap in zip(self.modules, MODULE, GAP, strict=True))
        return slow, fast

    @property
    def beam_centre(self) -> tuple[float, float]:
        """Pixels, (slow, fast): a little off the middle, as they always are."""
        slow, fast = self.shape
        return slow / 2 + 14.3, fast / 2 - 8.7

    def mask(self, seed: int) -> NDArray[np.uint32]:
        """Return the pixel mask: gaps, and a few dead and noisy pixels that depend on the seed."""
        mask = np.zeros(self.shape, np.uint32)
        for axis in (0, 1):
            pitch = MODULE[axis] + GAP[axis]
            in_gap = np.arange(self.shape[axis]) % pitch >= MODULE[axis]
            np.moveaxis(mask, axis, 0)[in_gap] = MASK_GAP
        rng = np.random.default_rng([seed, mask.size])
        bad = rng.choice(mask.size, size=int(mask.size * _BAD_FRACTION), replace=False)
        mask.flat[bad] |= np.where(rng.random(len(bad)) < 0.7, MASK_DEAD, MASK_NOISY).astype(np.uint32)
        return mask


MODELS = {
    "eiger2-16m": Model("Dectris EIGER2 X 16M", (8, 4), 300.0),
    "eiger2-4m": Model("Dectris EIGER2 X 4M", (4, 2), 150.0),
    "eiger2-1m": Model("Dectris EIGER2 X 1M", (2, 1), 75.0),
}
"""By the names of the command line; the distances put about 2 angstrom at the edge."""
