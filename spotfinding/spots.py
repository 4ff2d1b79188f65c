"""The spots of one image, as an engine finds them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from spotfinding.errors import AnalysisError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from spotfinding.bitshuffle import Packed
    from spotfinding.parameters import Parameters


@dataclass(frozen=True, slots=True, eq=False)
class Spots:
    """Spots that passed the filters of size and separation, in DIALS's order: by their first pixel, row by row.

    Arrays of length n, one element per spot.
    """

    x: NDArray[np.float64]
    """Centroid along fast, px; the centre of pixel 0 is 0.5. Weighted by counts, strong pixels only."""
    y: NDArray[np.float64]
    """Centroid along slow, px."""
    intensity: NDArray[np.float64]
    """Sum of the strong pixels' counts, without background subtraction, as DIALS's float32 has it."""
    n_pixels: NDArray[np.int32]
    """Strong pixels."""
    bounding_box: NDArray[np.int32]
    """Shape (n, 4): x0, x1, y0, y1 in pixels, half open."""
    n_strong_pixels: int
    """Thresholded pixels of the whole image, before any spot filter."""

    def __len__(self) -> int:
        return len(self.x)

    def select(self, keep: NDArray[np.bool_]) -> Spots:
        """Return some of the spots; the strong pixels are still those of the whole image."""
        return Spots(
            self.x[keep],
            self.y[keep],
            self.intensity[keep],
            self.n_pixels[keep],
            self.bounding_box[keep],
            self.n_strong_pixels,
        )


class SpotFinder(Protocol):
    """Thresholds an image and connects its strong pixels; built once for a shape, a mask and resolved parameters."""

    def find(self, pixels: NDArray[np.generic], low: float | None, high: float, gain: float = 1.0) -> Spots:
        """Find the spots of an image of shape (slow, fast) and any dtype of `spotfinding.chunks.DTYPES`.

        Valid are unmasked pixels from `low` (None = no limit) to `high`, both inclusive; counts are divided by
        `gain`. Raises `AnalysisError` where DIALS does: more strong pixels than `max_strong_pixel_fraction` allows.
        """

    def find_packed(self, image: Packed, low: float | None, high: float, gain: float = 1.0) -> Spots | None:
        """The same for an image that is still compressed; None: not this one, or not by this finder.

        Raises `NotReadable` for bytes that are not an image.
        """


def divisor(gain: float) -> float:
    """Return what counts are divided by: dxtbx ignores a gain that is not above 0, and one of almost 1.

    >>> divisor(2.5), divisor(1.00000001), divisor(-1.0)
    (2.5, 1.0, 1.0)
    """
    return gain if gain > 0 and abs(gain - 1) > 1e-7 else 1.0


def check_image(pixels: NDArray[np.generic] | Packed, shape: tuple[int, int]) -> None:
    """Raise `AnalysisError` for an image of another shape than that of the detector."""
    if pixels.shape != shape:
        raise AnalysisError(f"the image has {pixels.shape} pixels, but the detector {shape} (slow, fast)")


def check_strong_pixels(count: int, parameters: Parameters, shape: tuple[int, int]) -> None:
    """Raise `AnalysisError` in the words of DIALS for more strong pixels than `max_strong_pixel_fraction` allows."""
    most = math.ceil(parameters.max_strong_pixel_fraction * (shape[0] * shape[1]))
    if parameters.max_strong_pixel_fraction < 1 and count > most:
        raise AnalysisError(
            f"The number of strong pixels found ({count}) is greater than the maximum allowed ({most}). "
            "Try changing spot finding parameters"
        )
