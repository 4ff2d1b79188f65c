"""DIALS's spots by a compiled kernel: the same answers as `spotfinding.reference`, some fifty times faster."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from spotfinding.bitshuffle import LZ4
from spotfinding.errors import NotReadable
from spotfinding.native import _kernel
from spotfinding.spots import Spots, check_image, check_strong_pixels, divisor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spotfinding.bitshuffle import Packed
    from spotfinding.parameters import Parameters


class NativeSpotFinder:
    """Finds the spots of images of one shape; see `spotfinding.spots.SpotFinder`.

    Keeps its buffers from image to image and works without the GIL. Threads may share one, but then take turns: give
    each its own.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        parameters: Parameters,
        mask: NDArray[np.bool_] | None = None,
        *,
        instruction_set: str = "auto",
    ) -> None:
        """See the class; `instruction_set`: one of `instruction_sets`, or ``auto`` for the last of them."""
        known = instruction_sets()
        if instruction_set not in (*known, "auto"):
            raise ValueError(f"instruction_set={instruction_set!r}: this processor has {', '.join(known)}")
        self.instruction_set = known[-1] if instruction_set == "auto" else instruction_set
        self._shape = shape
        self._parameters = parameters
        self._most = shape[0] * shape[1]
        if parameters.max_strong_pixel_fraction < 1:
            self._most = math.ceil(parameters.max_strong_pixel_fraction * self._most)
        self._kernel = _kernel.Finder(shape, _for_kernel(parameters, shape), mask, _SETS[self.instruction_set])

    def find(self, pixels: NDArray[np.generic], low: float | None, high: float, gain: float = 1.0) -> Spots:
        """Threshold an image, connect its strong pixels, measure and filter the spots."""
        check_image(pixels, self._shape)
        low = -math.inf if low is None else low
        return self._spots(*self._kernel.find(_plain(pixels), low, high, divisor(gain), self._most))

    def find_packed(self, image: Packed, low: float | None, high: float, gain: float = 1.0) -> Spots | None:
        """Threshold an image while it is decompressed, so that it never leaves the processor's cache."""
        check_image(image, self._shape)
        low = -math.inf if low is None else low
        try:
            answer = self._kernel.find_stored(
                LZ4 or 0, image.blocks, image.block, image.dtype, low, high, divisor(gain), self._most
            )
        except ValueError as error:
            raise NotReadable(f"bslz4 cannot be decompressed: {error}") from error
        return None if answer is None else self._spots(*answer)

    def _spots(self, columns: _kernel.Columns | None, n_strong: int) -> Spots:
        check_strong_pixels(n_strong, self._parameters, self._shape)
        assert columns is not None
        return Spots(*columns, n_strong)

    def strong_pixels(
        self, pixels: NDArray[np.generic], low: float | None, high: float, gain: float = 1.0
    ) -> NDArray[np.bool_]:
        """Return which pixels are strong, shape (slow, fast); arguments as for `find`."""
        check_image(pixels, self._shape)
        low = -math.inf if low is None else low
        return self._kernel.strong_pixels(_plain(pixels), low, high, divisor(gain))


_SETS: Final = _kernel.InstructionSet.__members__


def instruction_sets() -> tuple[str, ...]:
    """Return which instructions this processor can be told to use, the fastest last: scalar, avx2, avx512."""
    return tuple(name for name, value in _SETS.items() if _kernel.available(value))


def _plain(pixels: NDArray[np.generic]) -> NDArray[np.generic]:
    """The same pixels as the kernel reads them: contiguous, aligned, native byte order; a copy only if they are not."""
    plain: NDArray[np.generic] = np.require(pixels, pixels.dtype.newbyteorder("="), ["C", "A"])
    return plain


def _for_kernel(p: Parameters, shape: tuple[int, int]) -> _kernel.Parameters:
    """Parameters as the kernel has them: numbers that a C++ int holds, which a box larger than the image may not."""
    most = 4 * max(shape)  # a kernel of this size or above: all the same
    box = (2 * p.kernel_size[0] + 1) * (2 * p.kernel_size[1] + 1)
    kernel = _kernel.Parameters()
    kernel.extended = p.threshold_algorithm == "dispersion_extended"
    kernel.kernel_slow, kernel.kernel_fast = (min(size, most) for size in p.kernel_size)
    kernel.sigma_background = p.sigma_background
    kernel.sigma_strong = p.sigma_strong
    kernel.global_threshold = p.global_threshold
    kernel.min_local = min(p.min_local if p.min_local > 0 else box, shape[0] * shape[1] + 1)
    kernel.has_gain = p.gain is not None
    kernel.gain = 1.0 if p.gain is None else p.gain
    kernel.masked_pixels_erode = bool(p.masked_pixels_erode)
    kernel.min_spot_size = min(p.min_spot_size, shape[0] * shape[1] + 1)
    kernel.max_spot_size = min(p.max_spot_size, shape[0] * shape[1])
    kernel.max_separation = math.inf if p.max_separation is None else p.max_separation
    return kernel
